"""Batch normalisation, in passes over rows of channels.

Sums over the batch are made of parts whose size depends on the shape alone, added up in order, so
that they do not depend on the number of threads; those of integers are exact anyway.
"""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import filled_lanes, padded_lanes
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tiles import sign_tile
from minibnn.ops.reference import normalisation as reference
from minibnn.ops.rounding import bn_factor, integer_statistics

PART = 512  # rows of one partial sum


def batch_statistics(x, across=None):
    if isinstance(x, Fixed):
        mean, variance = batch_statistics(x.integers, across)
        return mean * x.unit, variance * (x.unit * x.unit)
    flat = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    parts, n = -(-len(flat) // PART), len(flat) * (across.size if across else 1)
    if np.issubdtype(x.dtype, np.integer):
        sums = np.empty((parts, 2, flat.shape[1]), np.int64)
        integer_sums(flat, sums)
        total, squares = across.sum(sums.sum(0)) if across else sums.sum(0)
        return integer_statistics(total, squares, n)
    sums = np.empty((parts, flat.shape[1]), np.float64)
    found = [np.zeros(flat.shape[1])]
    for power in (1, 2):
        _deviations(flat, found[-1], power, sums)
        found.append((across.sum(sums.sum(0)) if across else sums.sum(0)) / n)
    return tuple(found[1:])


def batch_norm(x, mean, variance, beta, epsilon, gamma=None):
    factor = bn_factor(variance, epsilon, gamma)
    y = empty(x.shape, mean.dtype)
    x, unit = (x.integers, x.unit) if isinstance(x, Fixed) else (x, 1)
    flat, unit = np.ascontiguousarray(x).reshape(-1, x.shape[-1]), mean.dtype.type(unit)
    _affine(flat, unit, mean, factor, beta.astype(mean.dtype, copy=False), y.reshape(flat.shape))
    return y


def batch_norm_sign(x, mean, variance, beta, epsilon, gamma=None, clip_value=1.0):
    if np.float64 in (mean.dtype, getattr(x, "dtype", None)):
        return reference.batch_norm_sign(x, mean, variance, beta, epsilon, gamma, clip_value)
    x, unit = (x.integers, x.unit) if isinstance(x, Fixed) else (x, 1)
    shape, axis, rest = x.shape, x.ndim - 1, x.shape[-1] % WORD
    constants = np.zeros((3, padded_lanes(shape[-1])), mean.dtype)
    constants[:, : shape[-1]] = mean, bn_factor(variance, epsilon, gamma), beta
    limits = np.array([np.inf if clip_value is None else clip_value, unit], np.float32)
    signs, gate = empty((2, *packed_shape(shape, axis)), np.uint32)
    flat = filled_lanes(x.reshape(-1, shape[-1]))
    words = signs.reshape(len(flat), signs.shape[-1]), gate.reshape(len(flat), signs.shape[-1])
    _signs(simd(), flat, *constants, limits, *words)
    if clip_value is None:
        gate[:] = 0  # NaN passes, too
    elif rest:
        gate[..., -1] &= np.uint32(2**rest - 1)  # where the unit is NaN
    return Signs(signs, shape, axis), Signs(gate, shape, axis)


@kernel(parallel=True)
def integer_sums(x, sums):
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
def _signs(simd, x, mean, factor, beta, limits, signs, gate):
    rows, depth = signs.shape
    flat, to_signs, to_gate = x.reshape(-1), signs.reshape(-1), gate.reshape(-1)
    for part in prange(-(-rows // PART)):
        for r in range(part * PART, min((part + 1) * PART, rows)):
            for k in range(depth):
                word = r * depth + k
                sign_tile(
                    simd, flat, WORD * word, mean, factor, beta, WORD * k, limits, to_signs,
                    to_gate, word,
                )  # fmt: skip
