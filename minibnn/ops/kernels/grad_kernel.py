"""Bits x numbers: the gradients of binary kernels, on the table tile.

dw of a tap is the sum over output pixels of the sign the tap met times dy. So the signs are packed
anew, along pixels, and the tables are made of dy, four pixels of one output each; they serve every
tap and every input channel.

Before 2x2 max pooling only one pixel in four has a gradient, for each output at another place. Then
the sums run over windows instead of pixels, and the select tile first chooses, for each window, the
sign that the tap met at the window's maximum: a quarter of the look-ups is left.
"""

from typing import NamedTuple

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.bits import WORD, Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import ZERO, depth_of, gather, padded_words, steps, window_shifts
from minibnn.ops.kernels.scratch import empty, scratch, workspace
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.table_tiles import ADD, FOUR, ONE, TWO, select_tile, table_tile
from minibnn.ops.kernels.tables import build_tables, numbers
from minibnn.ops.kernels.tasks import taken
from minibnn.ops.kernels.tiles import Columns, Lines, Stretches, mask_tile, transpose_tile
from minibnn.ops.kernels.word_tables import turn_tile
from minibnn.ops.shapes import windows

UNIT = 16  # outputs summed at once: a cache line of the result
WIDE = 512  # outputs from which on a task owns four units: long rows are many pages apart
STRETCH = 8  # words of pixels summed at a time: their tables stay in the first-level cache
PLACES, MASKS = 4, 2  # pixels of a 2x2 window; a mask tells its columns apart, the other its rows
NO_PLACES = np.empty((0, 0), np.uint8)


def grad_kernel_dense(x, dy, fixed=False):
    """x Signs (B, I) on axis 1, dy (B, O) float32 or Fixed: dw (I, O), see ``_sum``."""
    batch, inputs = x.shape
    depth = depth_of(inputs)
    words = np.ascontiguousarray(x.words).reshape(-1)
    planes = _along_pixels(words, 0, 1, steps(batch, depth), steps(1, 0), depth)
    return _sum(planes, steps(1, 0), dy, NO_PLACES, None, (inputs, dy.shape[1]), fixed)


def grad_kernel_conv2d(x, dy, kernel_size, strides, padding, pad_value, where=None, fixed=False):
    """x Signs NHWC on axis 3, dy NHWC float32 or Fixed: dw HWIO, see ``_sum``.

    With ``where`` (uint8 like dy), dy is the gradient after 2x2 max pooling.
    """
    seen = windows(x.shape[1:3], kernel_size, strides, padding)
    images, inputs, outputs = x.shape[0], x.shape[3], dy.shape[3]
    depth, taps = depth_of(inputs), kernel_size[0] * kernel_size[1]
    pooled = where is not None
    lists = gather(seen.image, seen.kernel, strides, padding, depth, pooled)
    dy = dy.reshape(images, dy.shape[1] * dy.shape[2], outputs)
    where = where.reshape(dy.shape) if pooled else None
    extra = _missed(dy, where, lists) if pad_value == 0 and lists.missing.any() else None
    rows, offsets, sources = lists.rows, lists.offsets, steps(taps, 1)
    if pooled:
        rows = np.ascontiguousarray(rows[::PLACES])
        offsets, sources = window_shifts(seen.padded[1], seen.kernel, strides, depth)
    words = padded_words(x.words, seen)
    planes = _along_pixels(words, lists.image, images, rows, offsets, depth)
    where = where.reshape(-1, outputs) if pooled else NO_PLACES
    shape = *kernel_size, inputs, outputs
    return _sum(planes, sources, dy.reshape(-1, outputs), where, extra, shape, fixed)


def bytes_as_signs(x):
    """A byte is eight signs: 2 b - 255 is the sum of 2^k (2 b_k - 1) over its bits b_k.

    Returns Signs like x with eight times the channels, those of a byte side by side, bit 0 first.
    """
    missing = -x.shape[-1] % 4
    x_padded = np.concatenate([x, np.full((*x.shape[:-1], missing), 255, x.dtype)], axis=-1)
    words = (~np.ascontiguousarray(x_padded)).view("<u4").astype(np.uint32, copy=False)
    return Signs(words, (*x.shape[:-1], 8 * x.shape[-1]), x.ndim - 1)


def joined_bytes(dw):
    """The sums over bytes from those over their eight signs (``bytes_as_signs``), Fixed."""
    *kernel, inputs, outputs = dw.shape
    planes = dw.integers.reshape(*kernel, inputs // 8, 8, outputs).astype(np.int64)
    weights = (1 << np.arange(8))[:, None]
    return Fixed((planes * weights).sum(-2), dw.exponent, 255)


def _missed(dy, where, lists):
    """(taps, O): the sum of dy over the pixels whose tap lies in the padding, packed as +1."""
    if isinstance(dy, Fixed):
        dy, total, dtype = dy.integers, np.int64, np.int32
    else:
        total, dtype = np.float64, np.float32
    lacking = lists.missing[lists.classes]
    border = np.flatnonzero(lacking.any(axis=1))
    if where is None:
        sums = dy[:, border].sum(axis=0, dtype=total)
    else:
        window, place = border // PLACES, border % PLACES
        here = where[:, window] == place[:, None].astype(np.uint8)
        sums = (here * dy[:, window]).sum(axis=0, dtype=total)  # np.where takes four times as long
    taps = lacking.shape[1]
    return np.stack([sums[lacking[border, t]].sum(axis=0) for t in range(taps)]).astype(dtype)


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
        sources = np.empty(WORD, np.int64)
        for t in range(taps):
            for j in range(count):
                n, pixel = (first + j) // len(rows), (first + j) % len(rows)
                sources[j] = n * image + rows[pixel] + offsets[t]
            place = (t * stretch + p) * lanes
            for k in range(0, depth - 3, 4):
                transpose_tile(simd, FOUR, words[k:], sources, 0, count, flat, place + 32 * k)
            for k in range(depth // 4 * 4, depth):
                transpose_tile(simd, ONE, words[k:], sources, 0, count, flat, place + 32 * k)


def _sum(planes, sources, dy, where, extra, shape, fixed):
    """dw[t * I + i, o] = the sum over pixels of signs times dy, less ``extra`` (taps, O) if given.

    ``sources`` names the plane of each tap, or, with ``where``, those of each tap's four places.
    Returns an array of ``shape``: float32, of dy Fixed too, or with ``fixed`` the sums as Fixed.
    The kernel sees 32 bits of either, and a unit of 0 where they are integers: one compilation.
    """
    _, stretch, lanes = planes.shape
    outputs, own = shape[-1], numbers(dy)
    taps = len(sources) // (1 if where is NO_PLACES else PLACES)
    if extra is None:
        extra = np.zeros((taps, outputs), own.sum)
    dw = empty(shape, np.int32 if fixed else np.float32)
    unit = 0 if fixed else dy.unit if isinstance(dy, Fixed) else 1
    units = 4 if outputs >= WIDE else 1
    outs = steps(units * UNIT, taps * lanes)
    starts = sources.astype(np.int64) * stretch * lanes
    values, places = own.values.reshape(-1), where.reshape(-1)
    block, sums = STRETCH * WORD, units * taps * lanes
    queue = np.zeros(get_num_threads(), np.int64)
    sizes = STRETCH * own.entries, MASKS * STRETCH, block, block, sums, sums
    shapes = [(len(queue), UNIT * size) for size in sizes]
    kinds = own.table, np.uint32, values.dtype, np.uint8, own.sum, np.int32
    buffers = Buffers(*workspace("kernel", shapes, kinds))
    _units(
        own.path, queue, planes, starts, outs, values, places, own.entries, own.limit,
        buffers, extra, np.float32(unit), dw.view(np.int32).reshape(-1),
    )  # fmt: skip
    return dy.like(dw) if fixed else dw


class Buffers(NamedTuple):
    """What each thread works in, (threads, UNIT * ...)."""

    tables: np.ndarray
    masks: np.ndarray
    block: np.ndarray
    places: np.ndarray
    sums: np.ndarray
    results: np.ndarray


@kernel(parallel=True)
def _units(simd, queue, planes, sources, outs, dy, where, entries, limit, buffers, extra, unit, dw):
    """A task owns some outputs of all taps and inputs, and sums over the pixels in their order."""
    (_, stretch, lanes), words = planes.shape, planes.reshape(-1)
    outputs = extra.shape[1]
    pixels = len(dy) // outputs
    rows = (np.arange(UNIT) * STRETCH * entries).astype(np.int32)
    mask_rows = (np.arange(UNIT) * MASKS * STRETCH).astype(np.int32)
    width, places = len(outs), len(sources) // len(extra)
    for _ in prange(len(queue)):
        for task in taken(queue, -(-outputs // width)):
            thread = get_thread_id()
            table, mask, total = buffers.tables[thread], buffers.masks[thread], buffers.sums[thread]
            block, block_places = buffers.block[thread], buffers.places[thread]
            total[:] = 0
            for first_output in range(task * width, min((task + 1) * width, outputs), UNIT):
                count = min(UNIT, outputs - first_output)
                mine = outs[first_output - task * width :]
                # Their tables stay in the first-level cache while all taps and inputs look them up.
                for first in range(0, stretch, STRETCH):
                    depth = min(STRETCH, stretch - first)
                    begin, end = first * WORD, min((first + depth) * WORD, pixels)
                    _turn_block(simd, dy, begin, end, outputs, first_output, count, block)
                    for r in range(UNIT):
                        at = r * STRETCH * WORD
                        build_tables(simd, block, at, end - begin, depth, entries, table, rows[r])
                    if places == PLACES:
                        _turn_block(
                            simd, where, begin, end, outputs, first_output, count, block_places
                        )
                        for r in range(UNIT):
                            for d in range(depth):
                                at, to = (r * STRETCH + d) * WORD, r * MASKS * STRETCH + d
                                mask_tile(simd, block_places, at, mask, to, STRETCH)
                    _sweep(
                        simd, places, table, rows, mask, mask_rows, limit, words, sources, first,
                        depth, lanes, total, mine,
                    )  # fmt: skip
            column = task * width
            count = min(width, outputs - column)
            _store(simd, total, lanes, column, count, extra, buffers.results[thread], unit, dw)


@kernel(inner=True)
def _turn_block(simd, numbers, begin, end, outputs, column, count, block):
    """The task's outputs of some pixels, (outputs, pixels); outputs that do not exist are 0."""
    pitch, whole = STRETCH * WORD, 0
    if count == UNIT:
        whole = (end - begin) // UNIT * UNIT
        for p in range(0, whole, UNIT):
            turn_tile(simd, numbers, (begin + p) * outputs + column, outputs, block, p, pitch)
    for p in range(whole, end - begin):
        for r in range(UNIT):
            at = (begin + p) * outputs + column + r
            block[r * pitch + p] = numbers[at] if r < count else numbers.dtype.type(0)


@kernel(inner=True)
def _sweep(
    simd, places, table, rows, mask, mask_rows, limit, words, sources, first, depth, lanes, total,
    outs,
):  # fmt: skip
    tables, masks = Stretches(table, rows, ZERO), Stretches(mask, mask_rows, ZERO)
    out = Lines(total, outs)
    for r in range(0, UNIT, 4):
        for t in range(len(sources) // places):
            w = Columns(words, sources[t * places : (t + 1) * places], 1, depth, lanes)
            for left in range(0, lanes, 64):  # of the last there may be 32
                column, to = first * lanes + left, t * lanes + left
                if left + 64 <= lanes:
                    _add(simd, FOUR, places, tables, masks, r, limit, w, column, out, to)
                else:
                    _add(simd, TWO, places, tables, masks, r, limit, w, column, out, to)


@kernel(inner=True)
def _add(simd, width, places, tables, masks, row, limit, w, column, out, place):
    if places == 1:
        table_tile(simd, FOUR, width, ADD, tables, 0, row, limit, w, column, out, place)
    else:
        select_tile(
            simd, FOUR, width, FOUR, tables, 0, masks, 0, STRETCH, row, limit, w, column, out,
            place,
        )  # fmt: skip


@kernel(inner=True)
def _store(simd, total, lanes, column, count, extra, results, unit, dw):
    """Sums (outputs, taps, lanes), less ``extra``, in units, turned around into dw.

    dw holds the bits of (taps * I, outputs) numbers: floats, or integers if ``unit`` is 0.
    """
    taps, outputs = extra.shape
    pitch, inputs = taps * lanes, len(dw) // (taps * outputs)
    for r in range(count):
        for t in range(taps):
            at, less = (r * taps + t) * lanes, extra[t, column + r]
            row, to = total[at : at + inputs], results[at : at + inputs]
            floats = to.view(np.float32)
            for k in range(inputs):
                if unit == 0:
                    to[k] = row[k] - less
                else:
                    floats[k] = np.float32(total.dtype.type(row[k] - less)) * unit
    for t in range(taps):
        whole = inputs // UNIT * UNIT
        for i in range(0, whole, UNIT):
            for r in range(0, count - UNIT + 1, UNIT):
                place = (t * inputs + i) * outputs + column + r
                turn_tile(simd, results, r * pitch + t * lanes + i, pitch, dw, place, outputs)
        for i in range(inputs):
            for r in range(count // UNIT * UNIT if i < whole else 0, count):
                dw[(t * inputs + i) * outputs + column + r] = results[r * pitch + t * lanes + i]
