"""Rounding of a gradient to fixed point."""

import numpy as np

from minibnn.ops.fixed import Fixed, fixed_exponent, fixed_type


def to_fixed(x, bits, across=None):
    """Integers of ``bits`` bits with one power of two for all: rint(x / 2^e), ties to even.

    e is the smallest with max |x| <= (2^(bits - 1) - 1) 2^e.

    Parameters
    ----------
    x : float array or Fixed
        A Fixed of the type of so many bits stays as it is.
    bits : int
        Sign included.
    across : optional
        As for ``batch_statistics``: ``across.largest(number)`` is the largest of all pieces, so
        that they agree on e.

    Returns
    -------
    Fixed
        int8, int16 or int32.

    Examples
    --------
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
