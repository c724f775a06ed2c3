"""Rounding of a gradient to fixed point."""

import numpy as np

from minibnn.ops.fixed import Fixed, fixed_exponent, fixed_type


def to_fixed(x, bits, across=None):
    """x, floats, as Fixed: integers rint(x / 2^e) of so many bits, ties to even.

    The sign is one of the bits, and all entries share the smallest e with
    max |x| <= (2^(bits - 1) - 1) 2^e. A Fixed x whose type has so many bits stays as it is. Where x
    is a piece of a batch (see ``batch_statistics``), ``across.largest(number)`` is the largest of
    all pieces, so that they agree on e.

    >>> to_fixed(np.float32([1.0, -0.25, 0.1]), bits=4)  # at most 7: steps of 1 / 4
    Fixed(integers=array([ 4, -1,  0], dtype=int8), exponent=-2, divisor=1)
    """
    dtype = fixed_type(bits)
    if isinstance(x, Fixed):
        if x.integers.dtype == dtype:
            return x
        x = x.floats(np.float64)
    largest = float(np.abs(x).max(initial=0))
    exponent = fixed_exponent(across.largest(largest) if across else largest, bits)
    if exponent != exponent:  # not finite: there are no integers for it
        return Fixed(np.zeros(x.shape, dtype), exponent)
    return Fixed(np.rint(x * x.dtype.type(2.0**-exponent)).astype(dtype), exponent)
