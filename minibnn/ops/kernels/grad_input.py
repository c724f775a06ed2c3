"""Numbers x bits: the gradients of the inputs of binary layers, on the table tile.

dx of a pixel is the sum over taps and outputs of dy times a sign. The tables are made of dy, four
outputs of a pixel each, and serve every input channel and every tap that meets the pixel.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import ZERO, depth_of, filled_lanes, padded_lanes, steps
from minibnn.ops.kernels.scratch import empty, scratch
from minibnn.ops.kernels.table_tiles import FOUR, FRESH, ONE, TWO, table_tile
from minibnn.ops.kernels.tables import all_row_tables, build_tables, numbers
from minibnn.ops.kernels.tasks import taken
from minibnn.ops.kernels.tiles import Columns, Lines, Stretches
from minibnn.ops.shapes import windows

BAND = 400_000  # bytes of tables a task holds, about half of a second-level cache


def grad_input_dense(dy, w_t):
    """dy (B, O) float32 or Fixed by the transposed kernel, Signs (O, I) on axis 0: (B, I)."""
    batch, outputs = dy.shape
    inputs = w_t.shape[1]
    depth, lanes, own = depth_of(outputs), padded_lanes(inputs), numbers(dy)
    tables = scratch("dense tables", (batch * depth * own.entries,), own.table)
    all_row_tables(own.path, own.values.reshape(-1), batch, outputs, depth, own.entries, tables)
    tables = Stretches(tables, steps(batch, depth * own.entries), ZERO)
    w = Columns(filled_lanes(w_t.words).reshape(-1), ZERO, 1, depth, lanes)
    dx = empty((batch, lanes), own.sum)
    _dense(own.path, tables, own.limit, w, Lines(dx.reshape(-1), steps(batch, lanes)))
    dx = np.ascontiguousarray(dx[..., :inputs])
    return dy.like(dx) if isinstance(dy, Fixed) else dx


def grad_input_conv2d(dy, w_t, input_shape, strides, padding):
    """dy NHWC float32 or Fixed, w_t Signs (H, W, O, I) on axis 2: dx of ``input_shape``."""
    kernel_size, outputs, inputs = w_t.shape[:2], w_t.shape[2], w_t.shape[3]
    depth, lanes = depth_of(outputs), padded_lanes(inputs)
    w = filled_lanes(w_t.words).reshape(-1)
    own = numbers(dy)
    pixel, size = depth * own.entries, np.dtype(own.table).itemsize
    dx = empty((*input_shape[:3], lanes), own.sum)
    geometry = tuple(input_shape[1:3]), tuple(kernel_size), tuple(strides), padding
    for phase in _phases(*geometry, depth, lanes, pixel, size):
        if len(phase.offsets) == 0:
            dx[:, phase.first[0] :: strides[0], phase.first[1] :: strides[1]] = 0
            continue
        queue = np.zeros(get_num_threads(), np.int64)
        tables = scratch("band tables", (len(queue) * phase.tables,), own.table)
        columns = Columns(w, phase.planes, len(phase.planes), depth, lanes)
        of_dy = own.values.reshape(-1), dy.shape, own.entries, own.limit
        _bands(own.path, queue, *of_dy, phase, tables, columns, dx.reshape(-1))
    dx = np.ascontiguousarray(dx[..., :inputs])
    return dy.like(dx) if isinstance(dy, Fixed) else dx


class Phase(NamedTuple):
    """The input pixels that meet the same taps: with strides s, every s-th row and column."""

    first: tuple  # of these pixels
    grid: tuple  # rows and columns of them
    reach: tuple  # offsets into dy of the first and last row, then column, that pixel (0, 0) meets
    bands: int  # into which the grid's rows are cut, so that their tables fit a cache
    rows_in_band: int
    tables: int  # entries of one band's
    rows: np.ndarray  # of a pixel's tables in its band; this and the others are the tile's lists
    offsets: np.ndarray  # of a tap's tables
    planes: np.ndarray  # of a tap's words
    outs: np.ndarray  # of a pixel's output


@lru_cache(maxsize=256)
def _phases(image, kernel_size, strides, padding, depth, lanes, pixel, size):
    seen = windows(image, kernel_size, strides, padding)
    firsts = product(*(range(min(s, n)) for s, n in zip(strides, image, strict=True)))
    return [_phase(seen, first, depth, lanes, pixel, size) for first in firsts]


def _phase(seen, first, depth, lanes, pixel, size):
    """``pixel`` entries of ``size`` bytes are the tables of a pixel."""
    # Tap k of output o meets input o * stride + k - padding, so input f + g * stride meets,
    # through each tap that divides, output g + (f + padding - k) / stride.
    steps_y, steps_x = (
        [(k, (f + before - k) // stride) for k in range(size) if (f + before - k) % stride == 0]
        for f, before, stride, size in zip(
            first, (seen.top, seen.left), seen.strides, seen.kernel, strict=True
        )
    )
    grid = tuple(
        -(-(size - f) // s) for size, f, s in zip(seen.image, first, seen.strides, strict=True)
    )
    if not steps_y or not steps_x:
        return Phase(first, grid, (0, 0, 0, 0), 0, 0, 0, *[np.empty(0, np.int32)] * 4)
    low_y, high_y = (f(e for _, e in steps_y) for f in (min, max))
    low_x, high_x = (f(e for _, e in steps_x) for f in (min, max))
    across = grid[1] + high_x - low_x
    fitting = max(1, BAND // (across * pixel * size) - (high_y - low_y))
    bands = -(-grid[0] // fitting)
    rows_in_band = -(-grid[0] // bands)
    bands = -(-grid[0] // rows_in_band)
    y, x = (a.ravel() for a in np.mgrid[: grid[0], : grid[1]])
    sy, sx = seen.strides
    target = (first[0] + sy * y) * seen.image[1] + first[1] + sx * x
    taps = [(ky, ey, kx, ex) for ky, ey in steps_y for kx, ex in steps_x]
    offsets = [((ey - low_y) * across + ex - low_x) * pixel for _, ey, _, ex in taps]
    planes = [(ky * seen.kernel[1] + kx) * depth * lanes for ky, _, kx, _ in taps]
    rows = (y % rows_in_band * across + x) * pixel
    lists = [np.array(each, np.int32) for each in (rows, offsets, planes, target * lanes)]
    entries = (rows_in_band + high_y - low_y) * across * pixel
    return Phase(first, grid, (low_y, high_y, low_x, high_x), bands, rows_in_band, entries, *lists)


@kernel(parallel=True)
def _bands(simd, queue, dy, shape, entries, limit, phase, tables, w, dx):
    """A task makes the tables of a band of one image and looks up all its pixels."""
    images, height, width, outputs = shape
    grid_y, grid_x = phase.grid
    low_y, high_y, low_x, high_x = phase.reach
    bands, rows_in_band, size = phase.bands, phase.rows_in_band, phase.tables
    x, out = Stretches(tables, phase.rows, phase.offsets), Lines(dx, phase.outs)
    across = grid_x + high_x - low_x
    pixel = w.depth * entries
    image = len(dx) // max(1, images)
    for _ in prange(len(queue)):
        for task in taken(queue, images * bands):
            n, first = task // bands, task % bands * rows_in_band
            last = min(first + rows_in_band, grid_y)
            own = get_thread_id() * size
            for y in range(first + low_y, last + high_y):
                line = own + (y - first - low_y) * across * pixel
                if y < 0 or y >= height:
                    tables[line : line + across * pixel] = 0
                    continue
                for column in range(low_x, grid_x + high_x):
                    at = line + (column - low_x) * pixel
                    if column < 0 or column >= width:
                        tables[at : at + pixel] = 0
                    else:
                        source = ((n * height + y) * width + column) * outputs
                        build_tables(simd, dy, source, outputs, w.depth, entries, tables, at)
            start, pixels = own, (first * grid_x, last * grid_x)
            for k in range(-(-w.stride // 64)):  # a column of words stays in the cache for all rows
                _sweep_column(simd, k, x, start, pixels, limit, w, out, n * image)


@kernel(parallel=True)
def _dense(simd, tables, limit, w, out):
    """A task owns some lanes of all rows."""
    for task in prange(-(-w.stride // 64)):
        _sweep_column(simd, task, tables, 0, (0, len(tables.rows)), limit, w, out, 0)


@kernel(inner=True)
def _sweep_column(simd, k, tables, start, rows, limit, w, out, place):
    """Column k of the widest tiles; the last tile of a row or column overlaps the one before it."""
    if w.stride >= 64:
        column = min(k * 64, w.stride - 64)
        _sweep_rows(simd, FOUR, tables, start, rows, limit, w, column, out, place + column)
    else:
        _sweep_rows(simd, TWO, tables, start, rows, limit, w, 0, out, place)


@kernel(inner=True)
def _sweep_rows(simd, width, tables, start, rows, limit, w, column, out, place):
    """``rows`` are the first and last + 1."""
    first, last = rows
    if last - first >= 4:
        for top in range(first, last, 4):
            row = min(top, last - 4)
            table_tile(simd, FOUR, width, FRESH, tables, start, row, limit, w, column, out, place)
    else:
        for row in range(first, last):
            table_tile(simd, ONE, width, FRESH, tables, start, row, limit, w, column, out, place)
