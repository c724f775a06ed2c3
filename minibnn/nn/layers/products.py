"""Layers with a kernel: the binary ones, which hold nothing but signs, and their real twins."""

import math
from operator import attrgetter

import numpy as np

from minibnn.errors import InputError, integer, number, one_of
from minibnn.nn.layers.layer import Layer, Parameter, _Windowed, as_array, expect_axes, operand
from minibnn.nn.quantizers import KERNEL_QUANTIZERS
from minibnn.ops.backend import ops
from minibnn.ops.fixed import Fixed
from minibnn.ops.initial import INITIALIZERS


class _Product(Layer):
    """What layers with a kernel share; ``kernel_shape`` is that for inputs of a shape."""

    def arrays(self, input_shape):
        shape = self.kernel_shape(input_shape)
        own = {"kernel": (self.kernel_type, shape)}
        return own | dict.fromkeys(self.per_output(), (np.float32, shape[-1:]))

    def macs(self, input_shape):
        pixels = math.prod(self.output_shape(input_shape)[:-1])
        return pixels * math.prod(self.kernel_shape(input_shape))


class _Dense(_Product):
    """Shapes of both dense layers."""

    prefix = "dense"

    def kernel_shape(self, input_shape):
        expect_axes(self, input_shape, 1)
        return (*input_shape, self.units)

    def output_shape(self, input_shape):
        return (self.units,)


class _Convolution(_Product, _Windowed):
    """Shapes of both convolutions."""

    prefix = "conv"

    def __init__(self, filters, kernel_size, strides, padding):
        super().__init__(kernel_size, "kernel_size", strides, padding)
        self.filters, self.kernel_size = integer(filters, "filters", 1), self.window
        self.geometry = self.strides, self.padding

    def kernel_shape(self, input_shape):
        expect_axes(self, input_shape, 3)
        return (*self.kernel_size, input_shape[2], self.filters)  # HWIO

    def output_shape(self, input_shape):
        return (*super().output_shape(input_shape)[:2], self.filters)


class _Binary:
    """A kernel of signs, and the scale of its outputs, if any."""

    takes_fixed = True
    centred = False  # of integer gradients, see Sequential.gradients
    kernel_type = np.int8

    def per_output(self):
        return ("scale",) if KERNEL_QUANTIZERS[self.kernel_quantizer] else ()

    kept = property(per_output)
    scale = property(attrgetter("kernel.scale"))

    def build(self, input_shape, rng):
        shape = self.kernel_shape(input_shape)
        signs = 1 - 2 * rng.integers(0, 2, shape, dtype=np.int8)  # of any symmetric start
        magnitude = KERNEL_QUANTIZERS[self.kernel_quantizer]
        self.kernel = Parameter(f"{self.name}/kernel", signs, True, magnitude)

    def parameters(self):
        return [self.kernel]

    def same_everywhere(self, exact):
        return exact and self.scale is None  # a scale is a mean of floats

    def times_scale(self, y):
        """y, or dL/dy on the way back, times the scale of its channel."""
        return y if self.scale is None else ops.scale_channels(as_array(y), self.scale)

    def of_sums(self, dy):
        """dL/dsums from dL/dy; with integer gradients rounded to them, once."""
        dy = self.times_scale(dy)
        return ops.to_fixed(dy, self.gradient_bits, self.across) if self.gradient_bits else dy

    def centre(self, dw, dy, *geometry):
        """The kernel's gradient ``dw``, Fixed, as if every channel of dy had mean 0.

        Batch normalisation gives back such a dy, but rounding leaves a mean, much the same in one
        batch after another. All that it does is to move mean pre-activations, which no gradient
        opposes, as batch normalisation hides them from the loss.
        """
        x, count = ops.tap_sums(self.x, *geometry), len(self.x)
        count *= math.prod(self.output_shape(self.x.shape[1:])[:-1])
        if self.across:
            x, count = self.across.sum(x), count * self.across.size
        return ops.centred(dw, dy, x, count, bool(self.across))


class BinaryDense(_Binary, _Dense):
    """y = x @ w [* scale] with w in {-1, +1}; no bias, batch normalisation follows.

    x (B, I) Signs, or bytes or floats as a first layer; y (B, ``units``), integers for Signs unless
    there is a scale. ``kernel_quantizer`` is "ste_sign" or "magnitude_aware_sign", see
    ``minibnn.nn.quantizers``.
    """

    def __init__(self, units, kernel_quantizer="ste_sign"):
        self.units = integer(units, "units", 1)
        self.kernel_quantizer = one_of(kernel_quantizer, "kernel_quantizer", KERNEL_QUANTIZERS)

    def forward(self, x, training=False):
        self.x = x = operand(x)
        return self.times_scale(ops.binary_dense(x, self.kernel.signs, bool(self.gradient_bits)))

    def backward(self, dy, need_dx=True):
        centred = self.centred and isinstance(dy, Fixed)  # of batch normalisation
        dy = self.of_sums(dy)
        exact = bool(self.gradient_bits and self.across)  # sums, which several ranks then add up
        dw = ops.binary_dense_grad_kernel(self.x, dy, exact or centred)
        if centred and isinstance(dw, Fixed):
            dw = self.centre(dw, dy)
        self.kernel.grad = dw
        return ops.binary_dense_grad_input(dy, self.kernel.signs_t) if need_dx else None


class BinaryConv2D(_Binary, _Convolution):
    """Convolution with a kernel in {-1, +1}; no bias, batch normalisation follows.

    x NHWC Signs, or bytes or floats as a first layer. ``kernel_size`` and ``strides`` are
    (rows, columns) or one number for both. ``padding`` is "same" or "valid"; "same" pads with
    ``pad_value`` 0, which is no sign and adds nothing to the sum (Larq's default), or with +1.
    ``filters`` is the number of outputs, ``kernel_quantizer`` as in ``BinaryDense``.

    >>> from minibnn import nn
    >>> net = nn.Sequential([nn.Sign(), nn.BinaryConv2D(4, 3)], (8, 8, 2))
    >>> net.forward(np.ones((1, 8, 8, 2), np.float32)).dtype  # sums of signs
    dtype('int16')
    """

    def __init__(
        self, filters, kernel_size, strides=1, padding="same", pad_value=0,
        kernel_quantizer="ste_sign",
    ):  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding)
        self.kernel_quantizer = one_of(kernel_quantizer, "kernel_quantizer", KERNEL_QUANTIZERS)
        if pad_value not in (0, 1):
            raise InputError(f"pad_value must be 0 or 1, found {pad_value!r}")
        self.pad_value = int(pad_value)
        self.geometry = self.strides, self.padding, self.pad_value

    def forward(self, x, training=False):
        self.x = x = operand(x)
        geometry = *self.geometry, bool(self.gradient_bits)
        return self.times_scale(ops.binary_conv2d(x, self.kernel.signs, *geometry))

    def backward(self, dy, need_dx=True, where=None):
        """``Layer.backward(dy, need_dx)``; ``where`` tells the maxima of pooling in this pass."""
        centred = self.centred and isinstance(dy, Fixed)  # as in BinaryDense
        grad_kernel, grad_input = ops.binary_conv2d_grad_kernel, ops.binary_conv2d_grad_input
        dys, geometry = (self.of_sums(dy),), (self.kernel_size, *self.geometry)
        if where is not None:
            grad_kernel = ops.binary_conv2d_pool_grad_kernel
            grad_input = ops.binary_conv2d_pool_grad_input
            dys = (*dys, where)
        exact = bool(self.gradient_bits and self.across)
        dw = grad_kernel(self.x, *dys, *geometry, exact or centred)
        if centred and isinstance(dw, Fixed):
            dw = self.centre(dw, dys[0], *geometry)
        self.kernel.grad = dw
        if not need_dx:
            return None
        return grad_input(*dys, self.kernel.signs_t, self.x.shape, self.strides, self.padding)


class _Real:
    """A real kernel: its start, the bias, and the penalty on its squares."""

    kernel_type = np.float32

    def configure(self, use_bias, kernel_initializer, l2):
        self.use_bias = bool(use_bias)
        self.kernel_initializer = one_of(kernel_initializer, "kernel_initializer", INITIALIZERS)
        self.l2 = number(l2, "l2", "a number from 0 on", lambda x: 0 <= x < math.inf)

    def per_output(self):
        return ("bias",) if self.use_bias else ()

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
        """Those of the loss, and of the penalty: 2 l2 w; of ranks that add theirs up, a share."""
        ranks = self.across.size if self.gradient_bits and self.across else 1
        if self.l2:
            dw += dw.dtype.type(2 * self.l2 / ranks) * self.kernel.value
        self.kernel.grad = dw
        self.bias.grad = dy.sum(axis=tuple(range(dy.ndim - 1))) if self.use_bias else None


class Dense(_Real, _Dense):
    """y = x @ w + bias in floats; x (B, I), y (B, ``units``).

    ``use_bias``, ``kernel_initializer`` and ``l2`` are as in ``Conv2D``.
    """

    def __init__(self, units, use_bias=True, kernel_initializer="glorot_uniform", l2=0.0):
        self.units = integer(units, "units", 1)
        self.configure(use_bias, kernel_initializer, l2)

    def forward(self, x, training=False):
        self.x = x = operand(x, signs=False)
        return self.biased(ops.dense(x, self.kernel.value))

    def backward(self, dy, need_dx=True):
        self.keep_gradients(ops.dense_grad_kernel(self.x, dy), dy)
        return ops.dense_grad_input(dy, self.kernel.value) if need_dx else None


class Conv2D(_Real, _Convolution):
    """Convolution in floats, NHWC; ``same`` pads with 0.

    ``filters`` outputs; ``kernel_size``, ``strides`` and ``padding`` are as in ``BinaryConv2D``.
    ``use_bias`` adds a bias; ``kernel_initializer`` is "glorot_uniform" or "glorot_normal".
    ``l2`` adds l2 * sum(kernel^2) to the loss, as ``tf.keras.regularizers.l2`` does.
    """

    def __init__(
        self, filters, kernel_size, strides=1, padding="valid", use_bias=True,
        kernel_initializer="glorot_uniform", l2=0.0,
    ):  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding)
        self.configure(use_bias, kernel_initializer, l2)

    def forward(self, x, training=False):
        self.x = x = operand(x, signs=False)
        return self.biased(ops.conv2d(x, self.kernel.value, *self.geometry))

    def backward(self, dy, need_dx=True):
        dw = ops.conv2d_grad_kernel(self.x, dy, self.kernel_size, *self.geometry)
        self.keep_gradients(dw, dy)
        if not need_dx:
            return None
        return ops.conv2d_grad_input(dy, self.kernel.value, self.x.shape, *self.geometry)
