"""TensorFlow in float32 without Keras: the whole step is one graph."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import step
import tensorflow as tf


@tf.custom_gradient
def ste_sign(x):
    def gradient(dy):
        return tf.where(tf.abs(x) <= 1, dy, 0.0)

    return tf.where(x < 0, -1.0, 1.0), gradient


class TensorFlow:
    def __init__(self, filters, dense_units, batch_size, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.versions = {"TensorFlow": tf.__version__}
        kernels = step.first_kernels(filters, dense_units)
        self.w = [tf.Variable(k.astype("float32")) for k in kernels]
        self.average = [tf.Variable(tf.zeros_like(w)) for w in self.w]
        channels = [k.shape[-1] for k in kernels]
        self.beta, self.mean, self.first, self.second = (
            [tf.Variable(tf.zeros(c)) for c in channels] for _ in range(4)
        )
        self.variance = [tf.Variable(tf.ones(c)) for c in channels]
        self.t = tf.Variable(0.0)
        self.x, self.labels = map(tf.constant, step.batch(batch_size))
        self._train = tf.function(self._train_step)
        self._infer = tf.function(lambda x: self._logits(x, training=False))

    def _logits(self, images, training):
        x = (2 * tf.cast(images, tf.float32) - 255) / 255
        for k, w in enumerate(self.w):
            x = ste_sign(x) if k else x
            if w.shape.rank == 4:
                x = tf.nn.conv2d(x, w, 1, "SAME" if k else "VALID")
                x = tf.nn.max_pool2d(x, 2, 2, "VALID") if k in step.POOLED else x
            else:
                x = tf.matmul(tf.reshape(x, (x.shape[0], -1)), w)
            x = self._normalised(k, x, training)
        return x

    def _normalised(self, k, x, training):
        moving, images = (self.mean[k], self.variance[k]), x.shape.rank == 4
        if images:
            y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=x, scale=tf.ones_like(self.beta[k]), offset=self.beta[k],
                mean=[] if training else moving[0], variance=[] if training else moving[1],
                epsilon=step.EPSILON, is_training=training,
            )  # fmt: skip
        else:
            mean, variance = tf.nn.moments(x, [0]) if training else moving
            y = (x - mean) * tf.math.rsqrt(variance + step.EPSILON) + self.beta[k]
        if training:
            for old, new in zip(moving, (mean, variance), strict=True):
                old.assign(step.MOMENTUM * old + (1 - step.MOMENTUM) * tf.stop_gradient(new))
        return y

    def _train_step(self, x, labels):
        with tf.GradientTape() as tape:
            logits = self._logits(x, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        dw, dbeta = tape.gradient(loss, (self.w, self.beta))
        for w, m, g in zip(self.w, self.average, dw, strict=True):  # Bop
            m.assign(m + step.GAMMA * (g - m))
            w.assign(tf.where(w * m > step.THRESHOLD, -w, w))
        t = self.t.assign_add(1.0)
        rate = step.LR * tf.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for b, m, v, g in zip(self.beta, self.first, self.second, dbeta, strict=True):  # Adam
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            b.assign_sub(rate * m / (tf.sqrt(v) + 1e-7))
        return loss

    def train(self):
        return float(self._train(self.x, self.labels))

    def infer(self):
        return self._infer(self.x).numpy()

    def kernels(self):
        return [w.numpy() for w in self.w]


if __name__ == "__main__":
    step.main(TensorFlow)
