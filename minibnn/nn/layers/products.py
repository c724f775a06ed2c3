"""Layers with a kernel: the binary ones, which hold nothing but signs, and their real twins."""

import math

import numpy as np

from minibnn.errors import InputError
from minibnn.nn.layers.layer import Layer, expect_axes, floats, numbers, operand, positive
from minibnn.nn.parameter import Parameter
from minibnn.nn.quantizers import KERNEL_QUANTIZERS, check_kernel_quantizer
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.initial import INITIALIZERS
from minibnn.ops.shapes import check_padding, pair, windows


class _Binary(Layer):
    """What layers with a binary kernel share: the kernel, and the scale of its outputs, if any."""

    takes_fixed = True

    def quantize(self, kernel_quantizer):
        self.kernel_quantizer = check_kernel_quantizer(kernel_quantizer)
        self.kernel = None

    def config(self):
        """Without the quantizer where it is the usual one, as when there was no other."""
        config = super().config()
        if self.kernel_quantizer == "ste_sign":
            del config["kernel_quantizer"]
        return config

    def arrays(self, input_shape):
        shape = self.kernel_shape(input_shape)
        own = {"kernel": (np.int8, shape)}
        if KERNEL_QUANTIZERS[self.kernel_quantizer] is not None:
            own["scale"] = np.float32, shape[-1:]
        return own

    def build(self, input_shape, rng):
        shape = self.kernel_shape(input_shape)
        magnitude = KERNEL_QUANTIZERS[self.kernel_quantizer]
        self.kernel = Parameter(f"{self.name}/kernel", random_signs(shape, rng), True, magnitude)

    def parameters(self):
        return [self.kernel]

    def state(self):
        return {} if self.kernel.scale is None else {"scale": self.kernel.scale.copy()}

    def load_state(self, arrays):
        if self.kernel.scale is not None:
            self.kernel.scale[...] = arrays["scale"]

    def same_everywhere(self, exact):
        return exact and self.kernel.scale is None  # a scale is a mean of floats

    def scaled(self, y):
        """y, or dL/dy on the way back, times the scale."""
        if self.kernel.scale is None:
            return y
        return ops.scale_channels(numbers(y), self.kernel.scale)

    def rounded(self, dy):
        """dL/dy of the sums: with integer gradients rounded to them, once.

        Parameters
        ----------
        dy : float array or Fixed

        Returns
        -------
        float array or Fixed
        """
        dy = self.scaled(dy)
        return ops.to_fixed(dy, self.gradient_bits, self.across) if self.gradient_bits else dy

    @property
    def whole_sums(self):
        """Arguments for a kernel's gradient as exact sums, where several ranks add them up."""
        return {"fixed": True} if self.gradient_bits and self.across else {}


class BinaryDense(_Binary):
    """y = x @ w [* scale] with w in {-1, +1}; no bias, batch normalisation follows.

    x (B, I) Signs, or bytes or floats as a first layer; y (B, units), whole numbers for Signs
    unless there is a scale.

    Parameters
    ----------
    units : int
    kernel_quantizer : "ste_sign" or "magnitude_aware_sign"
        The latter multiplies each output by the mean magnitude of its latent weights (see
        ``minibnn.nn.quantizers``).
    """

    prefix = "dense"
    arguments = ("units", "kernel_quantizer")

    def __init__(self, units, kernel_quantizer="ste_sign"):
        self.units = positive(units, "units")
        self.quantize(kernel_quantizer)

    def kernel_shape(self, input_shape):
        """(inputs, units); InputError unless the inputs are vectors.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        tuple of int
        """
        expect_axes(self, input_shape, 1)
        return (*input_shape, self.units)

    def forward(self, x, training=False):
        self.x = x = operand(x)
        fixed = training and bool(self.gradient_bits)
        return self.scaled(ops.binary_dense(x, self.kernel.signs, fixed))

    def backward(self, dy, need_dx=True):
        dy = self.rounded(dy)
        self.kernel.grad = ops.binary_dense_grad_kernel(self.x, dy, **self.whole_sums)
        return ops.binary_dense_grad_input(dy, self.kernel.signs_t) if need_dx else None

    def output_shape(self, input_shape):
        return (self.units,)

    def macs(self, input_shape):
        return math.prod(input_shape) * self.units


class _Real(Layer):
    """What layers with a real kernel share: its start, the bias, and the penalty on its squares."""

    def settle(self, use_bias, kernel_initializer, l2):
        self.use_bias = bool(use_bias)
        if not isinstance(kernel_initializer, str) or kernel_initializer not in INITIALIZERS:
            raise InputError(
                f"kernel_initializer must be one of {', '.join(INITIALIZERS)}, "
                f"found {kernel_initializer!r}"
            )
        self.kernel_initializer = kernel_initializer
        self.l2 = _not_negative(l2, "l2")
        self.kernel = self.bias = None

    def arrays(self, input_shape):
        shape = self.kernel_shape(input_shape)
        own = {"kernel": (np.float32, shape)}
        if self.use_bias:
            own["bias"] = np.float32, shape[-1:]
        return own

    def build(self, input_shape, rng):
        shape = self.kernel_shape(input_shape)
        kernel = INITIALIZERS[self.kernel_initializer](shape, rng)
        self.kernel = Parameter(f"{self.name}/kernel", kernel)
        self.bias = Parameter(f"{self.name}/bias", np.zeros(shape[-1]))

    def parameters(self):
        return [self.kernel, self.bias] if self.use_bias else [self.kernel]

    def same_everywhere(self, exact):
        return False  # BLAS

    def biased(self, y):
        return y + self.bias.value if self.use_bias else y

    def penalty(self):
        if not self.l2:
            return 0.0
        return self.l2 * float(np.square(self.kernel.value, dtype=np.float64).sum())

    def keep_gradients(self, dw, dy):
        """Those of the loss, and of the penalty: 2 l2 w."""
        if self.l2:
            dw += dw.dtype.type(2 * self.l2) * self.kernel.value
        self.kernel.grad = dw
        self.bias.grad = dy.sum(axis=tuple(range(dy.ndim - 1))) if self.use_bias else None


class Dense(_Real):
    """y = x @ w + bias in floats; x (B, I), y (B, units).

    Parameters
    ----------
    units : int
    use_bias : bool
    kernel_initializer : "glorot_uniform" or "glorot_normal"
    l2 : float
        As in ``Conv2D``.
    """

    prefix = "dense"
    arguments = ("units", "use_bias", "kernel_initializer", "l2")

    def __init__(self, units, use_bias=True, kernel_initializer="glorot_uniform", l2=0.0):
        self.units = positive(units, "units")
        self.settle(use_bias, kernel_initializer, l2)

    def kernel_shape(self, input_shape):
        """(inputs, units); InputError unless the inputs are vectors.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        tuple of int
        """
        expect_axes(self, input_shape, 1)
        return (*input_shape, self.units)

    def forward(self, x, training=False):
        self.x = x = real_operand(x)
        return self.biased(ops.dense(x, self.kernel.value))

    def backward(self, dy, need_dx=True):
        self.keep_gradients(ops.dense_grad_kernel(self.x, dy), dy)
        return ops.dense_grad_input(dy, self.kernel.value) if need_dx else None

    def output_shape(self, input_shape):
        return (self.units,)

    def macs(self, input_shape):
        return math.prod(input_shape) * self.units


class _Convolution(Layer):
    """Geometry of both convolutions; arguments are named as in Keras."""

    prefix = "conv"

    def __init__(self, filters, kernel_size, strides, padding):
        self.filters = positive(filters, "filters")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.strides = pair(strides, "strides")
        self.padding = check_padding(padding)
        self.kernel = None

    def kernel_shape(self, input_shape):
        expect_axes(self, input_shape, 3)
        return (*self.kernel_size, input_shape[2], self.filters)

    def output_shape(self, input_shape):
        place = windows(tuple(input_shape[:2]), self.kernel_size, self.strides, self.padding)
        return (*place.output, self.filters)

    def macs(self, input_shape):
        return math.prod(self.output_shape(input_shape)) * math.prod(
            (*self.kernel_size, input_shape[2])
        )


class BinaryConv2D(_Convolution, _Binary):
    """Convolution with a kernel in {-1, +1}; no bias, batch normalisation follows.

    x NHWC Signs, or bytes or floats as a first layer.

    Parameters
    ----------
    filters : int
    kernel_size, strides : int or (int, int)
        Rows and columns.
    padding : "same" or "valid"
    pad_value : 0 or 1
        ``same`` pads with 0, which is no sign: it adds nothing to the sum (Larq's default); or
        with +1.
    kernel_quantizer : str
        As in ``BinaryDense``.

    Examples
    --------
    >>> from minibnn import nn
    >>> net = nn.Sequential([nn.Sign(), nn.BinaryConv2D(4, 3)], (8, 8, 2))
    >>> net.forward(np.ones((1, 8, 8, 2), np.float32)).dtype  # sums of signs
    dtype('int16')
    """

    arguments = (
        "filters", "kernel_size", "strides", "padding", "pad_value", "kernel_quantizer",
    )  # fmt: skip

    def __init__(
        self, filters, kernel_size, strides=1, padding="same", pad_value=0,
        kernel_quantizer="ste_sign",
    ):  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding)
        self.quantize(kernel_quantizer)
        if pad_value not in (0, 1):
            raise InputError(f"pad_value must be 0 or 1, found {pad_value!r}")
        self.pad_value = int(pad_value)

    def forward(self, x, training=False):
        self.x = x = operand(x)
        fixed = training and bool(self.gradient_bits)
        place = self.strides, self.padding, self.pad_value
        return self.scaled(ops.binary_conv2d(x, self.kernel.signs, *place, fixed))

    def backward(self, dy, need_dx=True):
        dy, place = self.rounded(dy), (self.strides, self.padding, self.pad_value)
        self.kernel.grad = ops.binary_conv2d_grad_kernel(
            self.x, dy, self.kernel_size, *place, **self.whole_sums
        )
        if not need_dx:
            return None
        return ops.binary_conv2d_grad_input(
            dy, self.kernel.signs_t, self.x.shape, self.strides, self.padding
        )


class Conv2D(_Convolution, _Real):
    """Convolution in floats, NHWC; ``same`` pads with 0.

    Parameters
    ----------
    filters : int
    kernel_size, strides : int or (int, int)
        Rows and columns.
    padding : "valid" or "same"
    use_bias : bool
    kernel_initializer : "glorot_uniform" or "glorot_normal"
    l2 : float
        Adds l2 * sum(kernel^2) to the loss, as ``tf.keras.regularizers.l2`` does: ``backward``
        adds its gradient 2 l2 kernel, and the network's ``penalty()`` is what training adds to
        the loss that it reports.
    """

    arguments = (
        "filters", "kernel_size", "strides", "padding", "use_bias", "kernel_initializer", "l2",
    )  # fmt: skip

    def __init__(
        self, filters, kernel_size, strides=1, padding="valid", use_bias=True,
        kernel_initializer="glorot_uniform", l2=0.0,
    ):  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding)
        self.settle(use_bias, kernel_initializer, l2)

    def forward(self, x, training=False):
        self.x = x = real_operand(x)
        return self.biased(ops.conv2d(x, self.kernel.value, self.strides, self.padding))

    def backward(self, dy, need_dx=True):
        place = self.strides, self.padding
        dw = ops.conv2d_grad_kernel(self.x, dy, self.kernel_size, *place)
        self.keep_gradients(dw, dy)
        if not need_dx:
            return None
        return ops.conv2d_grad_input(dy, self.kernel.value, self.x.shape, *place)


def real_operand(x):
    return floats(x) if isinstance(x, Signs) else operand(x)


def random_signs(shape, rng):
    """±1 with equal chances: the signs of any symmetric start."""
    return 1 - 2 * rng.integers(0, 2, shape, dtype=np.int8)


def _not_negative(value, name):
    if isinstance(value, (int, float)) and 0 <= value < math.inf:
        return float(value)
    raise InputError(f"{name} must be a number from 0 on, found {value!r}")
