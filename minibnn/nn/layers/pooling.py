"""Pooling layers, NHWC; arguments are named as in Keras."""

import numpy as np

from minibnn.errors import InputError
from minibnn.nn.layers.layer import Layer, _Windowed, as_floats, expect_axes
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import LOSS_WIDTH, Fixed


class _Pooling(_Windowed):
    """Geometry of both pools."""

    def __init__(self, pool_size=2, strides=None, padding="valid"):
        super().__init__(pool_size, "pool_size", pool_size if strides is None else strides, padding)
        self.pool_size, self.geometry = self.window, (self.window, self.strides, self.padding)


class MaxPool2D(_Pooling):
    """Largest entry per window; the gradient goes to the first such entry, row by row.

    Integers stay integers and Signs stay Signs. ``pool_size``, of at most 256 pixels, and
    ``strides``, by default the same, are as in ``BinaryConv2D``; so is ``padding``.
    """

    prefix = "max_pool"
    takes_fixed = True

    def __init__(self, pool_size=2, strides=None, padding="valid"):
        super().__init__(pool_size, strides, padding)
        if self.pool_size[0] * self.pool_size[1] > 256:
            raise InputError(f"pool_size must cover at most 256 pixels, found {self.pool_size}")

    def forward(self, x, training=False):
        self.input_shape, self.signs = x.shape, None
        if isinstance(x, Signs):
            self.signs = x
            return self._largest_signs(x)
        y, self.where = ops.max_pool2d(x.integers if isinstance(x, Fixed) else x, *self.geometry)
        return x.like(y) if isinstance(x, Fixed) else y

    def _largest_signs(self, x):
        """On bits, where 1 means -1, the maximum is AND; the padding must not win, so it is 1."""
        seen = self.windows_on(x.shape[1:])
        words = np.pad(x.words, seen.borders, constant_values=~np.uint32(0))
        taps = [words[:, rows, columns] for _, (rows, columns) in seen.taps]
        return Signs(np.bitwise_and.reduce(taps), (len(x), *seen.output, x.shape[3]), 3)

    def backward(self, dy, need_dx=True):
        if not need_dx:
            return None
        if self.signs is not None:
            _, self.where = ops.max_pool2d(self.signs.unpack(), *self.geometry)
        if self.gradient_bits and self.strides != self.pool_size:  # sums, which are to be exact
            dy = dy if isinstance(dy, Fixed) else ops.to_fixed(dy, LOSS_WIDTH, self.across)
        return ops.max_pool2d_grad(dy, self.where, self.input_shape, *self.geometry)

    def gives_signs(self, given_signs):
        return given_signs


class AvgPool2D(_Pooling):
    """Mean per window, over the pixels that exist; arguments are those of ``MaxPool2D``."""

    prefix = "avg_pool"

    def same_everywhere(self, exact):
        return self.strides == self.pool_size  # windows that overlap are added up in some order

    def forward(self, x, training=False):
        self.input_shape = x.shape
        return ops.avg_pool2d(as_floats(x), *self.geometry)

    def backward(self, dy, need_dx=True):
        return ops.avg_pool2d_grad(dy, self.input_shape, *self.geometry) if need_dx else None


class GlobalAvgPool2D(Layer):
    """Mean over height and width: (B, H, W, C) to (B, C)."""

    prefix = "global_avg_pool"

    def forward(self, x, training=False):
        self.input_shape, size = x.shape, x.shape[1:3]
        return ops.avg_pool2d(as_floats(x), size, size, "valid").reshape(len(x), -1)

    def backward(self, dy, need_dx=True):
        if not need_dx:
            return None
        size = self.input_shape[1:3]
        return ops.avg_pool2d_grad(dy[:, None, None], self.input_shape, size, size, "valid")

    def output_shape(self, input_shape):
        expect_axes(self, input_shape, 3)
        return (input_shape[2],)
