"""Steps on signs: binary products, and the comparisons that give their signs."""

import math
from typing import ClassVar

import numpy as np

from minibnn.deploy.step import Step, flag, place_of, same_or_valid, zero_or_one
from minibnn.deploy.value import REALS, SIGNS, SUMS, Value
from minibnn.nn.layers.layer import operand, positive
from minibnn.ops.backend import ops
from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.shapes import pair


class Thresholds:  # stand-in
    def __init__(self, level, rising):
        self.level, self.rising = level, rising


def threshold_sign(z, thresholds):
    from minibnn.ops.thresholds import signs_by_threshold

    return ops().pack_signs(signs_by_threshold(z, thresholds.level, thresholds.rising), -1)


class _BinaryProduct(Step):
    """A kernel of packed signs on whatever is given; of signs the sums are whole numbers."""

    def plan(self, given):
        self.kernel_shape, output = self.sizes(given)
        self.terms = math.prod(self.kernel_shape[:-1])
        if given.kind == SIGNS:
            return Value(SUMS, output, self.terms)
        return Value(REALS, output)

    def needs(self):
        return {"kernel": (np.uint32, packed_shape(self.kernel_shape, self.axis))}

    def fill(self, arrays):
        super().fill(arrays)
        words, unused = arrays["kernel"], -self.kernel_shape[self.axis] % WORD
        if unused and (words.take(-1, self.axis) >> np.uint32(WORD - unused)).any():
            self.refuse("the kernel has bits set beyond its channels")
        self.kernel = Signs(words, self.kernel_shape, self.axis)
        return self

    @property
    def axis(self):
        return len(self.kernel_shape) - 2


class BinaryDense(_BinaryProduct):
    """y = x @ w."""

    kind = "binary_dense"
    fields: ClassVar[dict] = {"units": positive}

    def sizes(self, given):
        self.expect(given, 1)
        return (*given.shape, self.units), (self.units,)

    def run(self, x):
        return ops().binary_dense(operand(x), self.kernel)


class BinaryConv2D(_BinaryProduct):
    """Convolution; ``pad_value`` is what ``same`` pads with, 0 or 1."""

    kind = "binary_conv2d"
    fields: ClassVar[dict] = {
        "filters": positive,
        "kernel_size": pair,
        "strides": pair,
        "padding": same_or_valid,
        "pad_value": zero_or_one,
    }

    def sizes(self, given):
        place = place_of(self, given, self.kernel_size)
        kernel = (*self.kernel_size, given.channels, self.filters)
        return kernel, (*place.output, self.filters)

    def run(self, x):
        return ops().binary_conv2d(
            operand(x), self.kernel, self.strides, self.padding, self.pad_value
        )


class _Thresholds:
    """A threshold for each channel: the sign is +1 for z >= level, or z <= level if falling."""

    def threshold_needs(self, channels, most):
        # a level lies within the sums or just beyond one of their ends
        dtype = np.int16 if most < np.iinfo(np.int16).max else np.int32
        return {"level": (dtype, (channels,)), "falling": (np.uint8, (-(-channels // 8),))}

    def fill_thresholds(self, arrays):
        level = arrays["level"].astype(np.int32)
        falling = np.unpackbits(arrays["falling"], count=len(level), bitorder="little")
        self.thresholds = Thresholds(level, falling == 0)

    @staticmethod
    def threshold_arrays(level, rising, most):
        dtype = np.int16 if most < np.iinfo(np.int16).max else np.int32
        return {
            "level": level.astype(dtype),
            "falling": np.packbits(~rising, bitorder="little"),
        }


class Threshold(_Thresholds, Step):
    """Whole numbers to signs."""

    kind = "threshold"

    def plan(self, given):
        if given.kind != SUMS:
            self.refuse(f"takes whole numbers, found {given.kind}")
        return Value(SIGNS, given.shape)

    def needs(self):
        return self.threshold_needs(self.given.channels, self.given.most)

    def fill(self, arrays):
        super().fill(arrays)
        self.fill_thresholds(arrays)
        return self

    def run(self, x):
        return threshold_sign(x, self.thresholds)


class _ProductThreshold(_Thresholds):
    def plan(self, given):
        if given.kind != SIGNS:
            self.refuse(f"takes signs, found {given.kind}")
        return Value(SIGNS, self.pooled(super().plan(given).shape))

    def pooled(self, shape):
        return shape

    def needs(self):
        return super().needs() | self.threshold_needs(self.output.channels, self.terms)

    def fill(self, arrays):
        super().fill(arrays)
        self.fill_thresholds(arrays)
        return self


class BinaryDenseThreshold(_ProductThreshold, BinaryDense):
    """``BinaryDense`` of signs and the signs of its sums, in one pass."""

    kind = "binary_dense_threshold"

    def run(self, x):
        return threshold_sign(ops().binary_dense(x, self.kernel), self.thresholds)


class BinaryConv2DThreshold(_ProductThreshold, BinaryConv2D):
    """``BinaryConv2D`` of signs, 2x2 max pooling if ``pool``, and the signs, in one pass."""

    kind = "binary_conv2d_threshold"
    fields: ClassVar[dict] = BinaryConv2D.fields | {"pool": flag}

    def pooled(self, shape):
        return (shape[0] // 2, shape[1] // 2, shape[2]) if self.pool else shape

    def run(self, x):
        place = self.strides, self.padding, self.pad_value
        if self.pool:
            z, _ = ops().binary_conv2d_pool(x, self.kernel, *place)
        else:
            z = ops().binary_conv2d(x, self.kernel, *place)
        return threshold_sign(z, self.thresholds)
