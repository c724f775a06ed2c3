"""How a hyperparameter becomes a constant of an array's number type.

It is rounded once, and whatever is derived from it (1 - gamma) is then computed in that type, in
NumPy and in the compiled twins alike: a float64 gamma would pull float32 sums up to float64 and
change about a quarter of the last bits.
"""

import math
from fractions import Fraction

import numpy as np

from minibnn.ops.portable import power


def constant(value, dtype):
    """``value`` as a scalar of ``dtype``; exactly, as a Fraction, for object arrays.

    An array, one value for every weight, becomes an array (NumPy step functions only).

    >>> constant(0.1, np.float32), constant(0.5, object)
    (np.float32(0.1), Fraction(1, 2))
    """
    dtype = np.dtype(dtype)
    if isinstance(value, np.ndarray):
        return value.astype(dtype)
    return Fraction(value) if dtype.kind == "O" else dtype.type(value)


def adam_rate(lr, beta_1, beta_2, t, dtype):
    """Adam's learning rate at step t = 1, 2, ...: lr * sqrt(1 - beta_2^t) / (1 - beta_1^t).

    The constants are the rounded ones that the averages use; the result is rounded once.
    """
    beta_1, beta_2 = float(constant(beta_1, dtype)), float(constant(beta_2, dtype))
    lr = np.float64(constant(lr, dtype))
    return constant(lr * math.sqrt(1.0 - power(beta_2, t)) / (1.0 - power(beta_1, t)), dtype)
