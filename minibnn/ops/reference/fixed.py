"""Rounding of a gradient to fixed point, and taking away the mean that it leaves."""

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


def centred(dw, dy, x, count, fixed=False):
    """The kernel's gradient dw (..., I, O) of a Fixed dy (..., O), as if dy had channels of mean 0.

    dw is Fixed; x, int64 (..., I, 1), is the same of as many ones as dy has entries in a channel
    (before pooling), ``count``. Float32, of an exact difference; or with ``fixed`` that difference.
    """
    total = dy.integers.sum(axis=tuple(range(dy.ndim - 1)), dtype=np.int64)
    difference = dw.integers * np.int64(count) - x * total
    dw = Fixed(difference, dw.exponent, dw.divisor * count)
    return dw if fixed else dw.floats()
