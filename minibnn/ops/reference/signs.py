"""Pseudo-gradients of the sign, as Larq defines them.

x, floats or integers, is the input of the sign, dy the gradient of its output, floats like x. A
pseudo-gradient returns dx like dy.
"""

import numpy as np

from minibnn.ops.fixed import Fixed


def ste_sign_grad(dy, x, clip_value=1.0):
    """Straight-through: dy where |x| <= clip_value, else 0 (arXiv 1602.02830).

    A clip_value of None passes everything. dy may be Fixed.

    >>> ste_sign_grad(np.float32([3, 3, 3]), np.float32([-2, 1, 0.5]))
    array([0., 3., 3.], dtype=float32)
    """
    if isinstance(dy, Fixed):
        return dy.like(ste_sign_grad(dy.integers, x, clip_value))
    if clip_value is None:
        return dy.copy()
    return np.where(np.abs(x) <= clip_value, dy, dy.dtype.type(0))


def approx_sign_grad(dy, x):
    """(2 - 2 |x|) dy where |x| <= 1, else 0 (Bi-Real Net, arXiv 1808.00278)."""
    slope = 2 - 2 * np.abs(x.astype(dy.dtype))
    return np.maximum(slope, 0) * dy


def swish_sign_grad(dy, x, beta=5.0):
    """beta (2 - z tanh(z / 2)) / (1 + cosh z) dy with z = beta x (arXiv 1812.11800)."""
    z = dy.dtype.type(beta) * x.astype(dy.dtype)
    e = np.exp(-np.abs(z))  # 1 / (1 + cosh z) = 2 e / (1 + e)^2, which cannot overflow
    return dy.dtype.type(beta) * (2 - z * np.tanh(z / 2)) * (2 * e / (1 + e) ** 2) * dy
