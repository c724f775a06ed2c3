"""The few formulas whose rounding both backends must share, so that bits never differ."""

import numpy as np

BYTE_SCALE = np.float32(1 / 255)
EXACT = 2**24  # whole numbers up to here are exact in float32, in whatever order they are added


def sum_dtype(n):
    """Integer type that holds a sum of n signs: int16 where it fits, else int32."""
    return np.int16 if n <= np.iinfo(np.int16).max else np.int32


def byte_sum_dtype(n):
    """Float type in which a sum of n terms of at most 255 is exact."""
    return np.float32 if 255 * n <= EXACT else np.float64


def bn_factor(variance, epsilon, gamma=None):
    """1 / sqrt(variance + epsilon) [* gamma], each step rounded in the dtype of ``variance``."""
    dtype = variance.dtype.type
    factor = dtype(1) / np.sqrt(variance + dtype(epsilon))
    return factor if gamma is None else factor * gamma.astype(variance.dtype, copy=False)


def integer_statistics(total, squares, count):
    """Mean and biased variance (float64) from the exact sums of integers and of their squares.

    Parameters
    ----------
    total, squares : int64 arrays
        sum x and sum x^2 over ``count`` entries each.

    Notes
    -----
    The squares are taken around the whole number q below the mean, still in integers, so that
    nothing cancels: a channel that never changes has a variance of exactly 0.
    """
    q, rest = np.divmod(total, count)
    rest = rest / count
    around_q = squares - q * (2 * total - count * q)
    return q + rest, np.maximum(around_q / count - rest * rest, 0.0)
