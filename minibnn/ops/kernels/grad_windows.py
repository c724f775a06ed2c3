"""The gradient of a binary convolution's input where 2x2 max pooling follows.

Of each window of outputs only the maximum has a gradient, for each output channel at another place.
An input pixel that meets several pixels of a window therefore needs one look-up, not several, once
the sign was chosen that belongs to the maximum's place: with a 3x3 kernel a pixel meets nine
outputs but four windows, of which it sees all four places (once), two (twice) or one.

Where it sees some places only, the maxima that sit elsewhere must not count: each window has its
tables nine times, for all rows or one and for all columns or one. The windows of an image pass
through a ring of as many rows as a kernel reaches.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.bits import WORD
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import ZERO, depth_of, filled_lanes, padded_lanes
from minibnn.ops.kernels.scratch import empty, scratch
from minibnn.ops.kernels.table_tiles import ADD, FOUR, ONE, TWO, select_tile, table_tile
from minibnn.ops.kernels.tables import build_tables, numbers
from minibnn.ops.kernels.tasks import taken
from minibnn.ops.kernels.tiles import Columns, Lines, Stretches, mask_tile
from minibnn.ops.kernels.word_tables import add_tables
from minibnn.ops.shapes import windows

COLUMNS = 64  # input channels of a tile
KINDS = 9  # tables of a window: rows {0}, {1}, both, times columns {0}, {1}, both
BOTH = 2
PLACES, MASKS = 4, 2  # of a window; a mask tells columns apart, the other rows

# Columns of a step: places seen, row and column of its window, kind of table, first mask, and where
# the words of each place's tap start.
SEEN, ROW, COLUMN, KIND, MASK, PLANES = range(6)


class Reach(NamedTuple):
    """How the pixels of an image meet the 2x2 windows of a convolution's outputs.

    Pixel (y, x) is 2 (Y, X) + (a, b) - padding, with a and b 0 or 1: its parity.
    """

    low: tuple  # the first window that pixels with (Y, X) = (0, 0) meet
    rows: tuple  # how many windows they meet in each direction
    first: np.ndarray  # int32 (2, 2): of Y, then X, the first for parities 0 and 1
    last: np.ndarray  # likewise the last + 1
    steps: np.ndarray  # int32 (4, steps, 9): for each parity 2 a + b the windows a pixel meets


@lru_cache(maxsize=256)
def _reach(image, kernel_size, padding, depth, lanes):
    seen = windows(image, kernel_size, (1, 1), padding)
    # Along one axis, pixel 2 Y + parity - padding meets, through tap k, output 2 Y + parity - k:
    # pixel (parity - k) % 2 of window Y + (parity - k) // 2.
    meets = [[_windows_met(parity, size) for parity in (0, 1)] for size in kernel_size]
    reached = [[e for group in axis for e, _, _ in group] for axis in meets]
    steps = [
        sorted(_step(*y, *x, kernel_size[1], depth, lanes) for y, x in product(above, beside))
        for above, beside in product(*meets)
    ]
    table = np.zeros((4, max(map(len, steps)), PLANES + PLACES), np.int32)
    for parity, mine in enumerate(steps):  # sorted: windows of which one place is seen come first
        table[parity, : len(mine)] = mine
    size, before = np.array([image, (seen.top, seen.left)])[..., np.newaxis]
    parity = np.arange(2)
    return Reach(
        tuple(min(axis) for axis in reached),
        tuple(max(axis) - min(axis) + 1 for axis in reached),
        (-(-(before - parity) // 2)).astype(np.int32),
        (-(-(size + before - parity) // 2)).astype(np.int32),
        table,
    )


def _windows_met(parity, size):
    """[(window, its places along this axis, the tap of each)]."""
    out = {}
    for k in reversed(range(size)):  # then the places rise
        out.setdefault((parity - k) // 2, []).append(((parity - k) % 2, k))
    return [(window, *zip(*seen, strict=True)) for window, seen in out.items()]


def _step(ey, rows, ky, ex, columns, kx, across, depth, lanes):
    kind = 3 * (BOTH if len(rows) == 2 else rows[0]) + (BOTH if len(columns) == 2 else columns[0])
    planes = [(i * across + j) * depth * lanes for i in ky for j in kx]
    mask = 0 if len(columns) == 2 else depth
    return [len(planes), ey, ex, kind, mask, *planes, *[0] * (PLACES - len(planes))]


def fits_windows(strides, inputs):
    """Whether ``grad_input_windows`` can do it: steps of 1, and enough inputs for its tile."""
    return tuple(strides) == (1, 1) and inputs >= COLUMNS


def grad_input_windows(dy, where, w_t, input_shape, padding):
    """dx (``input_shape``) of a convolution followed by 2x2 max pooling.

    dy (float32 or Fixed) and where (uint8) NHWC as the pool gave them, w_t Signs (H, W, O, I) on
    axis 2.
    """
    image, kernel_size = tuple(input_shape[1:3]), tuple(w_t.shape[:2])
    outputs, inputs = w_t.shape[2:]
    depth, lanes, own = depth_of(outputs), padded_lanes(inputs), numbers(dy)
    reach = _reach(image, kernel_size, padding, depth, lanes)
    seen = windows(image, kernel_size, (1, 1), padding)
    first_column = int(reach.first[1].min()) + reach.low[1]
    across = int(reach.last[1].max()) + reach.low[1] + reach.rows[1] - 1 - first_column
    plan = Plan(
        *dy.shape[1:], image[1], seen.top, seen.left, lanes, reach.low[0], reach.rows[0],
        first_column, across, depth, own.entries, own.limit,
    )  # fmt: skip
    threads, ring = get_num_threads(), plan.ring * across
    dx = empty((*input_shape[:3], lanes), own.sum)
    _images(
        own.path, np.zeros(threads, np.int64), own.values.reshape(-1), where.reshape(-1), plan,
        reach.first, reach.last, reach.steps,
        scratch("window tables", (threads, ring * KINDS * depth * own.entries), own.table),
        scratch("window masks", (threads, ring * MASKS * depth), np.uint32),
        scratch("window values", (threads, PLACES * depth * WORD), own.values.dtype),
        filled_lanes(w_t.words).reshape(-1), dx,
    )  # fmt: skip
    dx = np.ascontiguousarray(dx[..., :inputs])
    return dy.like(dx) if isinstance(dy, Fixed) else dx


class Plan(NamedTuple):
    """The windows and pixels of an image, and the ring of tables: numbers for the kernels."""

    rows: int  # of windows
    columns: int
    outputs: int
    width: int  # of the image
    top: int  # padding
    left: int
    lanes: int  # input channels, filled up
    low: int  # the first row of windows that pixels of Y = 0 meet
    ring: int  # rows of windows that the ring holds
    first_column: int  # of the windows in the ring
    across: int  # how many columns they have
    depth: int  # words of a window's outputs
    entries: int  # of the tables that a word looks up
    limit: int  # words summed in one go


@kernel(parallel=True)
def _images(simd, queue, dy, where, plan, first, last, steps, tables, masks, values, w, dx):
    """A task owns an image."""
    size = plan.rows * plan.columns * plan.outputs
    for _ in prange(len(queue)):
        for n in taken(queue, len(dx)):
            thread, own = get_thread_id(), slice(n * size, (n + 1) * size)
            _image(
                simd, dy[own], where[own], plan, first, last, steps, tables[thread], masks[thread],
                values[thread], w, dx[n].reshape(-1),
            )  # fmt: skip


@kernel(counts=True, inner=True)
def _image(simd, dy, where, plan, first, last, steps, table, mask, values, w, dx):
    """Row after row of windows, and the pixels that meet them."""
    x_count = max(last[1, 0], last[1, 1]) - min(first[1, 0], first[1, 1])
    pixel, mask_pixel = KINDS * plan.depth * plan.entries, MASKS * plan.depth
    steps_of_x = np.arange(x_count)
    table_rows = (steps_of_x * pixel).astype(np.int32)
    mask_rows = (steps_of_x * mask_pixel).astype(np.int32)
    outs = (steps_of_x * 2 * plan.lanes).astype(np.int32)
    begin, end = min(first[0, 0], first[0, 1]), max(last[0, 0], last[0, 1])
    for y in range(begin, end):
        newest = y + plan.low + plan.ring - 1
        # The first row fills the ring, each later one replaces its oldest.
        for row in range(y + plan.low if y == begin else newest, newest + 1):
            slot = (row - begin - plan.low) % plan.ring * plan.across
            _windows(simd, dy, where, plan, row, slot, values, table, mask)
        for parity in range(4):
            a, b = parity // 2, parity % 2
            if first[0, a] <= y < last[0, a]:
                from_x, count = first[1, b], last[1, b] - first[1, b]
                target_y, target_x = 2 * y + a - plan.top, 2 * from_x + b - plan.left
                place = (target_y * plan.width + target_x) * plan.lanes
                _row(
                    simd, steps[parity], plan, y - begin - plan.low, from_x - plan.first_column,
                    count, table, table_rows, mask, mask_rows, w, dx, place, outs,
                )  # fmt: skip


@kernel(inner=True)
def _windows(simd, dy, where, plan, row, slot, values, table, mask):
    """A row of windows, into the ring's slots from ``slot`` on; outside of the image they are 0."""
    pixel, mask_pixel = KINDS * plan.depth * plan.entries, MASKS * plan.depth
    for c in range(plan.across):
        at, column = slot + c, plan.first_column + c
        if 0 <= row < plan.rows and 0 <= column < plan.columns:
            source = (row * plan.columns + column) * plan.outputs
            _window(simd, dy, where, plan, source, values, table, at * pixel, mask, at * mask_pixel)
        else:
            table[at * pixel : (at + 1) * pixel] = 0
            mask[at * mask_pixel : (at + 1) * mask_pixel] = 0


@kernel(inner=True)
def _window(simd, dy, where, plan, source, values, table, place, masks, mask_place):
    """The nine tables and two masks of one window."""
    outputs, depth, entries = plan.outputs, plan.depth, plan.entries
    length, size = depth * WORD, depth * entries
    # Slices start at 0, so that the loop over them has no negative index to look out for.
    gradients, places = dy[source : source + outputs], where[source : source + outputs]
    for p in range(PLACES):
        mine = values[p * length : (p + 1) * length]
        for o in range(outputs):
            mine[o] = gradients[o] if places[o] == p else values.dtype.type(0)
        mine[outputs:] = 0
        kind = 3 * (p // 2) + p % 2
        build_tables(simd, values, p * length, length, depth, entries, table, place + kind * size)
    for row in range(2):  # both columns of a row, then both rows of a column
        at = place + 3 * row * size
        add_tables(simd, table, at, at + size, at + BOTH * size, size)
    for column in range(3):
        at = place + column * size
        add_tables(simd, table, at, at + 3 * size, at + 3 * BOTH * size, size)
    for d in range(outputs // WORD):
        mask_tile(simd, where, source + WORD * d, masks, mask_place + d, depth)
    for d in range(outputs // WORD, depth):
        for c in range(MASKS):
            word = np.uint32(0)
            for j in range(outputs - WORD * d):
                bit = where[source + WORD * d + j] >> np.uint8(c) & np.uint8(1)
                word |= np.uint32(bit) << np.uint32(j)
            masks[mask_place + c * depth + d] = word


@kernel(inner=True)
def _row(
    simd, steps, plan, y, from_x, count, table, table_rows, mask, mask_rows, w, dx, place, outs
):  # fmt: skip
    """Every second pixel of a row of the image, by all its channels."""
    tables, masks = Stretches(table, table_rows, ZERO), Stretches(mask, mask_rows, ZERO)
    out, lanes = Lines(dx, outs), plan.lanes
    # All channels of some pixels, then the next: their tables stay in the first-level cache.
    for top in range(0, count, 4 if count >= 4 else 1):
        for left in range(0, lanes, COLUMNS):
            column = min(left, lanes - COLUMNS)
            to = place + column
            if count >= 4:
                x = min(top, count - 4)
                _pixels(simd, FOUR, x, steps, plan, y, from_x, tables, masks, w, column, out, to)
            else:
                _pixels(simd, ONE, top, steps, plan, y, from_x, tables, masks, w, column, out, to)


@kernel(inner=True)
def _pixels(simd, height, x, steps, plan, y, from_x, tables, masks, words, column, out, place):
    depth, limit = plan.depth, plan.limit
    for r in range(len(height)):
        at = place + out.rows[x + r]
        out.array[at : at + COLUMNS] = 0
    for s in range(len(steps)):
        step = steps[s]
        seen, w = step[SEEN], Columns(words, step[PLANES:], 1, depth, plan.lanes)
        slot = (y + step[ROW]) % plan.ring * plan.across + from_x + step[COLUMN]
        start = (slot * KINDS + step[KIND]) * depth * plan.entries
        own = slot * MASKS * depth + step[MASK]
        if seen == 1:
            table_tile(simd, height, FOUR, ADD, tables, start, x, limit, w, column, out, place)
        elif seen == 2:
            select_tile(
                simd, height, FOUR, TWO, tables, start, masks, own, depth, x, limit, w, column, out,
                place,
            )  # fmt: skip
        elif seen == PLACES:
            select_tile(
                simd, height, FOUR, FOUR, tables, start, masks, own, depth, x, limit, w, column,
                out, place,
            )  # fmt: skip
