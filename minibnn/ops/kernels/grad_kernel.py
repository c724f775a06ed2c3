"""Bits x floats: the gradients of binary kernels, on the table tile.

dw of a tap is the sum over output pixels of the sign the tap met times dy. So the signs are packed
anew, along pixels, once for each tap, and the tables are made of dy, four pixels of one output
each; they serve every tap and every input channel.
"""

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import depth_of, gather, padded_words, steps
from minibnn.ops.kernels.scratch import scratch
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tables import WORD_TABLES, column_tables
from minibnn.ops.kernels.tiles import table_tile, transpose_tile
from minibnn.ops.shapes import windows

UNIT = 16  # outputs of one task: a cache line of the result
STRETCH = 8  # words of pixels summed at a time: their tables stay in the first-level cache
ONE, TWO, FOUR, FIVE, SIX = ((0,) * n for n in (1, 2, 4, 5, 6))
ADD = (0,)  # sums go on top of what is there


def grad_kernel_dense(x, dy):
    """x Signs (B, I) on axis 1, dy (B, O) float32: dw (I, O) float32."""
    batch, inputs = x.shape
    depth = depth_of(inputs)
    words = np.ascontiguousarray(x.words).reshape(-1)
    planes = _along_pixels(words, 0, 1, steps(batch, depth), steps(1, 0), depth)
    dw = np.empty((inputs, dy.shape[1]), np.float32)
    _sum(planes, dy, 1, inputs, np.zeros((1, dy.shape[1]), np.float32), dw)
    return dw


def grad_kernel_conv2d(x, dy, kernel_size, strides, padding, pad_value):
    """x Signs NHWC on axis 3, dy NHWC float32: dw HWIO float32."""
    place = windows(x.shape[1:3], kernel_size, strides, padding)
    inputs, outputs = x.shape[3], dy.shape[3]
    depth, taps = depth_of(inputs), kernel_size[0] * kernel_size[1]
    lists = gather(place.image, place.kernel, strides, padding, depth)
    words = padded_words(x.words, place)
    planes = _along_pixels(words, lists.image, len(x), lists.rows, lists.offsets, depth)
    extra = np.zeros((taps, outputs), np.float32)
    if pad_value == 0 and lists.missing.any():
        extra = _missed(dy.reshape(len(x), -1, outputs), lists)
    dw = np.empty((*kernel_size, inputs, outputs), np.float32)
    _sum(planes, dy.reshape(-1, outputs), taps, inputs, extra, dw.reshape(-1, outputs))
    return dw


def _missed(dy, lists):
    """(taps, O): the sum of dy over the pixels whose tap lies in the padding, packed as +1."""
    lacking = lists.missing[lists.classes]
    border = np.flatnonzero(lacking.any(axis=1))
    sums = dy[:, border].sum(axis=0, dtype=np.float64)
    out = np.zeros((lacking.shape[1], dy.shape[2]))
    for tap in range(len(out)):
        out[tap] = sums[lacking[border, tap]].sum(axis=0)
    return out.astype(np.float32)


def _along_pixels(words, image, images, rows, offsets, depth):
    """Signs of each tap packed along all output pixels: uint32 (taps, pixels / 32, depth * 32)."""
    pixels = images * len(rows)
    planes = scratch("pixel words", (len(offsets), -(-pixels // WORD), depth * WORD), np.uint32)
    _transpose(simd(), words, image, rows, offsets, pixels, depth, planes)
    return planes


@kernel(parallel=True)
def _transpose(simd, words, image, rows, offsets, pixels, depth, planes):
    taps, stretch, lanes = planes.shape
    flat = planes.reshape(-1)
    for p in prange(stretch):
        first = p * WORD
        count = min(WORD, pixels - first)
        sources = np.empty(WORD, np.int32)
        for t in range(taps):
            for j in range(count):
                n, pixel = (first + j) // len(rows), (first + j) % len(rows)
                sources[j] = n * image + rows[pixel] + offsets[t]
            place = (t * stretch + p) * lanes
            k = 0
            while k + 4 <= depth:
                transpose_tile(simd, FOUR, words[k:], sources, 0, count, flat, place + 32 * k)
                k += 4
            while k < depth:
                transpose_tile(simd, ONE, words[k:], sources, 0, count, flat, place + 32 * k)
                k += 1


def _sum(planes, dy, taps, inputs, extra, dw):
    """dw[t * inputs + i, o] = sum over pixels of signs * dy, less ``extra`` (taps, O)."""
    lanes = planes.shape[2]
    threads = get_num_threads()
    _units(
        simd(),
        planes.reshape(-1),
        planes.shape[1],
        np.ascontiguousarray(dy).reshape(-1),
        dy.shape[1],
        taps,
        lanes,
        inputs,
        scratch("kernel tables", (threads, UNIT * STRETCH * WORD_TABLES), np.float32),
        scratch("kernel sums", (threads, UNIT * taps * lanes), np.float32),
        steps(UNIT, STRETCH * WORD_TABLES),
        extra,
        dw,
    )


@kernel(parallel=True)
def _units(simd, planes, stretch, dy, outputs, taps, lanes, inputs, tables, sums, rows, extra, dw):
    """A task owns 16 outputs of all taps and inputs, and sums over the pixels in their order."""
    pixels = len(dy) // outputs
    outs = (np.arange(UNIT) * taps * lanes).astype(np.int32)
    for task in prange(-(-outputs // UNIT)):
        column = task * UNIT
        count = min(UNIT, outputs - column)
        table, total = tables[get_thread_id()], sums[get_thread_id()]
        total[:] = 0
        for first in range(0, stretch, STRETCH):
            depth = min(STRETCH, stretch - first)
            last = min((first + depth) * WORD, pixels)
            for r in range(UNIT):
                if r < count:
                    column_tables(
                        simd, dy, first * WORD, last, outputs, column + r, depth, table, rows[r]
                    )
                else:
                    table[rows[r] : rows[r] + depth * WORD_TABLES] = 0
            _sweep(
                simd, SIX, table, rows, 0, depth, planes, first, stretch, taps, lanes, total, outs
            )
            if count > 6:
                _sweep(
                    simd,
                    FIVE,
                    table,
                    rows,
                    6,
                    depth,
                    planes,
                    first,
                    stretch,
                    taps,
                    lanes,
                    total,
                    outs,
                )
            if count > 11:
                _sweep(
                    simd,
                    FIVE,
                    table,
                    rows,
                    11,
                    depth,
                    planes,
                    first,
                    stretch,
                    taps,
                    lanes,
                    total,
                    outs,
                )
        for t in range(taps):
            for i in range(inputs):
                for r in range(count):
                    dw[t * inputs + i, column + r] = (
                        total[(r * taps + t) * lanes + i] - extra[t, column + r]
                    )


@kernel
def _sweep(simd, height, tables, rows, row, depth, planes, first, stretch, taps, lanes, out, outs):
    zero = np.zeros(1, np.int32)
    for t in range(taps):
        start = (t * stretch + first) * lanes
        left = 0
        while left + 64 <= lanes:
            table_tile(
                simd, height, FOUR, ADD, tables, 0, rows, row, zero, 1, depth, planes, zero,
                start + left, lanes, out, t * lanes + left, outs,
            )  # fmt: skip
            left += 64
        if left < lanes:
            table_tile(
                simd, height, TWO, ADD, tables, 0, rows, row, zero, 1, depth, planes, zero,
                start + left, lanes, out, t * lanes + left, outs,
            )  # fmt: skip
