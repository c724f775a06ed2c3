"""Fixed-point numbers: what the backward pass of binary layers computes with, exactly.

The gradient by a binary layer's sums is rounded once, to integers with one power of two for the
whole tensor. Sums of integers are exact, so whatever follows depends on no order of adding: not on
threads, vectors, BLAS, ranks or backend.
"""

import math
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from minibnn.errors import InputError

# No accumulator can overflow: a kernel's gradient adds up in 32 bits, an input's stays below 2^24,
# where float32 holds it exactly (127 such, of pools that overlap, still fit 32 bits), and the sums
# of batch normalisation fit 64 bits. ``check_sum`` refuses sizes beyond.
WIDTHS = range(2, 11)  # bits; tables of 16-bit integers hold signed sums of four such numbers
LOSS_WIDTH = 20  # bits of a gradient that is only summed and normalised, not multiplied
INPUT_WIDTH = 20  # bits of real inputs of batch normalisation, for their statistics


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """An array of numbers ``integers * 2**exponent / divisor``.

    The exponent is NaN for numbers that are not finite: then every float made of them is NaN. The
    divisor is 255 for sums over bytes, which stand for b / 255.

    >>> Fixed(np.int8([[3, -4]]), exponent=-1).floats()
    array([[ 1.5, -2. ]], dtype=float32)
    """

    integers: np.ndarray
    exponent: int = 0
    divisor: int = 1

    @property
    def unit(self):
        """What the integer 1 stands for, a float64."""
        return 2.0**self.exponent / self.divisor

    shape = property(attrgetter("integers.shape"), doc="Shape of the array.")
    ndim = property(attrgetter("integers.ndim"), doc="Number of axes.")
    size = property(attrgetter("integers.size"), doc="Number of entries.")

    def __len__(self):
        return len(self.integers)

    def like(self, integers):
        """Other integers with the same unit."""
        return Fixed(integers, self.exponent, self.divisor)

    def reshape(self, *shape):
        """The same numbers in another shape."""
        return self.like(self.integers.reshape(*shape))

    def floats(self, dtype=np.float32):
        """The numbers as floats: the integer is rounded, then its product with the unit."""
        return self.integers.astype(dtype) * dtype(self.unit)


def fixed_exponent(largest, bits):
    """The smallest e with ``largest`` <= (2^(bits - 1) - 1) 2^e; 0 for zeros, NaN if not finite.

    Not below -126, so that the unit is a normal float32.
    """
    if largest == 0:
        return 0
    if not math.isfinite(largest):
        return math.nan
    mantissa, exponent = math.frexp(float(largest) / most(bits))  # 0.5 <= mantissa < 1
    return max(exponent - (mantissa == 0.5), -126)


def most(bits):
    """The largest integer of so many bits, sign included."""
    return 2 ** (bits - 1) - 1


def fixed_type(bits):
    """The integer type that holds so many bits."""
    return np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32


def check_sum(count, largest, what, bits=31):
    """InputError unless sums of ``count`` integers up to ``largest`` fit so many bits."""
    if count * largest >= 2**bits:
        raise InputError(
            f"{what}: a sum of {count:,} integers of up to {largest:,} needs more than {bits} "
            f"bits; at most {(2**bits - 1) // largest:,} fit: take float32 gradients, or less"
        )


def check_input_sum(dy, w_t):
    """InputError unless the gradient of a binary layer's input, of Fixed dy, fits 24 bits."""
    if isinstance(dy, Fixed):
        terms = math.prod(w_t.shape[:-1])
        check_sum(terms, width_of(dy), "the gradient of a binary layer's input", bits=24)


def largest_of(x):
    """The largest integer that an input of batch normalisation, an array or Fixed, may hold."""
    integers = x.integers if isinstance(x, Fixed) else x
    if integers.dtype == np.int16:
        return 2**15
    if isinstance(x, Fixed) and x.divisor == 1:  # rounded to INPUT_WIDTH
        return most(INPUT_WIDTH)
    return max(1, int(np.abs(integers).max(initial=0)))


def width_of(dy):
    """The largest integer that fixed-point gradients of this type may hold."""
    return most(8 if dy.integers.dtype == np.int8 else WIDTHS[-1])
