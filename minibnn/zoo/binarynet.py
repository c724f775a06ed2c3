"""BinaryNet, and a small sibling for quick runs."""

from minibnn.nn import (
    BatchNorm,
    BinaryConv2D,
    BinaryDense,
    Flatten,
    MaxPool2D,
    Sequential,
    Sign,
)


def binarynet(
    input_shape=(32, 32, 3),
    classes=10,
    filters=128,
    dense_units=1024,
    seed=0,
    gradients="float32",
    bn_momentum=0.99,
):
    """The BinaryNet of the paper's code (``bnn_optimization/models/binarynet.py``).

    Six 3x3 convolutions (``filters`` f, f, pool, 2f, 2f, pool, 4f, 4f, pool) and three dense layers
    of ``dense_units`` and ``classes``, no biases; the first convolution sees real images and has no
    padding. Max pooling comes before batch normalisation, which has no scale, stands after every
    layer, the last one included, and keeps Keras' constants (momentum 0.99, epsilon 0.001);
    ``bn_momentum`` is another momentum, of all of them. ``input_shape``, ``seed`` and ``gradients``
    are as in ``Sequential``. Courbariaux' own net also pads the first convolution. Departure:
    moving variances are unbiased behind dense layers too.
    """
    f, m = filters, bn_momentum
    layers = [
        BinaryConv2D(f, 3, padding="valid"),
        BatchNorm(momentum=m),
        *_convolution(f, m, pool=True),
        *_convolution(2 * f, m),
        *_convolution(2 * f, m, pool=True),
        *_convolution(4 * f, m),
        *_convolution(4 * f, m, pool=True),
        Sign(),
        Flatten(),
        *_dense_layers(dense_units, dense_units, classes, momentum=m),
    ]
    return Sequential(layers, input_shape, seed=seed, name="binarynet", gradients=gradients)


def digits_net(
    input_shape=(8, 8, 1),
    classes=10,
    filters=64,
    dense_units=256,
    seed=0,
    gradients="float32",
    bn_momentum=0.99,
):
    """A small sibling of ``binarynet`` for 8x8 images: f, 2f, pool, and two dense layers.

    ``input_shape``, ``classes``, ``filters``, ``dense_units``, ``seed``, ``gradients`` and
    ``bn_momentum`` are its.

    >>> import numpy as np
    >>> digits_net(filters=4, dense_units=8).predict(np.zeros((2, 8, 8, 1), np.uint8)).shape
    (2, 10)
    """
    layers = [
        BinaryConv2D(filters, 3, padding="valid"),
        BatchNorm(momentum=bn_momentum),
        *_convolution(2 * filters, bn_momentum, pool=True),
        Sign(),
        Flatten(),
        *_dense_layers(dense_units, classes, momentum=bn_momentum),
    ]
    return Sequential(layers, input_shape, seed=seed, name="digits", gradients=gradients)


def _convolution(filters, momentum, pool=False):
    return [
        Sign(),
        BinaryConv2D(filters, 3, padding="same"),
        *([MaxPool2D(2)] if pool else []),
        BatchNorm(momentum=momentum),
    ]


def _dense_layers(*units, momentum):
    """Dense layers on signs with signs between them; the last normalisation gives the logits."""
    layers = []
    for k, width in enumerate(units):
        layers += [Sign()] * (k > 0) + [BinaryDense(width), BatchNorm(momentum=momentum)]
    return layers
