"""Rounding of a gradient to fixed point, in two passes: the largest entry, then the integers."""

import numpy as np
from numba import prange

from minibnn.ops.fixed import Fixed, fixed_exponent, fixed_type
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.scratch import empty

PART = 1 << 14  # entries of one task


def to_fixed(x, bits, across=None):
    dtype = fixed_type(bits)
    if isinstance(x, Fixed):
        if x.integers.dtype == dtype:
            return x
        x = x.floats(np.float64)
    flat = np.ascontiguousarray(x).reshape(-1)
    parts = np.zeros(-(-len(flat) // PART), x.dtype)
    _largest(flat, parts)
    exponent = agreed_exponent(parts, bits, across)
    integers = empty(x.shape, dtype)
    _round(flat, x.dtype.type(inverse_unit(exponent)), integers.reshape(-1))
    return Fixed(integers, exponent)


def agreed_exponent(parts, bits, across):
    """The exponent for numbers of which these are the largest of each part."""
    largest = float(parts.max(initial=0))
    return fixed_exponent(across.largest(largest) if across else largest, bits)


def inverse_unit(exponent):
    """1 / 2^exponent; 0 where numbers are not finite, which makes their integers 0."""
    return 2.0**-exponent if exponent == exponent else 0.0


@kernel(parallel=True)
def _largest(x, parts):
    for part in prange(len(parts)):
        largest = x.dtype.type(0)
        for k in range(part * PART, min((part + 1) * PART, len(x))):
            size = abs(x[k])
            if size > largest or size != size:  # NaN stays: nothing is larger
                largest = size
        parts[part] = largest


@kernel(parallel=True)
def _round(x, factor, integers):
    for k in prange(len(x)):
        integers[k] = np.rint(x[k] * factor) if factor else 0
