"""Batch normalisation, in passes over rows of channels.

Sums over the batch are made of parts whose size depends on the shape alone, added up in order, so
that they do not depend on the number of threads; those of integers are exact anyway.
"""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD
from minibnn.ops.fixed import Fixed, fixed_type
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.fixed import agreed_exponent, inverse_unit
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.rounding import bn_factor, fixed_sums, integer_statistics

PART = 512  # rows of one partial sum


def batch_statistics(x, across=None):
    if isinstance(x, Fixed):
        mean, variance = batch_statistics(x.integers, across)
        return mean * x.unit, variance * (x.unit * x.unit)
    flat = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    parts, n = -(-len(flat) // PART), len(flat) * (across.size if across else 1)
    if np.issubdtype(x.dtype, np.integer):
        sums = np.empty((parts, 2, flat.shape[1]), np.int64)
        _integer_sums(flat, sums)
        total, squares = _total(sums, across)
        return integer_statistics(total, squares, n)
    sums = np.empty((parts, flat.shape[1]), np.float64)
    _deviations(flat, np.zeros(flat.shape[1]), 1, sums)
    mean = _total(sums, across) / n
    _deviations(flat, mean, 2, sums)
    return mean, _total(sums, across) / n


def _total(parts, across):
    """The sum of the parts and, of a piece of a batch, of those of all pieces."""
    own = parts.sum(0)
    return across.sum(own) if across else own


def batch_norm(x, mean, variance, beta, epsilon, gamma=None):
    factor = bn_factor(variance, epsilon, gamma)
    y = empty(x.shape, mean.dtype)
    x, unit = integers_and_unit(x, mean.dtype)
    flat = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    _affine(flat, unit, mean, factor, beta.astype(mean.dtype, copy=False), y.reshape(flat.shape))
    return y


def integers_and_unit(x, dtype):
    """(array, what its 1 stands for) of an array or Fixed; a product with 1 changes nothing."""
    return (x.integers, dtype.type(x.unit)) if isinstance(x, Fixed) else (x, dtype.type(1))


def batch_norm_grad(dy, x, mean, variance, epsilon, gamma=None, across=None):
    if isinstance(dy, Fixed):
        return fixed_batch_norm_grad(dy, None, x, mean, variance, epsilon, gamma, across)
    channels, dtype = dy.shape[-1], dy.dtype
    mean, variance = mean.astype(dtype, copy=False), variance.astype(dtype, copy=False)
    flat_dy = np.ascontiguousarray(dy).reshape(-1, channels)
    flat_x = np.ascontiguousarray(x).reshape(-1, channels)
    n = len(flat_dy)
    inverse = bn_factor(variance, epsilon)
    sums = np.empty((-(-n // PART), 2, channels), np.float64)
    _grad_sums(flat_dy, flat_x, mean, inverse, sums)
    dx = empty(dy.shape, dtype)
    (dbeta, dgamma), (mean_dy, mean_dy_xhat) = sums_and_means(sums, n, dtype, across)
    _grad(
        flat_dy, flat_x, mean, inverse, bn_factor(variance, epsilon, gamma),
        mean_dy, mean_dy_xhat, dx.reshape(n, channels),
    )  # fmt: skip
    return dx, dgamma, dbeta


def fixed_batch_norm_grad(dy, gate, x, mean, variance, epsilon, gamma, across, bits=None):
    """``batch_norm_grad`` of Fixed dy, where ``gate`` (Signs, or None) lets it pass.

    dx is float32 or, with ``bits``, rounded: computed twice, which is less than to keep it.
    """
    channels = dy.shape[-1]
    u = np.ascontiguousarray(dy.integers).reshape(-1, channels)
    z, x_unit = integers_and_unit(x, mean.dtype)
    z = np.ascontiguousarray(z).reshape(u.shape)
    n, words = len(u), -(-channels // WORD)
    passes = gate.words.reshape(n, -1) if gate else np.zeros((1, words), np.uint32)
    inverse = bn_factor(variance, epsilon)
    parts = -(-n // PART)
    sums = np.zeros((parts, 2, channels), np.int64)
    _exact_sums(u, passes, z, sums)
    dgamma, dbeta, *means = fixed_sums(sums.sum(0), dy, x, mean, inverse, n, across)
    factor = bn_factor(variance, epsilon, gamma)
    arguments = u, passes, z, np.float32(dy.unit), x_unit, mean, inverse, factor, *means
    if bits is None:
        dx = empty(dy.shape, np.float32)
        _fixed_grad(*arguments, dx.reshape(u.shape))
        return dx, dgamma, dbeta
    largest = np.zeros(parts, np.float32)
    _fixed_grad_largest(*arguments, largest)
    exponent = agreed_exponent(largest, bits, across)
    dx = empty(dy.shape, fixed_type(bits))
    _fixed_grad_rounded(*arguments, np.float32(inverse_unit(exponent)), dx.reshape(u.shape))
    return Fixed(dx, exponent), dgamma, dbeta


def sums_and_means(parts, n, dtype, across):
    """Of dy and dy xhat: this piece's sums over its n entries, and the whole batch's means."""
    own = parts.sum(0)
    total, n = (across.sum(own), n * across.size) if across else (own, n)
    return own.astype(dtype), total.astype(dtype) * dtype.type(1 / n)


@kernel(parallel=True)
def _integer_sums(x, sums):
    for part in prange(len(sums)):
        sums[part] = 0
        for r in range(part * PART, min((part + 1) * PART, len(x))):
            for c in range(x.shape[1]):
                value = np.int64(x[r, c])
                sums[part, 0, c] += value
                sums[part, 1, c] += value * value


@kernel(parallel=True)
def _deviations(x, mean, power, sums):
    for part in prange(len(sums)):
        sums[part] = 0
        for r in range(part * PART, min((part + 1) * PART, len(x))):
            for c in range(x.shape[1]):
                value = np.float64(x[r, c]) - mean[c]
                sums[part, c] += value * value if power == 2 else value


@kernel(parallel=True)
def _affine(x, unit, mean, factor, beta, y):
    for part in prange(-(-len(x) // PART)):
        for r in range(part * PART, min((part + 1) * PART, len(x))):
            for c in range(x.shape[1]):
                y[r, c] = (y.dtype.type(x[r, c]) * unit - mean[c]) * factor[c] + beta[c]


@kernel(parallel=True)
def _grad_sums(dy, x, mean, inverse, sums):
    for part in prange(len(sums)):
        sums[part] = 0
        for r in range(part * PART, min((part + 1) * PART, len(x))):
            for c in range(x.shape[1]):
                xhat = (dy.dtype.type(x[r, c]) - mean[c]) * inverse[c]
                sums[part, 0, c] += np.float64(dy[r, c])
                sums[part, 1, c] += np.float64(dy[r, c] * xhat)


@kernel(parallel=True)
def _grad(dy, x, mean, inverse, factor, mean_dy, mean_dy_xhat, dx):
    for part in prange(-(-len(x) // PART)):
        for r in range(part * PART, min((part + 1) * PART, len(x))):
            for c in range(x.shape[1]):
                xhat = (dy.dtype.type(x[r, c]) - mean[c]) * inverse[c]
                dx[r, c] = factor[c] * (dy[r, c] - mean_dy[c] - xhat * mean_dy_xhat[c])


@kernel(parallel=True)
def _exact_sums(u, gate, x, sums):
    """Of u that the gate lets pass, and of u x; a gate of one row is for all."""
    channels = u.shape[1]
    for part in prange(len(sums)):
        for r in range(part * PART, min((part + 1) * PART, len(u))):
            words = gate[r % len(gate)]
            for k in range(len(words)):
                first = WORD * k
                count, word = min(WORD, channels - first), words[k]
                total, products = sums[part, 0, first:], sums[part, 1, first:]
                mine, other = u[r, first:], x[r, first:]
                for j in range(count):
                    stopped = (word >> np.uint32(j)) & np.uint32(1)
                    passed = np.int64(0) if stopped else np.int64(mine[j])
                    total[j] += passed
                    products[j] += passed * np.int64(other[j])


@kernel
def _fixed_entry(u, stopped, x, unit, x_unit, mean, inverse, factor, mean_dy, mean_dy_xhat):
    passed = np.float32(0) if stopped else np.float32(u) * unit
    xhat = (np.float32(x) * x_unit - mean) * inverse
    return factor * (passed - mean_dy - xhat * mean_dy_xhat)


@kernel(parallel=True)
def _fixed_grad(u, gate, x, unit, x_unit, mean, inverse, factor, mean_dy, mean_dy_xhat, dx):
    for part in prange(-(-len(u) // PART)):
        for r in range(part * PART, min((part + 1) * PART, len(u))):
            for c in range(u.shape[1]):
                stopped = (gate[r % len(gate), c // WORD] >> np.uint32(c % WORD)) & np.uint32(1)
                dx[r, c] = _fixed_entry(
                    u[r, c], stopped, x[r, c], unit, x_unit, mean[c], inverse[c], factor[c],
                    mean_dy[c], mean_dy_xhat[c],
                )  # fmt: skip


@kernel(parallel=True)
def _fixed_grad_largest(
    u, gate, x, unit, x_unit, mean, inverse, factor, mean_dy, mean_dy_xhat, largest
):
    for part in prange(len(largest)):
        most = np.zeros(WORD, np.float32)
        for r in range(part * PART, min((part + 1) * PART, len(u))):
            for c in range(u.shape[1]):
                stopped = (gate[r % len(gate), c // WORD] >> np.uint32(c % WORD)) & np.uint32(1)
                size = abs(
                    _fixed_entry(
                        u[r, c], stopped, x[r, c], unit, x_unit, mean[c], inverse[c], factor[c],
                        mean_dy[c], mean_dy_xhat[c],
                    )  # fmt: skip
                )
                if size > most[c % WORD] or size != size:  # NaN stays: nothing is larger
                    most[c % WORD] = size
        for size in most:
            if size > largest[part] or size != size:
                largest[part] = size


@kernel(parallel=True)
def _fixed_grad_rounded(
    u, gate, x, unit, x_unit, mean, inverse, factor, mean_dy, mean_dy_xhat, scale, dx
):
    for part in prange(-(-len(u) // PART)):
        for r in range(part * PART, min((part + 1) * PART, len(u))):
            for c in range(u.shape[1]):
                stopped = (gate[r % len(gate), c // WORD] >> np.uint32(c % WORD)) & np.uint32(1)
                entry = _fixed_entry(
                    u[r, c], stopped, x[r, c], unit, x_unit, mean[c], inverse[c], factor[c],
                    mean_dy[c], mean_dy_xhat[c],
                )  # fmt: skip
                dx[r, c] = np.rint(entry * scale) if scale else 0
