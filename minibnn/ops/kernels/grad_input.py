"""Numbers x bits: the gradients of the inputs of binary layers, on the table tile.

dx of a pixel is the sum over taps and outputs of dy times a sign. The tables are made of dy, four
outputs of a pixel each, and serve every input channel and every tap that meets the pixel.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import (
    ZERO,
    depth_of,
    kernel_lanes,
    padded_lanes,
    steps,
    without_extra_lanes,
)
from minibnn.ops.kernels.scratch import empty, scratch
from minibnn.ops.kernels.table_tiles import table_tile
from minibnn.ops.kernels.tables import all_row_tables, build_tables, numbers
from minibnn.ops.shapes import windows

BAND = 400_000  # bytes of tables a task holds, about half of a second-level cache
ONE, TWO, FOUR = (0,), (0,) * 2, (0,) * 4  # sizes of tiles
FRESH = ()  # sums start at zero


def grad_input_dense(dy, w_t):
    """dy (B, O) float32 or Fixed by the transposed kernel, Signs (O, I) on axis 0: (B, I)."""
    batch, outputs = dy.shape
    inputs = w_t.shape[1]
    depth, lanes, own = depth_of(outputs), padded_lanes(inputs), numbers(dy)
    tables = scratch("dense tables", (batch * depth * own.entries,), own.table)
    all_row_tables(own.path, own.values.reshape(-1), batch, outputs, depth, own.entries, tables)
    dx = empty((batch, lanes), own.sum)
    _dense(
        own.path,
        tables,
        steps(batch, depth * own.entries),
        depth,
        own.limit,
        kernel_lanes(w_t.words, inputs, "backward kernel"),
        lanes,
        dx.reshape(-1),
        steps(batch, lanes),
    )
    return own.result(without_extra_lanes(dx, inputs), dy)


def grad_input_conv2d(dy, w_t, input_shape, strides, padding):
    """dy NHWC float32 or Fixed, w_t Signs (H, W, O, I) on axis 2: dx of ``input_shape``."""
    kernel_size, outputs, inputs = w_t.shape[:2], w_t.shape[2], w_t.shape[3]
    depth, lanes = depth_of(outputs), padded_lanes(inputs)
    w = kernel_lanes(w_t.words, inputs, "backward kernel")
    own = numbers(dy)
    pixel, size = depth * own.entries, np.dtype(own.table).itemsize
    dx = empty((*input_shape[:3], lanes), own.sum)
    for phase in _phases(
        input_shape[1:3], kernel_size, strides, padding, depth, lanes, pixel, size
    ):
        if len(phase.offsets) == 0:
            first, (sy, sx) = phase.first, strides
            dx[:, first[0] :: sy, first[1] :: sx] = 0
            continue
        bands, per_band = phase.bands, phase.rows_in_band
        tables = scratch("band tables", (get_num_threads(), phase.tables), own.table)
        _bands(
            own.path,
            own.values.reshape(-1),
            len(dy),
            *dy.shape[1:3],
            outputs,
            depth,
            own.entries,
            own.limit,
            *phase.grid,
            phase.reach,
            bands,
            per_band,
            tables,
            phase.rows,
            phase.offsets,
            w,
            phase.planes,
            lanes,
            dx.reshape(-1),
            phase.outs,
        )
    return own.result(without_extra_lanes(dx, inputs), dy)


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """The input pixels that meet the same taps: with strides s, every s-th row and column."""

    first: tuple  # of these pixels
    grid: tuple  # rows and columns of them
    reach: tuple  # offsets into dy of the first and last row, then column, that pixel (0, 0) meets
    bands: int  # into which the grid's rows are cut, so that their tables fit a cache
    rows_in_band: int
    tables: int  # entries of one band's
    rows: np.ndarray  # of a pixel's tables; this and the others are the tile's lists
    offsets: np.ndarray  # of a tap's tables
    planes: np.ndarray  # of a tap's words
    outs: np.ndarray  # of a pixel's output


@lru_cache(maxsize=256)
def _phases(image, kernel_size, strides, padding, depth, lanes, pixel, size):
    place = windows(tuple(image), tuple(kernel_size), tuple(strides), padding)
    out = []
    for y0 in range(min(strides[0], image[0])):
        for x0 in range(min(strides[1], image[1])):
            out.append(_phase(place, (y0, x0), depth, lanes, pixel, size))
    return out


def _phase(place, first, depth, lanes, pixel, size):
    """``pixel`` entries of ``size`` bytes are the tables of a pixel."""
    # Tap k of output o meets input o * stride + k - padding, so input f + g * stride meets,
    # through each tap that divides, output g + (f + padding - k) / stride.
    steps_y, steps_x = (
        [(k, (f + before - k) // stride) for k in range(size) if (f + before - k) % stride == 0]
        for f, before, stride, size in zip(
            first, (place.top, place.left), place.strides, place.kernel, strict=True
        )
    )
    grid = tuple(
        -(-(size - f) // s) for size, f, s in zip(place.image, first, place.strides, strict=True)
    )
    empty = np.empty(0, np.int32)
    if not steps_y or not steps_x:
        return Phase(first, grid, (0, 0, 0, 0), 0, 0, 0, empty, empty, empty, empty)
    low_y, high_y = (f(e for _, e in steps_y) for f in (min, max))
    low_x, high_x = (f(e for _, e in steps_x) for f in (min, max))
    across = grid[1] + high_x - low_x
    fitting = max(1, BAND // (across * pixel * size) - (high_y - low_y))
    bands = -(-grid[0] // fitting)
    rows_in_band = -(-grid[0] // bands)
    bands = -(-grid[0] // rows_in_band)
    y, x = (a.ravel() for a in np.mgrid[: grid[0], : grid[1]])
    sy, sx = place.strides
    target = (first[0] + sy * y) * place.image[1] + first[1] + sx * x
    taps = [(ky, ey, kx, ex) for ky, ey in steps_y for kx, ex in steps_x]
    offsets = [((ey - low_y) * across + ex - low_x) * pixel for _, ey, _, ex in taps]
    planes = [(ky * place.kernel[1] + kx) * depth * lanes for ky, _, kx, _ in taps]
    return Phase(
        first,
        grid,
        (low_y, high_y, low_x, high_x),
        bands,
        rows_in_band,
        (rows_in_band + high_y - low_y) * across * pixel,
        ((y * across + x) * pixel).astype(np.int32),
        np.array(offsets, np.int32),
        np.array(planes, np.int32),
        (target * lanes).astype(np.int32),
    )


@kernel(parallel=True)
def _bands(
    simd, dy, images, height, width, outputs, depth, entries, limit, grid_y, grid_x, reach, bands,
    rows_in_band, tables, rows, offsets, w, planes, lanes, dx, outs,
):  # fmt: skip
    """A task makes the tables of a band of one image and looks up all its pixels."""
    low_y, high_y, low_x, high_x = reach
    across = grid_x + high_x - low_x
    pixel = depth * entries
    image = len(dx) // images
    for task in prange(images * bands):
        n, first = task // bands, task % bands * rows_in_band
        last = min(first + rows_in_band, grid_y)
        mine = tables[get_thread_id()]
        for y in range(first + low_y, last + high_y):
            line = (y - first - low_y) * across
            if y < 0 or y >= height:
                mine[line * pixel : (line + across) * pixel] = 0
                continue
            for x in range(low_x, grid_x + high_x):
                at = (line + x - low_x) * pixel
                if x < 0 or x >= width:
                    mine[at : at + pixel] = 0
                else:
                    source = ((n * height + y) * width + x) * outputs
                    build_tables(simd, dy, source, outputs, depth, entries, mine, at)
        start = -first * across * pixel
        _sweep_columns(
            simd, mine, start, rows, first * grid_x, last * grid_x, offsets, depth, limit, w,
            planes, lanes, dx, n * image, outs,
        )  # fmt: skip


@kernel(parallel=True)
def _dense(simd, tables, rows, depth, limit, w, lanes, dx, outs):
    """A task owns some lanes of all rows."""
    for task in prange(-(-lanes // 64)):
        if lanes >= 64:
            column = min(task * 64, lanes - 64)
            _sweep_rows(
                simd, FOUR, tables, 0, rows, 0, len(rows), ZERO, depth, limit, w, ZERO, column,
                lanes, dx, column, outs,
            )  # fmt: skip
        else:
            _sweep_rows(
                simd, TWO, tables, 0, rows, 0, len(rows), ZERO, depth, limit, w, ZERO, 0,
                lanes, dx, 0, outs,
            )  # fmt: skip


@kernel
def _sweep_columns(
    simd, tables, start, rows, first, last, offsets, depth, limit, w, planes, lanes, out, place,
    outs,
):  # fmt: skip  # fmt: skip
    """Widest tiles first; the last tile of a row or column overlaps the one before it."""
    if lanes >= 64:
        for left in range(0, lanes, 64):
            column = min(left, lanes - 64)
            _sweep_rows(
                simd, FOUR, tables, start, rows, first, last, offsets, depth, limit, w, planes,
                column, lanes, out, place + column, outs,
            )  # fmt: skip
    else:
        _sweep_rows(
            simd, TWO, tables, start, rows, first, last, offsets, depth, limit, w, planes, 0,
            lanes, out, place, outs,
        )  # fmt: skip


@kernel
def _sweep_rows(
    simd, width, tables, start, rows, first, last, offsets, depth, limit, w, planes, column, lanes,
    out, place, outs,
):  # fmt: skip
    taps = len(offsets)
    if last - first >= 4:
        for top in range(first, last, 4):
            row = min(top, last - 4)
            table_tile(
                simd, FOUR, width, FRESH, tables, start, rows, row, offsets, taps, depth,
                limit, w, planes, column, lanes, out, place, outs,
            )  # fmt: skip
    else:
        for row in range(first, last):
            table_tile(
                simd, ONE, width, FRESH, tables, start, rows, row, offsets, taps, depth,
                limit, w, planes, column, lanes, out, place, outs,
            )  # fmt: skip
