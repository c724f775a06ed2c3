"""Packing along any axis, over all threads."""

from math import prod

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.scratch import empty


def pack_signs(x, axis):
    x = np.asarray(x)
    shape, axis = x.shape, range(x.ndim)[axis]
    if x.dtype.kind == "b" or x.dtype == np.float16:
        x = x.astype(np.float32)
    swapped = axis == x.ndim - 2 and x.swapaxes(-1, -2).flags.c_contiguous
    if swapped:  # then the words are swapped back, of which there are 32 times fewer
        x = x.swapaxes(-1, -2)
    along = axis + swapped
    words = empty(packed_shape(x.shape, along), np.uint32)
    outer, n, inner = prod(x.shape[:along]), x.shape[along], prod(x.shape[along + 1 :])
    flat = np.ascontiguousarray(x)
    if inner == 1:
        _pack_rows(flat.reshape(outer, n), words.reshape(outer, words.shape[along]))
    else:
        _pack(flat.reshape(outer, n, inner), words.reshape(outer, words.shape[along], inner))
    words = np.ascontiguousarray(words.swapaxes(-1, -2)) if swapped else words
    return Signs(words, shape, axis)


def sign(x):
    return pack_signs(x, -1)


@kernel(parallel=True)
def _pack_rows(x, words):
    for row in prange(len(x)):
        for k in range(words.shape[1]):
            word = np.uint32(0)
            for j in range(min(WORD, x.shape[1] - WORD * k)):
                word |= np.uint32(x[row, WORD * k + j] < 0) << np.uint32(j)
            words[row, k] = word


@kernel(parallel=True)
def _pack(x, words):
    outer, depth, inner = words.shape
    for task in prange(outer * depth):
        n, k = task // depth, task % depth
        words[n, k] = 0
        for j in range(min(WORD, x.shape[1] - WORD * k)):
            for i in range(inner):
                words[n, k, i] |= np.uint32(x[n, WORD * k + j, i] < 0) << np.uint32(j)
