"""Batch normalisation and sign in one pass."""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.fixed_norm import integers_and_unit
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tiles import sign_tile
from minibnn.ops.rounding import bn_factor

PART = 512  # rows of one partial sum


def batch_norm_sign(x, mean, variance, beta, epsilon, gamma=None, clip_value=1.0):
    factor, beta = bn_factor(variance, epsilon, gamma), beta.astype(mean.dtype, copy=False)
    limit = mean.dtype.type(np.inf if clip_value is None else clip_value)
    x, unit = integers_and_unit(x, mean.dtype)
    shape, axis = x.shape, x.ndim - 1
    signs, gate = (empty(packed_shape(shape, axis), np.uint32) for _ in range(2))
    flat = np.ascontiguousarray(x).reshape(-1, shape[-1])
    words = signs.reshape(len(flat), -1), gate.reshape(len(flat), -1)
    if mean.dtype == np.float32 and x.dtype != np.float64:
        _tiled(simd(), flat, unit, mean, factor, beta, limit, *words)
    else:
        _plain(flat, unit, mean, factor, beta, limit, *words, 0)
    if clip_value is None:
        gate[:] = 0  # NaN passes, too
    return Signs(signs, shape, axis), Signs(gate, shape, axis)


@kernel(parallel=True)
def _tiled(simd, x, unit, mean, factor, beta, limit, signs, gate):
    rows, channels = x.shape
    whole = channels // WORD
    flat, to_signs, to_gate = x.reshape(-1), signs.reshape(-1), gate.reshape(-1)
    limits = np.array([limit, unit])
    for part in prange(-(-rows // PART)):
        first, last = part * PART, min((part + 1) * PART, rows)
        for r in range(first, last):
            for k in range(whole):
                sign_tile(
                    simd, flat, r * channels + WORD * k, mean, factor, beta, WORD * k, limits,
                    to_signs, to_gate, r * signs.shape[1] + k,
                )  # fmt: skip
        if whole < signs.shape[1]:
            own = slice(first, last)
            _words(x[own], unit, mean, factor, beta, limit, signs[own], gate[own], whole)


@kernel(inner=True)
def _words(x, unit, mean, factor, beta, limit, signs, gate, first):
    """Words ``first`` and later of each row, number by number."""
    dtype = mean.dtype.type
    for r in range(len(x)):
        for k in range(first, signs.shape[1]):
            negative, stopped = np.uint32(0), np.uint32(0)
            for j in range(min(WORD, x.shape[1] - WORD * k)):
                c = WORD * k + j
                y = (dtype(x[r, c]) * unit - mean[c]) * factor[c] + beta[c]
                negative |= np.uint32(y < 0) << np.uint32(j)
                stopped |= np.uint32(not abs(y) <= limit) << np.uint32(j)
            signs[r, k], gate[r, k] = negative, stopped


@kernel(parallel=True)
def _plain(x, unit, mean, factor, beta, limit, signs, gate, first):
    for part in prange(-(-len(x) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(x)))
        _words(x[own], unit, mean, factor, beta, limit, signs[own], gate[own], first)
