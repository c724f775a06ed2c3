"""Bi-Real Net, of section 5.3."""

from minibnn.nn import (
    AvgPool2D,
    BatchNorm,
    BinaryConv2D,
    Conv2D,
    Dense,
    GlobalAvgPool2D,
    MaxPool2D,
    Residual,
    Sequential,
    Sign,
)

STAGES = 4  # of images half as wide and kernels twice as wide each
BLOCKS = 4  # binary convolutions of a stage


def birealnet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=64,
    seed=0,
    kernel_quantizer="ste_sign",
    gradients="float32",
):
    """The 18-layer Bi-Real Net of the paper's code (``bnn_optimization/models/birealnet.py``).

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

    After Liu et al. (arXiv 1808.00278). Departure: kernels are signs from the start, where the
    authors' are real until the first step signs them.
    """
    layers = [
        _real_convolution(filters, 7, strides=2),
        _batch_norm(),
        MaxPool2D(3, strides=2, padding="same"),
    ]
    for stage in range(STAGES):
        width = filters * 2**stage
        for block in range(BLOCKS):
            layers.append(_block(width, stage > 0 and block == 0, kernel_quantizer))
    layers += [GlobalAvgPool2D(), Dense(classes)]
    name = "birealnet" if kernel_quantizer == "ste_sign" else "birealnet_magnitude"
    return Sequential(layers, input_shape, seed=seed, name=name, gradients=gradients)


def birealnet_magnitude(
    input_shape=(224, 224, 3), classes=1000, filters=64, seed=0, gradients="float32"
):
    """``birealnet`` with ``kernel_quantizer="magnitude_aware_sign"``: for latent optimizers.

    ``input_shape``, ``classes``, ``filters``, ``seed`` and ``gradients`` are its.
    """
    return birealnet(input_shape, classes, filters, seed, "magnitude_aware_sign", gradients)


def _block(filters, halves, kernel_quantizer):
    """One binary convolution and its shortcut; ``halves`` height and width."""
    strides = 2 if halves else 1
    body = [
        Sign("approx_sign"),
        BinaryConv2D(filters, 3, strides, kernel_quantizer=kernel_quantizer),
        _batch_norm(),
    ]
    shortcut = [
        AvgPool2D(2, strides=2, padding="same"),
        _real_convolution(filters, 1),
        _batch_norm(),
    ]
    return Residual(body, shortcut if halves else None)


def _real_convolution(filters, size, strides=1):
    return Conv2D(
        filters, size, strides, "same", use_bias=False, kernel_initializer="glorot_normal"
    )


def _batch_norm():
    return BatchNorm(scale=True, momentum=0.8)
