"""Binary AlexNet, of section 5.3."""

from minibnn.nn import (
    BatchNorm,
    BinaryConv2D,
    BinaryDense,
    Flatten,
    MaxPool2D,
    Sequential,
    Sign,
)


def binary_alexnet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=64,
    dense_units=4096,
    seed=0,
    gradients="float32",
):
    """The Binary AlexNet of the paper's code (``bnn_optimization/models/binary_alexnet.py``).

    Five convolutions (11x11 with stride 4, 5x5, three of 3x3; ``filters`` f, 3f, 6f, 6f, 4f), all
    of them padded, and three dense layers of ``dense_units`` and ``classes``. Every kernel is
    binary, the first and the last too; the first convolution sees the image itself. Max pooling
    (3x3, stride 2, no padding) stands behind the first, second and fifth convolution, before batch
    normalisation, which follows every layer, the last one included, has a scale, momentum 0.9 and
    Keras' epsilon of 0.001. No biases. ``input_shape``, ``seed`` and ``gradients`` are as in
    ``Sequential``.

    After Hubara et al. (NIPS 2016). Departure: kernels are signs from the start, where the
    authors' are real until the first step signs them.
    """
    f = filters
    layers = [
        *_convolution(f, 11, strides=4, pool=True),
        Sign(),
        *_convolution(3 * f, 5, pool=True),
        Sign(),
        *_convolution(6 * f, 3),
        Sign(),
        *_convolution(6 * f, 3),
        Sign(),
        *_convolution(4 * f, 3, pool=True),
        Sign(),
        Flatten(),
        *_dense(dense_units),
        Sign(),
        *_dense(dense_units),
        Sign(),
        *_dense(classes),
    ]
    name = "binary_alexnet"
    return Sequential(layers, input_shape, seed=seed, name=name, gradients=gradients)


def _convolution(filters, size, strides=1, pool=False):
    layers = [BinaryConv2D(filters, size, strides=strides, padding="same")]
    return [*layers, *[MaxPool2D(3, strides=2)] * pool, _batch_norm()]


def _dense(units):
    return [BinaryDense(units), _batch_norm()]


def _batch_norm():
    return BatchNorm(scale=True, momentum=0.9)
