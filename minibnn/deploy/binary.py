"""Steps on signs: binary products, and the comparisons that give their signs."""

import math
from typing import ClassVar

import numpy as np

from minibnn.deploy.step import (
    Step,
    at_least_one,
    describe,
    flag,
    place_of,
    run,
    same_or_valid,
    zero_or_one,
)
from minibnn.deploy.value import PICTURES, REALS, SIGNS, SUMS, Value
from minibnn.nn.layers.layer import operand
from minibnn.ops.backend import ops
from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.shapes import pair
from minibnn.ops.thresholds import Thresholds

BYTE = 255  # the largest magnitude of 2 b - 255


class _BinaryProduct(Step):
    """A kernel of packed signs on whatever is given; of signs the sums are whole numbers."""

    def sizes(self, given):
        """Shape of the kernel, and of the output."""
        raise NotImplementedError

    def sums(self, x):
        """The product itself."""
        raise NotImplementedError

    def run(self, x):
        return self.sums(x)

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
    fields: ClassVar[dict] = {"units": at_least_one}

    def sizes(self, given):
        self.expect(given, 1)
        return (*given.shape, self.units), (self.units,)

    def sums(self, x):
        return ops.binary_dense(operand(x), self.kernel)


class BinaryConv2D(_BinaryProduct):
    """Convolution; ``pad_value`` is what ``same`` pads with, 0 or 1."""

    kind = "binary_conv2d"
    fields: ClassVar[dict] = {
        "filters": at_least_one,
        "kernel_size": pair,
        "strides": pair,
        "padding": same_or_valid,
        "pad_value": zero_or_one,
    }

    def sizes(self, given):
        place = place_of(self, given, self.kernel_size)
        kernel = (*self.kernel_size, given.channels, self.filters)
        return kernel, (*place.output, self.filters)

    def sums(self, x):
        return ops.binary_conv2d(
            operand(x), self.kernel, self.strides, self.padding, self.pad_value
        )


class _Thresholds(Step):
    """A level for each channel: the sign is +1 for z >= level, or for z <= level if falling."""

    def level_needs(self, channels, most):
        """A level lies within the sums, or just beyond one of their ends."""
        dtype = np.int16 if most < np.iinfo(np.int16).max else np.int32
        return {"level": (dtype, (channels,)), "falling": (np.uint8, (-(-channels // 8),))}

    def fill(self, arrays):
        super().fill(arrays)
        level = arrays["level"].astype(np.int32)
        falling = np.unpackbits(arrays["falling"], count=len(level), bitorder="little")
        self.thresholds = Thresholds(level, falling == 0)
        return self


class Threshold(_Thresholds):
    """Whole numbers to signs."""

    kind = "threshold"

    def plan(self, given):
        if given.kind != SUMS:
            self.refuse(f"takes whole numbers, found {given.kind}")
        return Value(SIGNS, given.shape)

    def needs(self):
        return self.level_needs(self.given.channels, self.given.most)

    def fill_levels(self, level, rising):
        """``fill`` with integers (C,) and bools (C,)."""
        dtype, _ = self.needs()["level"]
        falling = np.packbits(~rising, bitorder="little")
        return self.fill({"level": level.astype(dtype), "falling": falling})

    def run(self, x):
        return ops.threshold_sign(x, self.thresholds)


class _ProductThreshold(_Thresholds, _BinaryProduct):
    """A product of signs, and the signs of its sums."""

    takes, magnitude = SIGNS, 1  # of what is multiplied

    def plan(self, given):
        if given.kind != self.takes:
            self.refuse(f"takes {self.takes}, found {given.kind}")
        return Value(SIGNS, self.pooled(super().plan(given).shape))

    def pooled(self, shape):
        return shape

    def needs(self):
        most = self.magnitude * self.terms
        return super().needs() | self.level_needs(self.output.channels, most)


class BinaryDenseThreshold(_ProductThreshold, BinaryDense):
    """``BinaryDense`` of signs and the signs of its sums, in one pass."""

    kind = "binary_dense_threshold"

    def run(self, x):
        return ops.binary_dense_threshold(x, self.kernel, self.thresholds)


class BinaryConv2DThreshold(_ProductThreshold, BinaryConv2D):
    """``BinaryConv2D`` of signs, 2x2 max pooling if ``pool``, and the signs, in one pass."""

    kind = "binary_conv2d_threshold"
    fields: ClassVar[dict] = BinaryConv2D.fields | {"pool": flag}

    def pooled(self, shape):
        return (shape[0] // 2, shape[1] // 2, shape[2]) if self.pool else shape

    def run(self, x):
        return ops.binary_conv2d_threshold(
            x, self.kernel, self.thresholds, self.strides, self.padding, self.pad_value, self.pool
        )


class First(_ProductThreshold):
    """A product of pictures and its signs.

    Bytes b are summed as whole numbers 2 b - 255 and compared with the levels; the sums over
    anything else go through ``floats``, steps that end with signs.
    """

    takes, magnitude = PICTURES, BYTE

    def __init__(self, name, given, floats, **options):
        self.floats = floats
        super().__init__(name, given, **options)
        if (floats[-1].output if floats else None) != self.output:
            self.refuse("its steps for floats must end as those for bytes")

    def inner(self):
        return (self.floats,)

    def options(self):
        return super().options() | {"floats": describe(self.floats)}

    def run(self, x):
        if isinstance(x, Signs) or x.dtype != np.uint8:
            return run(self.floats, self.sums(x))
        return super().run(x)


class FirstDense(First, BinaryDenseThreshold):
    """``BinaryDense`` of pictures and the signs of its sums."""

    kind, product = "first_dense", BinaryDense


class FirstConv2D(First, BinaryConv2DThreshold):
    """``BinaryConv2D`` of pictures, 2x2 max pooling if ``pool``, and the signs."""

    kind, product = "first_conv2d", BinaryConv2D
