"""Larq with its own Bop, on TensorFlow and Keras 2.

The kernels are Larq's way for Bop: marked as binary (``NoOp``), signed by the optimizer.
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import larq
import step
import tensorflow as tf


def binarynet(kernels, quantizer=None, images=tf.uint8):
    layers = [tf.keras.layers.Input(step.IMAGE, dtype=images)]
    if images == tf.uint8:
        layers.append(tf.keras.layers.Lambda(lambda x: (2 * tf.cast(x, tf.float32) - 255) / 255))
    for k, kernel in enumerate(kernels):
        options = {
            "kernel_quantizer": quantizer or larq.quantizers.NoOp(precision=1),
            "input_quantizer": "ste_sign" if k else None,
            "kernel_initializer": tf.keras.initializers.Constant(kernel.astype("float32")),
            "use_bias": False,
        }
        if kernel.ndim == 4:
            padding = "same" if k else "valid"
            layers.append(larq.layers.QuantConv2D(kernel.shape[3], 3, padding=padding, **options))
            if k in step.POOLED:
                layers.append(tf.keras.layers.MaxPool2D(2))
        else:
            if kernels[k - 1].ndim == 4:
                layers.append(tf.keras.layers.Flatten())
            layers.append(larq.layers.QuantDense(kernel.shape[1], **options))
        layers.append(
            tf.keras.layers.BatchNormalization(
                scale=False, momentum=step.MOMENTUM, epsilon=step.EPSILON
            )
        )
    return tf.keras.Sequential(layers)


class Larq:
    def __init__(self, filters, dense_units, batch_size, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.versions = {"Larq": larq.__version__, "TensorFlow": tf.__version__}
        self.net = net = binarynet(step.first_kernels(filters, dense_units))
        bop = larq.optimizers.Bop(threshold=step.THRESHOLD, gamma=step.GAMMA)
        optimizer = larq.optimizers.CaseOptimizer(
            (larq.optimizers.Bop.is_binary_variable, bop),
            default_optimizer=tf.keras.optimizers.legacy.Adam(step.LR),
        )
        self.x, self.labels = map(tf.constant, step.batch(batch_size))

        @tf.function
        def train(x, labels):
            with tf.GradientTape() as tape:
                logits = net(x, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                loss = tf.reduce_mean(losses)
            variables = net.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        self._train, self._infer = train, tf.function(lambda x: net(x, training=False))

    def train(self):
        return float(self._train(self.x, self.labels))

    def infer(self):
        return self._infer(self.x).numpy()

    def kernels(self):
        return [layer.kernel.numpy() for layer in self.net.layers if hasattr(layer, "kernel")]


if __name__ == "__main__":
    step.main(Larq)
