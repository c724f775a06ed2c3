"""The networks of the paper's code (``bnn_optimization/models``), and a small one for quick runs.

``classes`` is the number of outputs. Departure: kernels are signs from the start, where the
authors' are real until the first step signs them.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

from minibnn import nn
from minibnn.errors import InputError, integer

PENALTY = 5e-7  # of XNOR-Net, on the squares of its two real kernels
STAGES = 4  # of Bi-Real Net: of images half as wide and kernels twice as wide each
BLOCKS = 4  # binary convolutions of a stage


def binarynet(
    input_shape=(32, 32, 3), classes=10, filters=128, dense_units=1024, bn_momentum=0.99, **options
):
    """The BinaryNet of section 5.2 (``binarynet.py``).

    Six 3x3 convolutions (``filters`` f, f, pool, 2f, 2f, pool, 4f, 4f, pool) and three dense layers
    of ``dense_units`` and ``classes``, no biases; the first convolution sees real images and has no
    padding. Max pooling comes before batch normalisation, which has no scale, stands after every
    layer, the last one included, and keeps Keras' constants (momentum 0.99, epsilon 0.001);
    ``bn_momentum`` is another momentum, of all of them. ``input_shape`` and ``options`` (``seed``,
    ``gradients``) are those of ``Sequential``. Courbariaux' own net also pads the first
    convolution. Departure: moving variances are unbiased behind dense layers too.
    """
    f, norm = filters, {"momentum": bn_momentum}
    layers = [
        *_binary(f, 3, padding="valid", **norm)[1:],
        *_binary(f, 3, pool=(2,), **norm),
        *_binary(2 * f, 3, **norm),
        *_binary(2 * f, 3, pool=(2,), **norm),
        *_binary(4 * f, 3, **norm),
        *_binary(4 * f, 3, pool=(2,), **norm),
        *_dense_layers(dense_units, dense_units, classes, **norm),
    ]
    return nn.Sequential(layers, input_shape, name="binarynet", **options)


def digits_net(
    input_shape=(8, 8, 1), classes=10, filters=64, dense_units=256, bn_momentum=0.99, **options
):
    """A small sibling of ``binarynet`` for 8x8 images: f, 2f, pool, and two dense layers.

    ``input_shape``, ``classes``, ``filters``, ``dense_units``, ``bn_momentum`` and ``options`` are
    its.

    >>> import numpy as np
    >>> digits_net(filters=4, dense_units=8).predict(np.zeros((2, 8, 8, 1), np.uint8)).shape
    (2, 10)
    """
    layers = [
        *_binary(filters, 3, padding="valid", momentum=bn_momentum)[1:],
        *_binary(2 * filters, 3, pool=(2,), momentum=bn_momentum),
        *_dense_layers(dense_units, classes, momentum=bn_momentum),
    ]
    return nn.Sequential(layers, input_shape, name="digits", **options)


def _binary(filters, size, strides=1, padding="same", pool=(), quantizer="ste_sign", **norm):
    """Sign, binary convolution, max pooling of ``pool`` (size, strides), batch normalisation."""
    convolution = nn.BinaryConv2D(filters, size, strides, padding, kernel_quantizer=quantizer)
    pooling = [nn.MaxPool2D(*pool)] if pool else []
    return [nn.Sign(), convolution, *pooling, nn.BatchNorm(**norm)]


def _dense_layers(*units, **norm):
    """Binary dense layers on signs; the last batch normalisation gives the logits."""
    first, *others = [[nn.Sign(), nn.BinaryDense(n), nn.BatchNorm(**norm)] for n in units]
    return [nn.Sign(), nn.Flatten(), *first[1:], *chain(*others)]


def binary_alexnet(
    input_shape=(224, 224, 3), classes=1000, filters=64, dense_units=4096, **options
):
    """The Binary AlexNet of section 5.3 (``binary_alexnet.py``), after Hubara et al. (NIPS 2016).

    Five convolutions (11x11 with stride 4, 5x5, three of 3x3; ``filters`` f, 3f, 6f, 6f, 4f), all
    of them padded, and three dense layers of ``dense_units`` and ``classes``. Every kernel is
    binary, the first and the last too; the first convolution sees the image itself. Max pooling
    (3x3, stride 2, no padding) stands behind the first, second and fifth convolution, before batch
    normalisation, which follows every layer, the last one included, has a scale, momentum 0.9 and
    Keras' epsilon of 0.001. No biases. ``input_shape`` and ``options`` are as in ``binarynet``.
    """
    f, norm = filters, {"scale": True, "momentum": 0.9}
    layers = [
        *_binary(f, 11, strides=4, pool=(3, 2), **norm)[1:],
        *_binary(3 * f, 5, pool=(3, 2), **norm),
        *_binary(6 * f, 3, **norm),
        *_binary(6 * f, 3, **norm),
        *_binary(4 * f, 3, pool=(3, 2), **norm),
        *_dense_layers(dense_units, dense_units, classes, **norm),
    ]
    return nn.Sequential(layers, input_shape, name="binary_alexnet", **options)


def xnornet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=96,
    dense_units=4096,
    kernel_quantizer="ste_sign",
    **options,
):
    """The XNOR-Net of section 5.3 (``xnor.py``), after Rastegari et al. (arXiv 1603.05279).

    An AlexNet whose first convolution (11x11, stride 4, f ``filters``) and last dense layer are
    real, have an L2 penalty of 5e-7 and no bias. Between them are binary convolutions: 5x5 with 8/3
    f filters, 3x3 with 4f, 4f and 8/3 f, then 6x6 without padding and 1x1 with ``dense_units``,
    which are dense layers for an image of 224x224. Max pooling (3x3, stride 2, no padding) behind
    the first, second and fifth convolution; ReLU behind the first and before the last layer. Batch
    normalisation has a scale, momentum 0.9 and an epsilon of 1e-4, but for the first (1e-5) and
    last (1e-3). ``input_shape``, ``classes`` and ``options`` are as in ``binarynet``; ``filters``
    must be a multiple of 3.

    The paper's code leaves the factors for the outputs of binary kernels out, as Bop has no
    magnitudes. The ``kernel_quantizer`` "magnitude_aware_sign" puts them back, for latent
    optimizers.
    """
    if integer(filters, "filters", 1) % 3:
        raise InputError(f"filters of xnornet must be a multiple of 3, found {filters}")
    f, norm = filters // 3, {"scale": True, "momentum": 0.9}
    how = {"quantizer": kernel_quantizer, "epsilon": 1e-4, **norm}
    layers = [
        nn.Conv2D(3 * f, 11, strides=4, padding="same", use_bias=False, l2=PENALTY),
        nn.BatchNorm(epsilon=1e-5, **norm),
        nn.ReLU(),
        nn.MaxPool2D(3, strides=2),
        nn.BatchNorm(epsilon=1e-4, **norm),
        *_binary(8 * f, 5, pool=(3, 2), **how),
        *_binary(12 * f, 3, **how),
        *_binary(12 * f, 3, **how),
        *_binary(8 * f, 3, pool=(3, 2), **how),
        *_binary(dense_units, 6, padding="valid", **how),
        *_binary(dense_units, 1, padding="valid", **how | {"epsilon": 1e-3}),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dense(classes, use_bias=False, l2=PENALTY),
    ]
    return nn.Sequential(layers, input_shape, name="xnornet", **options)


def birealnet(
    input_shape=(224, 224, 3), classes=1000, filters=64, kernel_quantizer="ste_sign", **options
):
    """The Bi-Real Net of section 5.3 (``birealnet.py``), after Liu et al. (arXiv 1808.00278).

    A real 7x7 convolution with stride 2 and f ``filters``, batch normalisation and max pooling
    (3x3, stride 2, padded); four stages of four binary 3x3 convolutions with f, 2f, 4f and 8f
    filters, each with its own shortcut around sign, convolution and batch normalisation; the mean
    over the image and a real dense layer with bias. Where a stage begins with twice the filters,
    its convolution has stride 2 and the shortcut is real: means of 2x2, a 1x1 convolution and batch
    normalisation. The real path through the shortcuts has no other activation. Signs learn by the
    triangle ``approx_sign``; batch normalisation has a scale, momentum 0.8 and Keras' epsilon of
    0.001; real convolutions start with ``glorot_normal`` and have no bias. ``input_shape``,
    ``classes`` and ``options`` are as in ``binarynet``.

    Bop trains the network as it is. The latent baseline takes the ``kernel_quantizer``
    "magnitude_aware_sign": the outputs of each kernel are multiplied by the mean magnitude of its
    latent weights, which the latent optimizer keeps up to date.
    """
    norm = {"scale": True, "momentum": 0.8}

    def real(filters, size, strides=1):
        start = "glorot_normal"
        return nn.Conv2D(filters, size, strides, "same", use_bias=False, kernel_initializer=start)

    def block(filters, halves):
        """One binary convolution and its shortcut; ``halves`` height and width."""
        strides = 2 if halves else 1
        body = _binary(filters, 3, strides, quantizer=kernel_quantizer, **norm)
        shortcut = [nn.AvgPool2D(2, 2, "same"), real(filters, 1), nn.BatchNorm(**norm)]
        return nn.Residual([nn.Sign("approx_sign"), *body[1:]], shortcut if halves else None)

    layers = [real(filters, 7, strides=2), nn.BatchNorm(**norm), nn.MaxPool2D(3, 2, "same")]
    for stage in range(STAGES):
        for number in range(BLOCKS):
            layers.append(block(filters * 2**stage, stage > 0 and number == 0))
    layers += [nn.GlobalAvgPool2D(), nn.Dense(classes)]
    name = "birealnet" if kernel_quantizer == "ste_sign" else "birealnet_magnitude"
    return nn.Sequential(layers, input_shape, name=name, **options)


def birealnet_magnitude(input_shape=(224, 224, 3), classes=1000, filters=64, **options):
    """``birealnet`` with ``kernel_quantizer="magnitude_aware_sign"``: for latent optimizers.

    ``input_shape``, ``classes``, ``filters`` and ``options`` are its.
    """
    return birealnet(input_shape, classes, filters, "magnitude_aware_sign", **options)


MODELS: dict[str, Callable[..., Any]] = {
    "binarynet": binarynet,
    "digits": digits_net,
    "binary_alexnet": binary_alexnet,
    "xnornet": xnornet,
    "birealnet": birealnet,
    "birealnet_magnitude": birealnet_magnitude,
}
