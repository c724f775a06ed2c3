"""Binary layers behind which only signs are left: sums are compared while they are in registers.

What depends on the weights alone (their layout, what border pixels lack, the levels of lanes that
fill a word) is worked out once and kept with the thresholds, so that a single image costs little
more than its products.
"""

import math

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.forward import NO_PLACES, SIGNED, conv2d_operands, dense_operands, multiply
from minibnn.ops.kernels.layout import padded_lanes
from minibnn.ops.kernels.pooling import max_pool2d
from minibnn.ops.kernels.real import binary_conv2d, gather_windows, gathering
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tiles import level_tile
from minibnn.ops.rounding import byte_sum_dtype
from minibnn.ops.shapes import windows
from minibnn.ops.threads import one_blas_thread

PART = 128  # pixels whose sums are compared while they are in the cache


def threshold_sign(z, thresholds):
    z = np.asarray(z)
    if z.dtype not in (np.int16, np.int32):
        z = z.astype(np.int32)
    level, turned = _levels(thresholds)
    signs = empty(packed_shape(z.shape, z.ndim - 1), np.uint32)
    flat = np.ascontiguousarray(z).reshape(-1, z.shape[-1])
    _compare(simd(), flat, level, turned, signs.reshape(len(flat), signs.shape[-1]))
    return Signs(signs, z.shape, z.ndim - 1)


def binary_dense_threshold(x, w, thresholds):
    if not isinstance(x, Signs):
        as_kernel = Signs(w.words[None, None], (1, 1, *w.shape), 2)
        signs = binary_conv2d_threshold(x[:, None, None], as_kernel, thresholds)
        return Signs(signs.words[:, 0, 0], (len(x), w.shape[1]), 1)
    operands, stored = _kept(thresholds, w, len(x), lambda: dense_operands(len(x), w))
    out = empty((len(x), operands.w.stride // WORD), np.uint32)
    multiply(x.words, 1, operands, out, NO_PLACES, False, stored)
    return Signs(out, (len(x), w.shape[1]), 1)


def binary_conv2d_threshold(
    x, w, thresholds, strides=(1, 1), padding="same", pad_value=0, pool=False
):
    if not isinstance(x, Signs):
        return _of_bytes(x, w, thresholds, strides, padding, pad_value, pool)
    key = x.shape[1:3], strides, padding, pad_value, pool
    operands, stored = _kept(thresholds, w, key, lambda: conv2d_operands(key[0], w, *key[1:]))
    out = empty((len(x), *operands.size, operands.w.stride // WORD), np.uint32)
    multiply(x.words, len(x), operands, out, NO_PLACES, pool, stored)
    return Signs(out, (len(x), *operands.size, w.shape[3]), 3)


def _kept(thresholds, w, key, make):
    """(operands, what ``multiply`` stores) for these weights, made at the first call."""
    words, *found = thresholds.kept.get(key, (None,))
    if words is not w.words:
        operands = make()
        found = operands, (SIGNED, *_levels(thresholds))
        if len(thresholds.kept) >= 16:  # many sizes of batch or image
            thresholds.kept.clear()
        thresholds.kept[key] = (w.words, *found)
    return found


def _levels(thresholds):
    """int32 levels and words of bits: a bit is z < level, turned over where the word has a 1.

    z > level, for a channel that falls, is z < level + 1 turned over. A lane that fills a word
    gets the lowest level there is, so its bit is 0.
    """
    channels = len(thresholds.level)
    level = np.full(padded_lanes(channels), np.iinfo(np.int32).min, np.int32)
    level[:channels] = np.minimum(thresholds.level, 2**31 - 2) + ~thresholds.rising
    turned = np.zeros(len(level), np.uint8)
    turned[:channels] = ~thresholds.rising
    return level, np.packbits(turned, bitorder="little").view("<u4").astype(np.uint32)


@kernel(parallel=True)
def _compare(simd, z, level, turned, signs):
    for part in prange(-(-len(z) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(z)))
        _compare_rows(simd, z[own], level, turned, signs[own])


@kernel(inner=True)
def _compare_rows(simd, z, level, turned, signs):
    rows, channels = z.shape
    depth, whole = signs.shape[1], channels // WORD
    flat, words = z.reshape(-1), signs.reshape(-1)
    for r in range(rows):
        for k in range(whole):
            level_tile(
                simd, flat, r * channels + WORD * k, level, WORD * k, turned, k, words,
                r * depth + k,
            )  # fmt: skip
        if whole < depth:
            word = np.uint32(0)
            for j in range(channels - WORD * whole):
                below = z[r, WORD * whole + j] < level[WORD * whole + j]
                word |= np.uint32(below) << np.uint32(j)
            words[r * depth + whole] = word ^ turned[whole]


def _of_bytes(x, w, thresholds, strides, padding, pad_value, pool):
    """The first layer; its sums of bytes are integers too."""
    taps = math.prod(w.shape[:3])
    if pool or byte_sum_dtype(taps) != np.float32:
        sums = binary_conv2d(x, w, strides, padding, pad_value, fixed=True).integers
        return threshold_sign(max_pool2d(sums)[0] if pool else sums, thresholds)
    words, *found = thresholds.kept.get("bytes", (None,))
    if words is None or words.ctypes.data != w.words.ctypes.data:  # a dense layer's are a view
        matrix = w.unpack(np.float32).reshape(taps, -1)
        level, turned = _levels(thresholds)
        found = matrix, level.astype(np.float32), turned
        thresholds.kept["bytes"] = (w.words, *found)
    seen = windows(x.shape[1:3], w.shape[:2], strides, padding)
    shape = (len(x), *seen.output, w.shape[3])
    signs = empty(packed_shape(shape, 3), np.uint32)
    own = gathering(seen, taps, np.dtype(np.float32), True, pad_value)
    flat = signs.reshape(len(x), math.prod(seen.output), signs.shape[3])
    with one_blas_thread():
        _byte_signs(simd(), np.ascontiguousarray(x), own, *found, flat)
    return Signs(signs, shape, 3)


@kernel(parallel=True)
def _byte_signs(simd, x, own, w, level, turned, signs):
    """A task sums up some pixels of one image and compares them before it goes on."""
    pixels = signs.shape[1]
    parts = -(-pixels // PART)
    for task in prange(len(x) * parts):
        n, first = task // parts, task % parts * PART
        count = min(PART, pixels - first)
        buffer = np.empty(count * len(w), w.dtype)
        windows = gather_windows(x, own, n * own.rows * own.columns + first, count, buffer)
        _compare_rows(simd, np.dot(windows, w), level, turned, signs[n, first : first + count])
