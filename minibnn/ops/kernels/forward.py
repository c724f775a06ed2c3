"""Bits x bits: the forward products of binary layers, on the popcount tile."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, prange

from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import (
    depth_of,
    filled_lanes,
    gather,
    padded_lanes,
    padded_words,
    steps,
)
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tasks import taken
from minibnn.ops.kernels.tiles import GROUP, Columns, Lines, Results, Stretches, popcount_tile
from minibnn.ops.rounding import sum_dtype
from minibnn.ops.shapes import windows

CHUNK = 96  # output pixels of one task at most, enough to use a column of the kernel well
ONE, TWO, FOUR = (0,), (0,) * 2, (0,) * 4  # sizes of tiles
PLAIN, POOLED, SIGNED = (), (0,), (0,)
NO_PLACES = np.empty(0, np.uint8)


class Operands(NamedTuple):
    """What a product takes beside x: it depends on shapes and weights alone."""

    seen: object  # the Windows of a convolution; None: dense
    size: tuple  # height and width of what a convolution gives
    image: int  # words of one padded image
    rows: np.ndarray  # of x: where an output pixel's words start
    offsets: np.ndarray  # from there to each tap
    w: Columns
    base: Lines


def dense_operands(batch, w):
    """Of Signs (batch, I) with Signs (I, O); the rows of a batch are pixels of one image."""
    n, outputs = w.shape
    depth, lanes = depth_of(n), padded_lanes(outputs)
    bits = filled_lanes(w.words).reshape(-1)
    base = Lines(np.full(lanes, n, np.int32), steps(batch, 0))
    columns = Columns(bits, steps(1, 0), 1, depth, lanes)
    return Operands(None, (), 0, steps(batch, depth), steps(1, 0), columns, base)


def conv2d_operands(image, w, strides, padding, pad_value, pooled):
    """Of Signs (N, *image, I) with Signs HWIO."""
    seen = windows(image, w.shape[:2], strides, padding)
    height, width, channels, outputs = w.shape
    taps, depth, lanes = height * width, depth_of(channels), padded_lanes(outputs)
    lists = gather(seen.image, seen.kernel, strides, padding, depth, pooled)
    bits = filled_lanes(w.words).reshape(-1)
    # What a sum starts from: all signs equal, less the missing taps. The padding is packed as +1;
    # where it is to add 0, the sums over the missing taps' signs go.
    base = np.full((len(lists.missing), lanes), taps * channels, np.int32)
    if pad_value == 0 and lists.missing.any():
        negative = np.bitwise_count(bits.reshape(taps, depth, lanes)).sum(1, dtype=np.int32)
        base -= lists.missing.astype(np.int32) @ (channels - 2 * negative)
    base = Lines(base.reshape(-1), (lists.classes * lanes).astype(np.int32))
    columns = Columns(bits, steps(taps, depth * lanes), taps, depth, lanes)
    size = windows(seen.output, (2, 2), (2, 2), "valid").output if pooled else seen.output
    return Operands(seen, size, lists.image, lists.rows, lists.offsets, columns, base)


def signs_dense(x, w):
    """(B, I) @ (I, O), both Signs, as integers (B, O)."""
    batch, n = x.shape
    operands = dense_operands(batch, w)
    out = empty((batch, operands.w.stride), sum_dtype(n))
    multiply(x.words, 1, operands, out, NO_PLACES, False)
    return np.ascontiguousarray(out[..., : w.shape[1]])


def signs_conv2d(x, w, strides, padding, pad_value, pooled=False):
    """Convolution of Signs NHWC with a binary kernel HWIO: integers NHWC.

    With ``pooled``, (y, where) after 2x2 max pooling: nothing else reaches memory.
    """
    operands = conv2d_operands(x.shape[1:3], w, strides, padding, pad_value, pooled)
    images, outputs, n = x.shape[0], w.shape[3], w.shape[0] * w.shape[1] * w.shape[2]
    out = empty((images, *operands.size, operands.w.stride), sum_dtype(n))
    where = empty(out.shape, np.uint8) if pooled else NO_PLACES
    multiply(x.words, images, operands, out, where, pooled)
    out = np.ascontiguousarray(out[..., :outputs])
    return (out, np.ascontiguousarray(where[..., :outputs])) if pooled else out


AS_NUMBERS = PLAIN, np.empty(0, np.int32), np.empty(0, np.uint32)


def multiply(words, images, operands, out, where, pooled, stored=AS_NUMBERS):
    """Fill ``out`` (and ``where``), whose last axis is that of the lanes or of their words.

    ``stored`` is (SIGNED, level, turned) for bits, see ``tiles.popcount_tile``.
    """
    seen, _, image, rows, offsets, w, base = operands
    words = np.ascontiguousarray(words).reshape(-1) if seen is None else padded_words(words, seen)
    pitch, pixels = out.shape[-1], len(rows)
    outs = steps_by_four(pixels // 4, pitch) if pooled else steps(pixels, pitch)
    queue = np.zeros(get_num_threads(), np.int64)
    _products(
        simd(), queue, words, image, images, rows, offsets, *w, *base, out.reshape(-1), outs,
        where.reshape(-1), pooled, *stored,
    )  # fmt: skip


@lru_cache(maxsize=256)
def steps_by_four(windows, pitch):
    """Where the four pixels of each pooling window go: to one place."""
    return np.repeat(steps(windows, pitch), 4)


@kernel(parallel=True)
def _products(
    simd, queue, words, image, images, rows, offsets, bits, planes, taps, depth, lanes, base, bases,
    out, outs, where, pooled, signed, level, turned,
):  # fmt: skip
    """All rows of all images by all lanes; a task owns some pixels of one image.

    Tuples are made here: to hand one in from Python takes as long as a small product.
    """
    x, w = Stretches(words, rows, offsets), Columns(bits, planes, taps, depth, lanes)
    starts, results = Lines(base, bases), Results(out, outs, where, level, turned)
    pixels = len(rows)
    # A dense layer is one image: with few samples each thread gets some.
    chunk = 4 * min(CHUNK // 4, images * pixels // (8 * len(queue)) + 1)
    chunks = -(-pixels // chunk)
    for _ in prange(len(queue)):
        for task in taken(queue, images * chunks):
            n, first = task // chunks, task % chunks * chunk
            own = first, min(first + chunk, pixels)
            start, to = n * image, n * (len(out) // images)
            if pooled:
                _sweep_columns(simd, FOUR, POOLED, signed, x, start, own, w, starts, results, to)
            elif own[1] - first >= 4:
                _sweep_columns(simd, FOUR, PLAIN, signed, x, start, own, w, starts, results, to)
            else:
                _sweep_columns(simd, ONE, PLAIN, signed, x, start, own, w, starts, results, to)


@kernel(inner=True)
def _sweep_columns(simd, height, pooled, signed, x, start, own, w, base, out, place):
    """Widest tiles first; the last tile of a row or column overlaps the one before it."""
    if w.stride >= 64:
        _sweep(simd, height, FOUR, pooled, signed, x, start, own, w, base, out, place)
    else:
        _sweep(simd, height, TWO, pooled, signed, x, start, own, w, base, out, place)


@kernel(inner=True)
def _sweep(simd, height, width, pooled, signed, x, start, own, w, base, out, place):
    columns, (first, last) = GROUP * len(width), own
    for left in range(0, w.stride, columns):  # a column of words stays in the cache for all rows
        column = min(left, w.stride - columns)
        to = place + (column // WORD if len(signed) else column)
        for top in range(first, last, len(height)):
            row = min(top, last - len(height))
            popcount_tile(
                simd, height, width, pooled, signed, x, start, row, w, column, base, out, to
            )
