"""The sign convention, and ±1 arrays packed 32 to a word.

sign(0) = sign(-0.0) = +1. Bit 1 means -1 (the sign bit); bits past the end are 0, so that they
read as +1 and cancel in an exclusive or.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

WORD = 32


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """An array of ±1 of ``shape``, packed along ``axis``, the one a product sums over.

    ``words`` is uint32, like ``shape`` but ceil(n / 32) long on ``axis``, where n = shape[axis];
    ValueError if it is not. Bit j of the k-th word along it is element 32 k + j; bit 1 means -1,
    unused high bits are 0. A negative axis counts from the last, and is kept as it counts from 0.
    """

    words: np.ndarray
    shape: tuple
    axis: int

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "axis", range(len(self.shape))[self.axis])
        expected = packed_shape(self.shape, self.axis)
        if self.words.dtype != np.uint32 or self.words.shape != expected:
            raise ValueError(
                f"words of signs {self.shape} packed along axis {self.axis} must be uint32 "
                f"{expected}, found {self.words.dtype} {self.words.shape}"
            )

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Some of the first axis, by a slice; it is not the packed one."""
        words = self.words[rows]
        return Signs(words, (len(words), *self.shape[1:]), self.axis)

    def unpack(self, dtype=np.int8):
        """The ±1 array, of ``shape`` and ``dtype``."""
        words = np.ascontiguousarray(np.moveaxis(self.words, self.axis, -1)).astype("<u4")
        n = self.shape[self.axis]
        bits = np.unpackbits(words.view(np.uint8), axis=-1, count=n, bitorder="little")
        return np.moveaxis(1 - 2 * bits.astype(np.int8), -1, self.axis).astype(dtype)


@lru_cache(maxsize=256)
def packed_shape(shape, axis):
    """Shape of the words of a ±1 array of ``shape`` packed along ``axis`` (not negative)."""
    return (*shape[:axis], -(-shape[axis] // WORD), *shape[axis + 1 :])


def binarize(x, dtype=np.int8):
    """+1 where x >= 0 (so for both zeros), -1 where x < 0; an array like x of ``dtype``."""
    return np.where(np.asarray(x) < 0, dtype(-1), dtype(1))


def pack_signs(x, axis):
    """The Signs of x, floats or integers, packed along an axis, which may be negative.

    >>> packed = pack_signs(np.float32([0.5, -1, 0, -0.1]), 0)
    >>> packed.words, packed.unpack()
    (array([10], dtype=uint32), array([ 1, -1,  1, -1], dtype=int8))
    """
    x = np.asarray(x)
    axis = range(x.ndim)[axis]
    bits = np.packbits(np.moveaxis(x, axis, -1) < 0, axis=-1, bitorder="little")
    missing = -bits.shape[-1] % 4
    bits = np.ascontiguousarray(np.pad(bits, [(0, 0)] * (x.ndim - 1) + [(0, missing)]))
    words = np.ascontiguousarray(np.moveaxis(bits.view("<u4"), -1, axis)).astype(np.uint32)
    return Signs(words, x.shape, axis)
