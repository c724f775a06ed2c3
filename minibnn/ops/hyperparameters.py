"""How a hyperparameter becomes a constant of an array's number type.

It is rounded once, and whatever is derived from it (1 - gamma) is then computed in that type, in
NumPy and in the compiled twins alike: a float64 gamma would pull float32 sums up to float64 and
change about a quarter of the last bits.
"""

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from minibnn.ops.portable import power


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
