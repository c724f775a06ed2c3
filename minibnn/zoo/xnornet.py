"""XNOR-Net, of section 5.3."""

from minibnn.errors import InputError
from minibnn.nn import (
    BatchNorm,
    BinaryConv2D,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Sequential,
    Sign,
)

PENALTY = 5e-7  # on the squares of the two real kernels


def xnornet(
    input_shape=(224, 224, 3),
    classes=1000,
    filters=96,
    dense_units=4096,
    seed=0,
    kernel_quantizer="ste_sign",
    gradients="float32",
):
    """The XNOR-Net of the paper's code (``bnn_optimization/models/xnor.py``).

    An AlexNet whose first convolution (11x11, stride 4, f ``filters``) and last dense layer are
    real, have an L2 penalty of 5e-7 and no bias. Between them are binary convolutions: 5x5 with 8/3
    f filters, 3x3 with 4f, 4f and 8/3 f, then 6x6 without padding and 1x1 with ``dense_units``,
    which are dense layers for an image of 224x224. Max pooling (3x3, stride 2, no padding) behind
    the first, second and fifth convolution; ReLU behind the first and before the last layer. Batch
    normalisation has a scale, momentum 0.9 and an epsilon of 1e-4, but for the first (1e-5) and
    last (1e-3). ``input_shape``, ``seed`` and ``gradients`` are as in ``Sequential``, ``classes``
    is the number of outputs; InputError for filters that are no multiple of 3.

    The ``kernel_quantizer`` "magnitude_aware_sign" puts the factors for the outputs of binary
    kernels back, for latent optimizers. After Rastegari et al. (arXiv 1603.05279), whose factors
    for the outputs of binary kernels the paper's code leaves out, as Bop has no magnitudes.
    Departure: kernels are signs from the start, where the authors' are real until the first step
    signs them.
    """
    if filters % 3:
        raise InputError(f"filters of xnornet must be a multiple of 3, found {filters}")
    f = filters // 3

    def binary(filters, size, padding="same"):
        return [Sign(), BinaryConv2D(filters, size, 1, padding, 0, kernel_quantizer)]

    layers = [
        Conv2D(3 * f, 11, strides=4, padding="same", use_bias=False, l2=PENALTY),
        _batch_norm(1e-5),
        ReLU(),
        MaxPool2D(3, strides=2),
        _batch_norm(),
        *binary(8 * f, 5),
        MaxPool2D(3, strides=2),
        _batch_norm(),
        *binary(12 * f, 3),
        _batch_norm(),
        *binary(12 * f, 3),
        _batch_norm(),
        *binary(8 * f, 3),
        MaxPool2D(3, strides=2),
        _batch_norm(),
        *binary(dense_units, 6, "valid"),
        _batch_norm(),
        *binary(dense_units, 1, "valid"),
        _batch_norm(1e-3),
        ReLU(),
        Flatten(),
        Dense(classes, use_bias=False, l2=PENALTY),
    ]
    return Sequential(layers, input_shape, seed=seed, name="xnornet", gradients=gradients)


def _batch_norm(epsilon=1e-4):
    return BatchNorm(scale=True, momentum=0.9, epsilon=epsilon)
