"""Pooling layers, NHWC; arguments are named as in Keras."""

from minibnn.errors import InputError
from minibnn.nn.layers.layer import Layer, expect_axes, floats
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import LOSS_WIDTH, Fixed
from minibnn.ops.shapes import check_padding, pair, windows


class _Pooling(Layer):
    """Geometry of both pools; ``strides=None`` means the pool's own size."""

    arguments = ("pool_size", "strides", "padding")

    def __init__(self, pool_size=2, strides=None, padding="valid"):
        self.pool_size = pair(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, "strides")
        self.padding = check_padding(padding)

    @property
    def place(self):
        return self.pool_size, self.strides, self.padding

    def output_shape(self, input_shape):
        expect_axes(self, input_shape, 3)
        return (*windows(tuple(input_shape[:2]), *self.place).output, input_shape[2])


class MaxPool2D(_Pooling):
    """Largest entry per window; the gradient goes to the first such entry, row by row.

    Whole numbers stay whole numbers and Signs stay Signs.

    Parameters
    ----------
    pool_size : int or (int, int)
        Rows and columns; at most 256 pixels.
    strides : int, (int, int) or None
        None: the pool's own size.
    padding : "valid" or "same"
    """

    prefix = "max_pool"
    takes_fixed = True

    def __init__(self, pool_size=2, strides=None, padding="valid"):
        super().__init__(pool_size, strides, padding)
        if self.pool_size[0] * self.pool_size[1] > 256:
            raise InputError(f"pool_size must cover at most 256 pixels, found {self.pool_size}")

    def forward(self, x, training=False):
        self.input_shape = x.shape
        packed, fixed = isinstance(x, Signs), isinstance(x, Fixed)
        entries = x.unpack() if packed else x.integers if fixed else x
        y, self.where = ops.max_pool2d(entries, *self.place)
        return ops.pack_signs(y, 3) if packed else x.like(y) if fixed else y

    def backward(self, dy, need_dx=True):
        if not need_dx:
            return None
        if self.gradient_bits:  # windows may overlap: their sums are to be exact
            dy = dy if isinstance(dy, Fixed) else ops.to_fixed(dy, LOSS_WIDTH, self.across)
        return ops.max_pool2d_grad(dy, self.where, self.input_shape, *self.place)

    def gives_signs(self, given_signs):
        return given_signs


class AvgPool2D(_Pooling):
    """Mean per window, over the pixels that exist.

    Parameters
    ----------
    pool_size : int or (int, int)
        Rows and columns.
    strides : int, (int, int) or None
        None: the pool's own size.
    padding : "valid" or "same"
    """

    prefix = "avg_pool"

    def same_everywhere(self, exact):
        return self.strides == self.pool_size  # windows that overlap are added up in some order

    def forward(self, x, training=False):
        self.input_shape = x.shape
        return ops.avg_pool2d(floats(x), *self.place)

    def backward(self, dy, need_dx=True):
        return ops.avg_pool2d_grad(dy, self.input_shape, *self.place) if need_dx else None


class GlobalAvgPool2D(Layer):
    """Mean over height and width: (B, H, W, C) to (B, C)."""

    prefix = "global_avg_pool"

    def forward(self, x, training=False):
        self.input_shape = x.shape
        y = ops.avg_pool2d(floats(x), *self._place())
        return y.reshape(len(y), -1)

    def backward(self, dy, need_dx=True):
        if not need_dx:
            return None
        return ops.avg_pool2d_grad(dy[:, None, None], self.input_shape, *self._place())

    def _place(self):
        size = self.input_shape[1:3]
        return size, size, "valid"

    def output_shape(self, input_shape):
        expect_axes(self, input_shape, 3)
        return (input_shape[2],)
