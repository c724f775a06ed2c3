"""Formulas whose rounding decides bits: both backends share them, and every machine repeats them.

Of layers: in which type a sum is exact, and the order of operations of batch normalisation.

A hyperparameter is rounded once to an array's number type, and whatever is derived from it
(1 - gamma) is then computed in that type, in NumPy and in the compiled twins alike: a float64 gamma
would pull float32 sums up to float64 and change about a quarter of the last bits.

exp, log, cosine and powers differ in their last bits between C libraries and builds of NumPy. Here
they are a range reduction and a polynomial in double precision, made of +, -, *, / and products
with powers of two alone, which IEEE 754 rounds the same everywhere. exp, log and cosine are within
2 units of the last place; powers carry the roundings of their steps.
"""

import math
from fractions import Fraction
from functools import cache, lru_cache

import numpy as np

from minibnn.ops.fixed import Fixed, check_sum, largest_of

BYTE_SCALE = np.float32(1 / 255)
EXACT = 2**24  # integers up to here are exact in float32, in whatever order they are added

# -- layers ---------------------------------------------------------------------------------------


@cache
def sum_dtype(n):
    """Integer type that holds a sum of n signs: int16 where it fits, else int32."""
    return np.int16 if n <= np.iinfo(np.int16).max else np.int32


@cache
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
    most_x = largest_of(x)
    quick = count * 2**24 * most_x < 2**63  # else it is worth a look
    most_dy = 2**24 if quick else int(np.abs(dy.integers).max(initial=0))
    check_sum(count, most_dy * most_x, "batch normalisation's gradient", bits=63)
    unit = x.unit if isinstance(x, Fixed) else 1.0
    dbeta = sums[0] * dy.unit
    dgamma = (sums[1] * (dy.unit * unit) - mean * dbeta) * inverse
    return tuple(v.astype(np.float32) for v in (dgamma, dbeta, dbeta / count, dgamma / count))


# -- hyperparameters ------------------------------------------------------------------------------


def constants(dtype, *values):
    """``values`` as scalars of ``dtype``; exactly, as Fractions, for object arrays.

    An array, one value for every weight, becomes an array (NumPy step functions only).

    >>> constants(np.float32, 0.1, 2), constants(object, 0.5)
    ([np.float32(0.1), np.float32(2.0)], [Fraction(1, 2)])
    """
    dtype = np.dtype(dtype)
    make = Fraction if dtype.kind == "O" else dtype.type
    return [x.astype(dtype) if isinstance(x, np.ndarray) else make(x) for x in values]


def constant(value, dtype):
    """A single one of ``constants``."""
    return constants(dtype, value)[0]


def adam_rate(lr, beta_1, beta_2, t):
    """Adam's learning rate at step t = 1, 2, ...: lr * sqrt(1 - beta_2^t) / (1 - beta_1^t).

    Computed in double precision from constants that are rounded already, and rounded once to their
    type.
    """
    root, rest = _corrections(float(beta_1), float(beta_2), t)
    return beta_1.dtype.type(np.float64(lr) * root / rest)


@lru_cache(maxsize=4)  # the same for all parameters of a step
def _corrections(beta_1, beta_2, t):
    return math.sqrt(1.0 - power(beta_2, t)), 1.0 - power(beta_1, t)


# -- exp, log, cosine and powers ------------------------------------------------------------------

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is log 2
LOG2_E = 1.4426950408889634
PI_HIGH, PI_LOW = math.pi, 1.2246467991473532e-16  # their sum is pi


def exp(x):
    """e^x for a float64 array of finite numbers up to 700; 0 far below."""
    x = np.maximum(x, -750.0)
    k = np.rint(x * LOG2_E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW  # |r| <= log(2) / 2
    total = np.ones_like(r)
    for n in range(13, 0, -1):  # Taylor's series, Horner's way
        total = 1.0 + r / n * total
    return np.ldexp(total, k.astype(np.int64))


def log(x):
    """Natural logarithm of a float64 array of positive finite numbers."""
    m, k = np.frexp(x)
    small = m < 0.7071067811865476
    m, k = np.where(small, 2 * m, m), (k - small).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)  # log m = 2 atanh s, and |s| < 0.172
    square, total = s * s, np.zeros_like(s)
    for n in range(23, 1, -2):
        total = square * (1.0 / n + total)
    return k * LN2_HIGH + (2.0 * (s + s * total) + k * LN2_LOW)


def cos_pi(t):
    """cos(pi t) for a float t in [0, 1]."""
    if t > 0.5:
        return -cos_pi(1.0 - t)
    odd = t > 0.25  # then the sine of what is left of a quarter turn
    t = 0.5 - t if odd else t
    x = t * PI_HIGH + t * PI_LOW
    total, square = 1.0, x * x
    for n in range(20 + odd, 1, -2):
        total = 1.0 - square / (n * (n - 1)) * total
    return x * total if odd else total


def power(x, y):
    """x^y for a float x in [0, 1] and a float y >= 0.

    Rounded once where y is an integer up to 64, by repeated squaring where it is a larger one.
    """
    if x == 0:
        return float(y == 0)
    if y == int(y):
        result, y = 1.0, int(y)
        if y <= 64:
            return float(Fraction(x) ** y)
        while y:
            if y & 1:
                result *= x
            x, y = x * x, y >> 1
        return result
    return float(exp(y * log(np.array([x], np.float64)))[0])
