"""Packing along any axis, over all threads."""

from math import prod

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import filled_lanes
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tiles import NUMBERS, level_tile

ZEROS = np.zeros(WORD, np.int32)  # those of float32 have the same bits


def pack_signs(x, axis):
    x = np.asarray(x)
    shape, axis = x.shape, range(x.ndim)[axis]
    if x.dtype not in NUMBERS:
        x = -(x < 0).view(np.int8)  # -1 or 0
    swapped = axis == x.ndim - 2 and x.swapaxes(-1, -2).flags.c_contiguous
    if swapped:
        x = x.swapaxes(-1, -2)
    words, along = empty(packed_shape(shape, axis), np.uint32), axis + swapped
    outer, n, inner = prod(x.shape[:along]), x.shape[along], prod(x.shape[along + 1 :])
    if inner == 1:
        # Swapped, the words of a row do not stand side by side.
        rows, pitch = filled_lanes(x.reshape(outer, n)), shape[-1] if swapped else 1
        _pack_rows(simd(), rows, ZEROS, words.reshape(-1), pitch)
    else:
        flat = np.ascontiguousarray(x).reshape(outer, n, inner)
        _pack(flat, words.reshape(outer, words.shape[along], inner))
    return Signs(words, shape, axis)


@kernel(parallel=True)
def _pack_rows(simd, x, zeros, words, pitch):
    """Of each ``pitch`` rows the first words stand together, then the second ones, ..."""
    flat, depth = x.reshape(-1), x.shape[1] // WORD
    for row in prange(len(x)):
        for k in range(depth):
            place = (row // pitch * depth + k) * pitch + row % pitch
            level_tile(simd, flat, WORD * (row * depth + k), zeros, 0, zeros, 0, words, place)


@kernel(parallel=True)
def _pack(x, words):
    outer, depth, inner = words.shape
    for task in prange(outer * depth):
        n, k = task // depth, task % depth
        words[n, k] = 0
        for j in range(min(WORD, x.shape[1] - WORD * k)):
            for i in range(inner):
                words[n, k, i] |= np.uint32(x[n, WORD * k + j, i] < 0) << np.uint32(j)
