"""Layers with a kernel: the binary ones, which hold nothing but signs, and their real twins."""

import math

import numpy as np

from minibnn.errors import InputError
from minibnn.nn.layers.layer import Layer, expect_axes, floats, operand, positive
from minibnn.nn.parameter import Parameter
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.shapes import check_padding, pair, windows


class BinaryDense(Layer):
    """y = x @ w with w in {-1, +1}; no bias, batch normalisation follows.

    x (B, I) Signs, or bytes or floats as a first layer; y (B, units), whole numbers for Signs.
    """

    prefix = "dense"
    arguments = ("units",)

    def __init__(self, units):
        self.units = positive(units, "units")
        self.kernel = None

    def build(self, input_shape, rng):
        expect_axes(self, input_shape, 1)
        kernel = random_signs((*input_shape, self.units), rng)
        self.kernel = Parameter(f"{self.name}/kernel", kernel, binary=True)

    def parameters(self):
        return [self.kernel]

    def forward(self, x, training=False):
        self.x = operand(x)
        return ops().binary_dense(self.x, self.kernel.signs)

    def backward(self, dy, need_dx=True):
        self.kernel.grad = ops().binary_dense_grad_kernel(self.x, dy)
        return ops().binary_dense_grad_input(dy, self.kernel.signs_t) if need_dx else None

    def output_shape(self, input_shape):
        return (self.units,)

    def macs(self, input_shape):
        return math.prod(input_shape) * self.units


class Dense(Layer):
    """y = x @ w + bias in floats; x (B, I), y (B, units)."""

    prefix = "dense"
    arguments = ("units", "use_bias")

    def __init__(self, units, use_bias=True):
        self.units = positive(units, "units")
        self.use_bias = bool(use_bias)
        self.kernel = self.bias = None

    def build(self, input_shape, rng):
        expect_axes(self, input_shape, 1)
        shape = (*input_shape, self.units)
        self.kernel = Parameter(f"{self.name}/kernel", glorot_uniform(shape, rng))
        self.bias = Parameter(f"{self.name}/bias", np.zeros(self.units))

    def parameters(self):
        return [self.kernel, self.bias] if self.use_bias else [self.kernel]

    def forward(self, x, training=False):
        self.x = real_operand(x)
        y = ops().dense(self.x, self.kernel.value)
        return y + self.bias.value if self.use_bias else y

    def backward(self, dy, need_dx=True):
        self.kernel.grad = ops().dense_grad_kernel(self.x, dy)
        self.bias.grad = dy.sum(0)
        return ops().dense_grad_input(dy, self.kernel.value) if need_dx else None

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


class BinaryConv2D(_Convolution):
    """Convolution with a kernel in {-1, +1}; no bias, batch normalisation follows.

    x NHWC Signs, or bytes or floats as a first layer. ``same`` pads with 0, which is no sign: it
    adds nothing to the sum (Larq's default); ``pad_value=1`` pads with +1.
    """

    arguments = ("filters", "kernel_size", "strides", "padding", "pad_value")

    def __init__(self, filters, kernel_size, strides=1, padding="same", pad_value=0):
        super().__init__(filters, kernel_size, strides, padding)
        if pad_value not in (0, 1):
            raise InputError(f"pad_value must be 0 or 1, found {pad_value!r}")
        self.pad_value = int(pad_value)

    def build(self, input_shape, rng):
        kernel = random_signs(self.kernel_shape(input_shape), rng)
        self.kernel = Parameter(f"{self.name}/kernel", kernel, binary=True)

    def parameters(self):
        return [self.kernel]

    def forward(self, x, training=False):
        self.x = operand(x)
        return ops().binary_conv2d(
            self.x, self.kernel.signs, self.strides, self.padding, self.pad_value
        )

    def backward(self, dy, need_dx=True):
        self.kernel.grad = ops().binary_conv2d_grad_kernel(
            self.x, dy, self.kernel_size, self.strides, self.padding, self.pad_value
        )
        if not need_dx:
            return None
        return ops().binary_conv2d_grad_input(
            dy, self.kernel.signs_t, self.x.shape, self.strides, self.padding
        )


class Conv2D(_Convolution):
    """Convolution in floats, NHWC; ``same`` pads with 0."""

    arguments = ("filters", "kernel_size", "strides", "padding", "use_bias")

    def __init__(self, filters, kernel_size, strides=1, padding="valid", use_bias=True):
        super().__init__(filters, kernel_size, strides, padding)
        self.use_bias = bool(use_bias)
        self.bias = None

    def build(self, input_shape, rng):
        kernel = glorot_uniform(self.kernel_shape(input_shape), rng)
        self.kernel = Parameter(f"{self.name}/kernel", kernel)
        self.bias = Parameter(f"{self.name}/bias", np.zeros(self.filters))

    def parameters(self):
        return [self.kernel, self.bias] if self.use_bias else [self.kernel]

    def forward(self, x, training=False):
        self.x = real_operand(x)
        y = ops().conv2d(self.x, self.kernel.value, self.strides, self.padding)
        return y + self.bias.value if self.use_bias else y

    def backward(self, dy, need_dx=True):
        place = self.strides, self.padding
        self.kernel.grad = ops().conv2d_grad_kernel(self.x, dy, self.kernel_size, *place)
        self.bias.grad = dy.sum((0, 1, 2))
        if not need_dx:
            return None
        return ops().conv2d_grad_input(dy, self.kernel.value, self.x.shape, *place)


def real_operand(x):
    return floats(x) if isinstance(x, Signs) else operand(x)


def random_signs(shape, rng):
    """±1 with equal chances: the signs of any symmetric start."""
    return 1 - 2 * rng.integers(0, 2, shape, dtype=np.int8)


def glorot_uniform(shape, rng):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)), float32; ``shape`` ends with inputs, outputs."""
    taps = math.prod(shape[:-2])
    limit = math.sqrt(6 / (taps * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape).astype(np.float32)
