"""Taking away the mean that rounding left in the channels of a gradient."""

import math

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD, Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.normalisation import PART, integer_sums
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.reference import fixed as reference


def tap_sums(x, *geometry):
    if not isinstance(x, Signs):
        return reference.tap_sums(x, *geometry)
    places, depth = math.prod(x.shape[1:-1]), x.words.shape[-1]
    negative = np.zeros((places, depth * WORD), np.int32)
    _count(np.ascontiguousarray(x.words).reshape(len(x), places, depth), negative)
    total = len(x) - 2 * negative[:, : x.shape[-1]].astype(np.int64)
    return reference.of_taps(total.reshape(x.shape[1:]), len(x), *geometry)


def centred(dw, dy, x, count, fixed=False):
    if fixed:
        return reference.centred(dw, dy, x, count, fixed)
    outputs, unit = dy.shape[-1], Fixed(dw, dw.exponent, dw.divisor * count).unit
    flat, rows = dy.integers.reshape(-1, outputs), dw.integers.reshape(-1, outputs)
    sums = np.empty((-(-len(flat) // PART), 2, outputs), np.int64)
    integer_sums(np.ascontiguousarray(flat), sums)
    out = empty(dw.shape, np.float32)
    _centred(rows, x.reshape(-1), sums.sum(0)[0], count, np.float32(unit), out.reshape(rows.shape))
    return out


@kernel(parallel=True)
def _count(words, negative):
    """How often each bit of a place is set in a batch."""
    images, places, depth = words.shape
    for p in prange(places):
        for n in range(images):
            for k in range(depth):
                word, counts = words[n, p, k], negative[p, WORD * k : WORD * (k + 1)]
                for j in range(WORD):
                    counts[j] += np.int32(word >> np.uint32(j) & np.uint32(1))


@kernel(parallel=True)
def _centred(dw, x, total, count, unit, out):
    for i in prange(len(dw)):
        for o in range(dw.shape[1]):
            out[i, o] = np.float32(np.int64(dw[i, o]) * count - x[i] * total[o]) * unit
