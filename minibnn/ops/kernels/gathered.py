"""Integers x signs before 2x2 max pooling, on AVX2: only what a maximum passed is multiplied.

Of a window's four pixels one has an output's gradient, and many of those are rounded to zero. So
both gradients are sums over lists: numbers, each of which multiplies a row of ROW signs, as bytes
plus 1. For an input's gradient a window has four lists, one for each place, of the outputs whose
maximum sat there; an output's row is of the kernel, at a tap, and sums lie on the grid that
``matrix.py`` describes. For a kernel's gradient LIST windows have a list for each output, and a
row is of an image on that grid.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.emit import I8, I16, I32, I64, tile
from minibnn.ops.kernels.layout import filled_lanes
from minibnn.ops.kernels.matrix import grid_of, place_of, put
from minibnn.ops.kernels.scratch import empty, scratch
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tasks import taken

ROW = 64  # signs of a row: a cache line
LIST = 128  # numbers at most that are summed in 16 bits: products of at most 2 x 127
ROOM = LIST + 16  # of a list: lists a power of two apart would share lines of the cache
TAPS = 3  # whose sums fit the registers
ORDERS = np.array([sorted(range(8), key=lambda k: ~m >> k & 1) for m in range(256)], np.uint8)
OUTPUTS = 16  # of a kernel that a task owns


class Lists(NamedTuple):
    """Numbers, and of each the row that it multiplies; behind a list stands a number 0."""

    numbers: np.ndarray
    places: np.ndarray


def _lists(shape):
    """Room for lists of the last axis."""
    return Lists(
        scratch("gradients as bytes", shape, np.int8), scratch("their rows", shape, np.int32)
    )


@tile("rows starts lists at count sums to apart", constants="")
def gather_rows(e, rows, starts, lists, at, count, sums, to, apart):
    """Rows sums[to + apart[t]] += numbers x (rows[starts[t] + places] - 1), for TAPS taps t.

    The list starts at ``at`` and has at most LIST entries, or goes on behind LIST, an even number.
    """
    build, every = e.builder, [(t, v) for t in range(TAPS) for v in range(ROW // 32)]
    mine = [e.times(build.load(e.at(starts, I64(t))), I64(ROW)) for t in range(TAPS)]
    slots = {(*each, h): e.variable(e.half(0)) for each in every for h in range(2)}
    extra = e.variable(e.half(0))
    with e.loop(build.lshr(e.add(count, I64(1)), I64(1))) as pair:
        first = e.add(at, e.times(pair.index, I64(2)))
        two = build.bitcast(e.splat(e.load(I16, lists.numbers, first)), e.bytes)
        pixels = [e.times(e.entry(lists.places, first, I64(k)), I64(ROW)) for k in range(2)]
        products = e.pairs(ir.Constant(e.bytes, [1] * 32), two)
        build.store(build.add(build.load(extra), products), extra)
        for t, v in every:
            signs = [e.load(e.bytes, rows, mine[t], pixel, I64(32 * v)) for pixel in pixels]
            for h in range(2):  # both side by side, eight bytes of each sixteen
                order = [32 * (k % 2) + 16 * (k // 16) + 8 * h + k % 16 // 2 for k in range(32)]
                products = e.pairs(e.shuffled(*signs, order), two)
                build.store(build.add(build.load(slots[t, v, h]), products), slots[t, v, h])
    for t, v in every:
        halves = [build.sub(build.load(slots[t, v, h]), build.load(extra)) for h in range(2)]
        row = e.times(e.add(to, build.load(e.at(apart, I64(t)))), I64(ROW))
        for eight in range(4):
            order = [16 * (eight % 2) + 8 * (eight // 2) + k for k in range(8)]
            more, there = build.sext(e.shuffled(*halves, order), e.ints), I64(32 * v + 8 * eight)
            e.store(build.add(e.load(e.ints, sums, row, there), more), sums, row, there)


@tile("orders dy where at place lists ends end", constants="")
def append(e, orders, dy, where, at, place, lists, ends, end):
    """To a list up to ends[end] go those of 8 outputs ``at`` with a gradient, and at this place.

    Up to 8 entries behind the list are overwritten.
    """
    build, eight = e.builder, ir.VectorType(I8, 8)
    mine, there = (e.load(eight, x, at) for x in (dy, where))
    nothing, wanted = ir.Constant(eight, None), e.splat(build.trunc(place, I8))
    kept = build.icmp_signed("!=", mine, nothing)
    kept = build.bitcast(build.and_(kept, build.icmp_signed("==", there, wanted)), I8)
    order = e.load(eight, orders, e.times(build.zext(kept, I64), I64(8)))
    both, to = (e.shuffled(x, x, [*range(8)] * 2) for x in (mine, order)), e.entry(ends, end)
    numbers = e.call("llvm.x86.ssse3.pshuf.b.128", ir.VectorType(I8, 16), *both)
    e.store(e.shuffled(numbers, numbers, [*range(8)]), lists.numbers, to)
    first = e.splat(build.trunc(at, I32))
    e.store(build.add(first, build.zext(order, e.ints)), lists.places, to)
    found = build.zext(e.call("llvm.ctpop.i8", I8, kept), I64)
    build.store(e.add(to, found), e.at(ends, end))


def gathered_grad_input(dy, w_t, input_shape, padding, where):
    """dx (``input_shape``) of dy Fixed NHWC at the maxima ``where``, w_t Signs (H, W, O, I)."""
    *kernel_size, outputs, inputs = w_t.shape
    grid, shifts = grid_of(tuple(input_shape[1:3]), tuple(kernel_size), padding)
    maxima, chunks, apart = dy.size // outputs, -(-inputs // ROW), _taps(grid.margin + shifts)
    positions = grid.rows * grid.columns + 2 * grid.margin
    signs = scratch("signs as bytes", (chunks, len(apart), outputs, ROW), np.uint8, fill=1)
    room = outputs + 4 + 8  # a 0 behind each list, and what append writes too much
    lists, ends = _lists((maxima, room)), scratch("ends of lists", (maxima, 5), np.int64)
    queue = np.zeros(get_num_threads(), np.int64)
    sums = scratch("sums of bytes", (len(queue), positions, ROW), np.int32)
    dx = empty(input_shape, np.int32)
    _kernel_rows(w_t.words.reshape(len(shifts), -1, inputs), signs)
    rows = [filled_lanes(x.reshape(maxima, outputs)) for x in (dy.integers, where)]
    _lists_of_windows(simd(), ORDERS, *rows, lists, ends)
    starts = outputs * np.arange(len(apart))
    _input_sums(simd(), queue, signs, lists, ends, grid, dy.shape[2], starts, apart, sums, dx)
    return dy.like(dx)


def gathered_grad_kernel(x, dy, kernel_size, strides, padding, pad_value, where, fixed):
    """dw HWIO, float32 or with ``fixed`` Fixed, of x Signs NHWC and dy Fixed of the maxima."""
    images, *image, inputs = x.shape
    grid, shifts = grid_of(tuple(image), tuple(kernel_size), padding)
    outputs, chunks, starts = dy.shape[3], -(-inputs // ROW), _taps(grid.margin + shifts)
    positions = images * grid.rows * grid.columns + 2 * grid.margin
    stretches = -(-dy.size // outputs // LIST)
    lists = _lists((stretches, outputs, ROOM))
    counts = scratch("lengths of lists", (stretches, outputs), np.int64)
    signs = scratch("signs as bytes", (chunks, positions, ROW), np.uint8)
    queue = np.zeros(get_num_threads(), np.int64)
    sums = scratch("sums of bytes", (len(queue), OUTPUTS, len(starts), ROW), np.int32)
    dw = empty((*kernel_size, inputs, outputs), np.int32 if fixed else np.float32)
    words = np.ascontiguousarray(x.words).reshape(-1, x.words.shape[3])
    _sign_rows(words, grid, images, pad_value, signs)
    _lists_of_outputs(np.ascontiguousarray(dy.integers), where, grid, lists, counts)
    unit, out = np.float32(0 if fixed else dy.unit), dw.reshape(-1, inputs, outputs).view(np.int32)
    apart = np.arange(len(starts))
    _kernel_sums(simd(), queue, signs, lists, counts, starts, apart, sums, unit, out)
    return dy.like(dw) if fixed else dw


def _taps(rows):
    """Filled up to whole TAPS; sums of a kernel that these give are dropped, of an input are 0."""
    return np.append(rows, np.zeros(-len(rows) % TAPS, rows.dtype))


@kernel(parallel=True)
def _kernel_rows(words, rows):
    """rows[i / ROW, tap, o] = 1 + the signs of ROW inputs."""
    taps, depth = words.shape[:2]
    for task in prange(taps * depth):
        t, k = task // depth, task % depth
        for o in range(k * WORD, min((k + 1) * WORD, rows.shape[2])):
            for i in range(len(rows)):
                mine = words[t, k, i * ROW : (i + 1) * ROW]
                for j in range(len(mine)):
                    rows[i, t, o, j] = 2 - 2 * (mine[j] >> np.uint32(o % WORD) & np.uint32(1))


@kernel(parallel=True)
def _sign_rows(words, grid, images, pad_value, rows):
    """rows[i / ROW, margin + p] = 1 + the signs of ROW channels at position p, or the padding."""
    for p in prange(rows.shape[1]):
        n, y, x = place_of(grid, p - grid.margin)
        inside = 0 <= n < images and y < grid.height and x < grid.width
        at = (n * grid.height + y) * grid.width + x
        for k in range(words.shape[1]):
            word = words[at, k] if inside else np.uint32(0)
            row = rows[k // 2, p, k % 2 * WORD : (k % 2 + 1) * WORD]
            for j in range(WORD):
                sign = 1 - 2 * np.int32(word >> np.uint32(j) & np.uint32(1))
                row[j] = 1 + (sign if inside else pad_value)


@kernel(parallel=True)
def _lists_of_windows(simd, orders, dy, where, lists, ends):
    """Of each window four lists, place by place: the gradients there, and their outputs.

    ends[window, place + 1] is behind that list and its 0, where the next one starts.
    """
    for w in prange(len(dy)):
        numbers, places, end = lists.numbers[w], lists.places[w], ends[w]
        end[0] = 0
        for place in range(4):
            end[place + 1] = end[place]
            for o in range(0, dy.shape[1], 8):
                # Only for this call: Numba drops assignments to a new tuple's arrays as dead.
                mine = Lists(numbers, places)
                append(simd, orders, dy[w], where[w], o, place, mine, end, place + 1)
            last = end[place + 1]
            numbers[last], places[last], end[place + 1] = 0, 0, last + 1


@kernel(parallel=True)
def _lists_of_outputs(dy, where, grid, lists, counts):
    """Of each LIST windows a list for each output: its gradients, and their positions."""
    images, height, width, outputs = dy.shape
    for s in prange(len(counts)):
        numbers, places, count = lists.numbers[s], lists.places[s], counts[s]
        count[:] = 0
        for window in range(s * LIST, min((s + 1) * LIST, images * height * width)):
            n, y, x = window // (height * width), window // width % height, window % width
            corner = (n * grid.rows + 2 * y) * grid.columns + 2 * x
            for o in range(outputs):
                place, at = where[n, y, x, o], np.uint64(count[o])
                numbers[o, at] = dy[n, y, x, o]
                places[o, at] = corner + grid.columns * (place >> 1) + (place & 1)
                count[o] += dy[n, y, x, o] != 0
        for o in range(outputs):
            numbers[o, count[o]], places[o, count[o]] = 0, 0


@kernel(parallel=True)
def _input_sums(simd, queue, signs, lists, ends, grid, across, starts, apart, sums, dx):
    """A task owns ROW inputs of an image."""
    flat, room = Lists(lists.numbers.reshape(-1), lists.places.reshape(-1)), lists.numbers.shape[1]
    images, maxima = len(dx), len(ends) // max(1, len(dx))
    for _ in prange(len(queue)):
        for task in taken(queue, len(signs) * images):
            i, n, mine = task // images, task % images, sums[get_thread_id()]
            rows, all_sums = signs[i].reshape(-1), mine.reshape(-1)
            mine[:] = 0
            for t in range(0, len(starts), TAPS):
                for w in range(maxima):
                    for place in range(4):
                        y, x = w // across * 2 + place // 2, w % across * 2 + place % 2
                        to, last = y * grid.columns + x, ends[n * maxima + w, place + 1] - 1
                        for k in range(ends[n * maxima + w, place], last, LIST):
                            at, n_k = (n * maxima + w) * room + k, min(LIST, last - k)
                            gather_rows(
                                simd, rows, starts[t:], flat, at, n_k, all_sums, to, apart[t:]
                            )
            for y in range(grid.height):
                for x in range(grid.width):
                    to = dx[n, y, x, i * ROW : (i + 1) * ROW]
                    to[:] = mine[grid.margin + y * grid.columns + x, : len(to)]


@kernel(parallel=True)
def _kernel_sums(simd, queue, signs, lists, counts, starts, apart, sums, unit, dw):
    """A task owns ROW inputs and OUTPUTS outputs of all taps."""
    flat = Lists(lists.numbers.reshape(-1), lists.places.reshape(-1))
    taps, inputs, outputs = dw.shape
    blocks = -(-outputs // OUTPUTS)
    for _ in prange(len(queue)):
        for task in taken(queue, len(signs) * blocks):
            i, o, mine = task // blocks, task % blocks * OUTPUTS, sums[get_thread_id()]
            rows, all_sums = signs[i].reshape(-1), mine.reshape(-1)
            width, mine[:] = min(OUTPUTS, outputs - o), 0
            for s in range(len(counts)):
                for k in range(width):
                    at, n, to = (s * outputs + o + k) * ROOM, counts[s, o + k], k * len(starts)
                    for t in range(0, len(starts), TAPS):
                        gather_rows(simd, rows, starts[t:], flat, at, n, all_sums, to, apart[t:])
            for t in range(taps):
                for c in range(min(ROW, inputs - i * ROW)):
                    put(dw[t, i * ROW + c, o : o + width], mine[:width, t, c], unit)
