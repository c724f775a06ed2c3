"""Batch normalisation over all axes but the last (arXiv 1502.03167), of integers or floats."""

import numpy as np

from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.reference.fixed import to_fixed
from minibnn.ops.rounding import bn_factor, fixed_sums, integer_statistics


def batch_statistics(x, across=None):
    """(mean, biased variance) of each channel of x (..., C), float64 (C,).

    x is floats, integers or Fixed. Integers are summed as integers, so their statistics depend on
    no order. Where x is one of several equal pieces of a batch, each with a process of its own,
    ``across.size`` is the number of pieces, and ``across.sum(array)`` adds up the arrays of all.
    """
    if isinstance(x, Fixed):
        mean, variance = batch_statistics(x.integers, across)
        return mean * x.unit, variance * (x.unit * x.unit)
    x = x.reshape(-1, x.shape[-1])
    n, of_all = (len(x) * across.size, across.sum) if across else (len(x), np.asarray)
    if np.issubdtype(x.dtype, np.integer):
        x = x.astype(np.int64)
        total, squares = of_all(np.stack([x.sum(0), (x * x).sum(0)]))
        return integer_statistics(total, squares, n)
    x = x.astype(np.float64)
    mean = of_all(x.sum(0)) / n
    return mean, of_all(np.square(x - mean).sum(0)) / n


def batch_norm(x, mean, variance, beta, epsilon, gamma=None):
    """y = (x - mean) * factor + beta with factor = [gamma] / sqrt(variance + epsilon).

    x is (..., C) floats, integers or Fixed; mean, variance, beta and gamma (or None) are (C,)
    floats. y has the type of mean. Each of the three steps is rounded, in this order, so that every
    path gives the same bits.

    >>> one = np.ones(1, np.float32)
    >>> batch_norm(np.int16([[3], [7]]), 5 * one, 4 * one, 0 * one, epsilon=0.0)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    factor = bn_factor(variance, epsilon, gamma)
    x = x.floats(mean.dtype.type) if isinstance(x, Fixed) else x.astype(mean.dtype)
    return (x - mean) * factor + beta.astype(mean.dtype)


def batch_norm_grad(dy, x, mean, variance, epsilon, gamma=None, across=None, bits=None):
    """(dx, dgamma, dbeta), through the batch's own mean and variance.

    With xhat = (x - mean) / sqrt(variance + epsilon) and N entries per channel:
    dbeta = sum dy, dgamma = sum dy xhat, dx = factor (dy - dbeta / N - xhat dgamma / N).

    dy is (..., C) floats, and dx is like it; or Fixed, then x is not floats and dx is float32, or
    with ``bits`` rounded by ``to_fixed``. mean and variance are those of x, as
    ``batch_statistics`` gives them; gamma may be None.

    dgamma and dbeta (C,) are summed in float64 and rounded once; of Fixed, from exact sums
    (``fixed_sums``). Of a piece of a batch (``across`` as in ``batch_statistics``) they are the
    piece's own, those of Fixed the whole batch's; dx goes through the whole batch's statistics.
    """
    axes = tuple(range(dy.ndim - 1))
    n = dy.size // dy.shape[-1]
    dtype = np.dtype(np.float32) if isinstance(dy, Fixed) else dy.dtype
    mean, variance = mean.astype(dtype, copy=False), variance.astype(dtype, copy=False)
    inverse = bn_factor(variance, epsilon)
    factor = inverse if gamma is None else bn_factor(variance, epsilon, gamma)
    floats = x.floats(dtype.type) if isinstance(x, Fixed) else x.astype(dtype)
    xhat = (floats - mean) * inverse
    if isinstance(dy, Fixed):
        u, z = (a.astype(np.int64) for a in (dy.integers, getattr(x, "integers", x)))
        sums = np.stack([u.sum(axes), (u * z).sum(axes)])
        dgamma, dbeta, mean_dy, mean_dy_xhat = fixed_sums(sums, dy, x, mean, inverse, n, across)
        dx = factor * (dy.floats() - mean_dy - xhat * mean_dy_xhat)
        return dx if bits is None else to_fixed(dx, bits, across), dgamma, dbeta
    sums = np.stack([dy.sum(axes, dtype=np.float64), (dy * xhat).sum(axes, dtype=np.float64)])
    dbeta, dgamma = sums.astype(dy.dtype)
    per_entry = dy.dtype.type(1 / (n * across.size if across else n))
    mean_dy, mean_dy_xhat = (across.sum(sums) if across else sums).astype(dy.dtype) * per_entry
    dx = dy - mean_dy - xhat * mean_dy_xhat
    return factor * dx, dgamma, dbeta


def batch_norm_sign(x, mean, variance, beta, epsilon, gamma=None, clip_value=1.0):
    """(signs, gate), both Signs like x: the sign of ``batch_norm``, and where its gradient passes.

    The gate is +1 where the normalised x lies within ``clip_value`` (None: everywhere), else -1.
    x, ``mean``, ``variance``, ``beta``, ``epsilon`` and ``gamma`` are those of ``batch_norm``.
    """
    y = batch_norm(x, mean, variance, beta, epsilon, gamma)
    passes = np.full(y.shape, True) if clip_value is None else np.abs(y) <= clip_value
    return pack_signs(y, -1), pack_signs(np.where(passes, 1, -1), -1)


def batch_norm_sign_grad(dy, gate, x, mean, variance, epsilon, gamma=None, across=None, bits=None):
    """``batch_norm_grad`` of what the gate of ``batch_norm_sign`` lets pass of dy.

    x, ``mean``, ``variance``, ``epsilon``, ``gamma``, ``across`` and ``bits`` are as there.
    """
    entries = dy.integers if isinstance(dy, Fixed) else dy
    passed = np.where(gate.unpack() > 0, entries, entries.dtype.type(0))
    passed = dy.like(passed) if isinstance(dy, Fixed) else passed
    return batch_norm_grad(passed, x, mean, variance, epsilon, gamma, across, bits)
