"""exp, log, cosine and powers in double precision, the same bits on every machine.

C libraries and builds of NumPy differ in the last bits of these. Here they are a range reduction
and a polynomial, made of +, -, *, / and products with powers of two alone, which IEEE 754 rounds
the same everywhere. exp, log and cosine are within 2 units of the last place; powers carry the
roundings of their steps.
"""

import math
from fractions import Fraction

import numpy as np

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
