"""The networks of the paper's code (``bnn_optimization/models``), and a small one for quick runs.

``input_shape``, ``seed`` and ``gradients`` are as in ``Sequential``; ``classes`` is the number of
outputs. Departure: kernels are signs from the start, where the authors' are real until the first
step signs them.
"""

from collections.abc import Callable
from typing import Any

from minibnn import nn
from minibnn.errors import InputError

PENALTY = 5e-7  # of XNOR-Net, on the squares of its two real kernels
STAGES = 4  # of Bi-Real Net: of images half as wide and kernels twice as wide each
BLOCKS = 4  # binary convolutions of a stage


def binarynet(
    input_shape=(32, 32, 3),
    classes=10,
    filters=128,
    dense_units=1024,
    seed=0,
    gradients="float32",
    bn_momentum=0.99,
):
    """The BinaryNet of section 5.2 (``binarynet.py``).

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
        nn.BinaryConv2D(f, 3, padding="valid"),
        nn.BatchNorm(momentum=m),
        *_signs_and_convolution(f, m, pool=True),
        *_signs_and_convolution(2 * f, m),
        *_signs_and_convolution(2 * f, m, pool=True),
        *_signs_and_convolution(4 * f, m),
        *_signs_and_convolution(4 * f, m, pool=True),
        nn.Sign(),
        nn.Flatten(),
        *_dense_layers(dense_units, dense_units, classes, momentum=m),
    ]
    return nn.Sequential(layers, input_shape, seed=seed, name="binarynet", gradients=gradients)


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
        nn.BinaryConv2D(filters, 3, padding="valid"),
        nn.BatchNorm(momentum=bn_momentum),
        *_signs_and_convolution(2 * filters, bn_momentum, pool=True),
        nn.Sign(),
        nn.Flatten(),
        *_dense_layers(dense_units, classes, momentum=bn_momentum),
    ]
    return nn.Sequential(layers, input_shape, seed=seed, name="digits", gradients=gradients)


def _signs_and_convolution(filters, momentum, pool=False):
    convolution = nn.BinaryConv2D(filters, 3, padding="same")
    return [nn.Sign(), convolution, *[nn.MaxPool2D(2)] * pool, nn.BatchNorm(momentum=momentum)]


def _dense_layers(*units, momentum=0.9, scale=False):
    """Dense layers on signs with signs between them; the last normalisation gives the logits."""
    layers = []
    for width in units:
        layers += [nn.Sign(), nn.BinaryDense(width), nn.BatchNorm(scale=scale, momentum=momentum)]
    return layers[1:]


def binary_alexnet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=64,
    dense_units=4096,
    seed=0,
    gradients="float32",
):
    """The Binary AlexNet of section 5.3 (``binary_alexnet.py``), after Hubara et al. (NIPS 2016).

    Five convolutions (11x11 with stride 4, 5x5, three of 3x3; ``filters`` f, 3f, 6f, 6f, 4f), all
    of them padded, and three dense layers of ``dense_units`` and ``classes``. Every kernel is
    binary, the first and the last too; the first convolution sees the image itself. Max pooling
    (3x3, stride 2, no padding) stands behind the first, second and fifth convolution, before batch
    normalisation, which follows every layer, the last one included, has a scale, momentum 0.9 and
    Keras' epsilon of 0.001. No biases. ``input_shape``, ``seed`` and ``gradients`` are as in
    ``Sequential``.
    """
    f = filters

    def convolution(filters, size, strides=1, pool=False):
        layers = [nn.BinaryConv2D(filters, size, strides, "same")]
        layers += [nn.MaxPool2D(3, strides=2)] * pool
        return [*layers, nn.BatchNorm(scale=True, momentum=0.9), nn.Sign()]

    layers = [
        *convolution(f, 11, strides=4, pool=True),
        *convolution(3 * f, 5, pool=True),
        *convolution(6 * f, 3),
        *convolution(6 * f, 3),
        *convolution(4 * f, 3, pool=True),
        nn.Flatten(),
        *_dense_layers(dense_units, dense_units, classes, scale=True),
    ]
    name = "binary_alexnet"
    return nn.Sequential(layers, input_shape, seed=seed, name=name, gradients=gradients)


def xnornet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=96,
    dense_units=4096,
    seed=0,
    kernel_quantizer="ste_sign",
    gradients="float32",
):
    """The XNOR-Net of section 5.3 (``xnor.py``), after Rastegari et al. (arXiv 1603.05279).

    An AlexNet whose first convolution (11x11, stride 4, f ``filters``) and last dense layer are
    real, have an L2 penalty of 5e-7 and no bias. Between them are binary convolutions: 5x5 with 8/3
    f filters, 3x3 with 4f, 4f and 8/3 f, then 6x6 without padding and 1x1 with ``dense_units``,
    which are dense layers for an image of 224x224. Max pooling (3x3, stride 2, no padding) behind
    the first, second and fifth convolution; ReLU behind the first and before the last layer. Batch
    normalisation has a scale, momentum 0.9 and an epsilon of 1e-4, but for the first (1e-5) and
    last (1e-3). ``input_shape``, ``seed`` and ``gradients`` are as in ``Sequential``, ``classes``
    is the number of outputs; InputError for filters that are no multiple of 3.

    The paper's code leaves the factors for the outputs of binary kernels out, as Bop has no
    magnitudes. The ``kernel_quantizer`` "magnitude_aware_sign" puts them back, for latent
    optimizers.
    """
    if filters % 3:
        raise InputError(f"filters of xnornet must be a multiple of 3, found {filters}")
    f = filters // 3

    def batch_norm(epsilon=1e-4):
        return nn.BatchNorm(scale=True, momentum=0.9, epsilon=epsilon)

    def binary(filters, size, padding="same"):
        return [nn.Sign(), nn.BinaryConv2D(filters, size, 1, padding, 0, kernel_quantizer)]

    layers = [
        nn.Conv2D(3 * f, 11, strides=4, padding="same", use_bias=False, l2=PENALTY),
        batch_norm(1e-5),
        nn.ReLU(),
        nn.MaxPool2D(3, strides=2),
        batch_norm(),
        *binary(8 * f, 5),
        nn.MaxPool2D(3, strides=2),
        batch_norm(),
        *binary(12 * f, 3),
        batch_norm(),
        *binary(12 * f, 3),
        batch_norm(),
        *binary(8 * f, 3),
        nn.MaxPool2D(3, strides=2),
        batch_norm(),
        *binary(dense_units, 6, "valid"),
        batch_norm(),
        *binary(dense_units, 1, "valid"),
        batch_norm(1e-3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dense(classes, use_bias=False, l2=PENALTY),
    ]
    return nn.Sequential(layers, input_shape, seed=seed, name="xnornet", gradients=gradients)


def birealnet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=64,
    seed=0,
    kernel_quantizer="ste_sign",
    gradients="float32",
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
    ``seed`` and ``gradients`` are as in ``Sequential``, ``classes`` is the number of outputs.

    Bop trains the network as it is. The latent baseline takes the ``kernel_quantizer``
    "magnitude_aware_sign": the outputs of each kernel are multiplied by the mean magnitude of its
    latent weights, which the latent optimizer keeps up to date.
    """

    def batch_norm():
        return nn.BatchNorm(scale=True, momentum=0.8)

    def real(filters, size, strides=1):
        start = "glorot_normal"
        return nn.Conv2D(filters, size, strides, "same", use_bias=False, kernel_initializer=start)

    def block(filters, halves):
        """One binary convolution and its shortcut; ``halves`` height and width."""
        size, strides = 3, 2 if halves else 1
        binary = nn.BinaryConv2D(filters, size, strides, kernel_quantizer=kernel_quantizer)
        shortcut = [nn.AvgPool2D(2, strides=2, padding="same"), real(filters, 1), batch_norm()]
        body = [nn.Sign("approx_sign"), binary, batch_norm()]
        return nn.Residual(body, shortcut if halves else None)

    layers = [real(filters, 7, strides=2), batch_norm(), nn.MaxPool2D(3, 2, "same")]
    for stage in range(STAGES):
        for number in range(BLOCKS):
            layers.append(block(filters * 2**stage, stage > 0 and number == 0))
    layers += [nn.GlobalAvgPool2D(), nn.Dense(classes)]
    name = "birealnet" if kernel_quantizer == "ste_sign" else "birealnet_magnitude"
    return nn.Sequential(layers, input_shape, seed=seed, name=name, gradients=gradients)


def birealnet_magnitude(
    input_shape=(224, 224, 3), classes=1000, filters=64, seed=0, gradients="float32"
):
    """``birealnet`` with ``kernel_quantizer="magnitude_aware_sign"``: for latent optimizers.

    ``input_shape``, ``classes``, ``filters``, ``seed`` and ``gradients`` are its.
    """
    return birealnet(input_shape, classes, filters, seed, "magnitude_aware_sign", gradients)


MODELS: dict[str, Callable[..., Any]] = {
    "binarynet": binarynet,
    "digits": digits_net,
    "binary_alexnet": binary_alexnet,
    "xnornet": xnornet,
    "birealnet": birealnet,
    "birealnet_magnitude": birealnet_magnitude,
}
