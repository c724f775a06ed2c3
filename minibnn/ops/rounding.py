"""The few formulas whose rounding both backends must share, so that bits never differ."""

import numpy as np

from minibnn.ops.fixed import Fixed, check_sum, largest_of

BYTE_SCALE = np.float32(1 / 255)
EXACT = 2**24  # integers up to here are exact in float32, in whatever order they are added


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
    """Mean and biased variance (float64) from exact sums, of integers and of their squares.

    The sums are int64 arrays over ``count`` entries each. The squares are taken around the integer
    q below the mean, still in integers, so that nothing cancels: a channel that never changes has a
    variance of exactly 0.
    """
    q, rest = np.divmod(total, count)
    rest = rest / count
    around_q = squares - q * (2 * total - count * q)
    return q + rest, np.maximum(around_q / count - rest * rest, 0.0)


def fixed_sums(sums, dy, x, mean, inverse, count, across=None):
    """(dgamma, dbeta, mean of dy, mean of dy xhat) of batch normalisation from exact sums.

    All are (C,) float32. dy is Fixed, x Fixed or integers, xhat = (x - mean) * inverse, and sums
    are int64 (2, C): of the integers of dy, and of their products with those of x, over ``count``
    entries. sum dy xhat = (sum dy x - mean sum dy) * inverse, in float64, each step rounded. Of a
    piece of a batch (``across`` as for ``batch_statistics``) the results are the whole batch's.
    """
    if across:
        sums, count = across.sum(sums), count * across.size
    check_sum(count, 2**24 * largest_of(x), "batch normalisation's gradient", bits=63)
    unit = x.unit if isinstance(x, Fixed) else 1.0
    dbeta = sums[0] * dy.unit
    dgamma = (sums[1] * (dy.unit * unit) - mean.astype(np.float64) * dbeta) * inverse.astype(
        np.float64
    )
    return tuple(v.astype(np.float32) for v in (dgamma, dbeta, dbeta / count, dgamma / count))
