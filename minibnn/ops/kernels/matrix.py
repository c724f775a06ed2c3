"""Integers x signs as bytes: gradients of dense layers and convolutions by Intel's AMX or by AVX2.

Where a core multiplies tiles of bytes, or nothing looks 16-bit sums up, that is quicker than any
table. Gradients are bytes already, and signs become bytes: for AVX2 plus 1, as one factor has to be
unsigned there, so that sums start at minus those of the gradients. 32 bits hold them.

Images and gradients lie on one grid, where rows and images follow each other with a gap as wide as
the padding. On it a tap is a shift d. The layer's sums are y[p] = sum over d of x[p + d] w[d], so
dx[p] = sum over d of q[p - d] w[d], and dw[d] = sum over p of x[p + d] q[p], with q = 0 in gaps.
Before 2x2 pooling q is 0 but at the maxima ``where``; AVX2 leaves many inputs to ``gathered.py``.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.emit import I8, I32, I64, tile
from minibnn.ops.kernels.scratch import empty, scratch, workspace
from minibnn.ops.kernels.simd import simd, vector_path
from minibnn.ops.kernels.tasks import taken
from minibnn.ops.shapes import windows

SIDE = 32  # a block of sums: two by two tiles of 16 x 16
STEP = 64  # bytes of a tile's row: products of a step
TILE = 1024  # bytes of a tile
BLOCK = SIDE * SIDE
STRETCH = 128  # steps of a kernel's gradient at a time: their bytes fit the second-level cache
ROWS = 4  # of a block that vectors compute at a time
SHORT = 4  # steps summed in 16 bits: 128 products, at most 2 x 127 each, in each half of a lane
POSITIONS = 256  # of the grid that a task of an input's gradient owns

MULTIPLIES = "amx", "avx2"  # vector paths on which products of bytes beat tables or masks
FIRST = (0,)  # a has the signs, not b
NO_PLACES = np.empty((0, 0, 0, 0), np.uint8)
# What a thread tells its unit: eight tiles of 16 rows of 64 bytes each.
SETUP = np.zeros(64, np.uint8)
SETUP[0], SETUP[16:32:2], SETUP[48:56] = 1, 64, 16


@tile("setup", constants="")
def begin(e, setup):
    """From here on this thread has a matrix unit, if there is one."""
    if e.lanes == 16:
        e.call("llvm.x86.ldtilecfg", ir.VoidType(), setup)


@tile("", constants="")
def end(e):
    """To here: the system need not keep its tiles any longer."""
    if e.lanes == 16:
        e.call("llvm.x86.tilerelease", ir.VoidType())


@tile("a a_at pitch starts taps b b_at steps sums at", constants="signs_first")
def multiply(e, signs_first, a, a_at, pitch, starts, taps, b, b_at, steps, sums, at):
    """The 32 x 32 sums[at:] += for each tap 32 rows of a by its tiles of b, two a step.

    Rows are ``pitch`` bytes apart, a tap's from a[a_at + starts[tap]] on. Row r of a tile of b has
    16 columns of the four bytes that meet bytes 4 r to 4 r + 3 of a. The signs, plus 1 but for AMX,
    are in a or, with ``signs_first`` = 0, in b.
    """
    inner = _multiply_tiles if e.lanes == 16 else _multiply_vectors
    if e.lanes == 16:
        _block(e, "tileloadd64", sums, at)
    with e.loop(taps) as tap:
        rows = e.at(a, a_at, e.builder.load(e.at(starts, tap.index)))
        tiles = e.at(b, b_at, e.times(tap.index, e.times(steps, I64(2 * TILE))))
        inner(e, rows, pitch, tiles, steps, signs_first, e.at(sums, at))
    if e.lanes == 16:
        _block(e, "tilestored64", sums, at)


def _multiply_tiles(e, a, pitch, b, steps, *_):
    """By AMX, where the sums are tiles 0 to 3."""
    with e.loop(steps) as step:
        here, there = e.times(step.index, I64(STEP)), e.times(step.index, I64(2 * TILE))
        for k in range(2):
            _tile(e, "tileloadd64", 4 + k, a, e.add(here, e.times(pitch, I64(16 * k))), pitch)
            _tile(e, "tileloadd64", 6 + k, b, e.add(there, I64(k * TILE)), I64(STEP))
        for k in range(4):
            operands = I8(k), I8(4 + k // 2), I8(6 + k % 2)
            e.call("llvm.x86.tdpbssd", ir.VoidType(), *operands)


def _multiply_vectors(e, a, pitch, b, steps, signs_first, sums):
    """By AVX2, ROWS rows and 16 columns at a time, whose sums stay in registers.

    An instruction adds two products of an unsigned byte, a sign plus 1, and a signed one.
    """
    build, vectors = e.builder, range(16 // e.lanes)
    slots = {(r, v): e.variable(e.half(0)) for r in range(ROWS) for v in vectors}
    with e.parts(steps, I64(SHORT)) as (first, left):
        with e.loop(I64(SIDE // ROWS)) as group, e.loop(I64(2)) as half:
            row = e.times(group.index, I64(ROWS))
            for slot in slots.values():
                build.store(e.half(0), slot)
            with e.loop(left) as one, e.loop(I64(STEP // 4)) as four:
                step, k = e.add(first, one.index), four.index
                here = e.times(row, pitch), e.times(step, I64(STEP)), e.times(k, I64(4))
                mine = e.add(e.times(step, I64(2)), half.index)
                there = e.add(e.times(mine, I64(TILE)), e.times(k, I64(STEP)))
                columns = [e.load(e.bytes, b, there, I64(4 * e.lanes * v)) for v in vectors]
                for (r, v), slot in slots.items():
                    four_bytes = e.splat(e.load(I32, a, *here, e.times(pitch, I64(r))))
                    pair = build.bitcast(four_bytes, e.bytes), columns[v]
                    pair = pair if signs_first else pair[::-1]
                    found = e.pairs(*pair)
                    build.store(build.add(build.load(slot), found), slot)
            for (r, v), slot in slots.items():
                place = e.times(e.add(row, I64(r)), I64(SIDE)), e.times(half.index, I64(16))
                old = e.load(e.ints, sums, *place, I64(v * e.lanes))
                total = build.add(old, e.widened(build.load(slot)))
                e.store(total, sums, *place, I64(v * e.lanes))


def _block(e, what, sums, at):
    for k in range(4):
        _tile(e, what, k, sums, e.add(at, I64(k // 2 * 16 * SIDE + k % 2 * 16)), I64(4 * SIDE))


def _tile(e, what, k, array, at, pitch):
    address = e.builder.bitcast(e.at(array, at), I8.as_pointer())
    e.call(f"llvm.x86.{what}", ir.VoidType(), I8(k), address, pitch)


class Grid(NamedTuple):
    """Where images and gradients lie: position n * rows * columns + y * columns + x."""

    rows: int  # of an image with its gap
    columns: int
    height: int  # of the image
    width: int
    margin: int  # positions before the first and after the last that shifts reach


@lru_cache(maxsize=256)
def grid_of(image, kernel_size, padding):
    """The Grid, and how far each tap shifts."""
    seen = windows(image, kernel_size, (1, 1), padding)
    rows, columns = image[0] + max(seen.top, seen.bottom), image[1] + max(seen.left, seen.right)
    ky, kx = (a.ravel() for a in np.mgrid[: kernel_size[0], : kernel_size[1]])
    shifts = (ky - seen.top) * columns + kx - seen.left
    return Grid(rows, columns, *image, int(np.abs(shifts).max())), shifts


def matrix_grad_input(dy, w_t, input_shape, padding, where=NO_PLACES):
    """dx (``input_shape``) of dy Fixed NHWC, or of dy at the maxima ``where`` of a 2x2 pool.

    w_t are Signs (H, W, O, I) on axis 2.
    """
    images, *image, inputs = input_shape
    *kernel_size, outputs, _ = w_t.shape
    grid, shifts = grid_of(tuple(image), tuple(kernel_size), padding)
    positions = images * grid.rows * grid.columns
    panels, depth = -(-inputs // SIDE), -(-outputs // STEP) * STEP
    q = scratch("gradients as bytes", (positions + SIDE + 2 * grid.margin, depth), np.int8)
    totals = scratch("matrix totals", (len(q),), np.int32)
    w = scratch("signs as bytes", (panels, len(shifts), depth // STEP, 2 * TILE), np.int8)
    queue = np.zeros(get_num_threads(), np.int64)
    sums = scratch("sums of bytes", (len(queue), BLOCK), np.int32)
    dx = empty(input_shape, np.int32)
    level = int(vector_path() != "amx")  # added to signs: vectors multiply unsigned bytes
    _all_rows(np.ascontiguousarray(dy.integers), where, grid, level, q, totals)
    tiles = w.view(np.int32).reshape(*w.shape[:3], 2, 16, 16)
    _kernel_bytes(w_t.words.reshape(len(shifts), -1, inputs), level, tiles)
    behind = shifts[: level * len(shifts)]
    q, layout = q.reshape(-1), (grid, positions, shifts, depth)
    _input_sums(simd(), queue, SETUP, q, totals, behind, w, *layout, sums, dx)
    return dy.like(dx)


def matrix_grad_kernel(
    x, dy, kernel_size, strides=(1, 1), padding="valid", pad_value=0, where=NO_PLACES, fixed=False
):
    """dw HWIO, float32 or with ``fixed`` Fixed, of x Signs NHWC and dy as above."""
    images, *image, inputs = x.shape
    outputs, queue = dy.shape[3], np.zeros(get_num_threads(), np.int64)
    grid, shifts = grid_of(tuple(image), tuple(kernel_size), padding)
    steps, panels = -(-images * grid.rows * grid.columns // STEP), -(-outputs // SIDE)
    pitch = steps + -(-2 * grid.margin // STEP) | 1  # odd: rows a power of two apart share a cache
    rows = scratch("signs as bytes", (-(-inputs // SIDE) * SIDE, pitch * STEP), np.int8)
    q = scratch("gradients as bytes", (panels, steps, 2 * TILE), np.int8)
    sizes = (8, panels * SIDE), (panels * SIDE,), (STEP,), (5, STEP), (len(shifts) * BLOCK,)
    kinds = np.int8, np.int32, np.int32, np.int8, np.int32
    shapes = [(len(queue), *size) for size in sizes]
    block, totals, places, signs, sums = workspace("matrix", shapes, kinds)
    dw = empty((*kernel_size, inputs, outputs), np.int32 if fixed else np.float32)
    words = np.ascontiguousarray(x.words).reshape(-1, x.words.shape[3])
    level = int(vector_path() != "amx")
    _signs_along(words, grid, images, pad_value, level, places, signs, rows)
    totals[:] = 0
    tiles = q.view(np.int32).reshape(panels, steps, 2, 16, 16)
    _gradients(np.ascontiguousarray(dy.integers), where, grid, block, totals, tiles)
    totals = level * totals.sum(0, np.int32)
    unit, out = np.float32(0 if fixed else dy.unit), dw.reshape(-1, inputs, outputs).view(np.int32)
    _kernel_sums(simd(), queue, SETUP, rows, q, grid.margin + shifts, totals, sums, unit, out)
    return dy.like(dw) if fixed else dw


@kernel(inner=True)
def place_of(grid, p):
    """Image, row and column of position p of the grid."""
    size = grid.rows * grid.columns
    return p // size, p % size // grid.columns, p % grid.columns


@kernel(inner=True)
def _next(grid, n, y, x):
    """The place after one: to count is quicker than to divide."""
    if x + 1 < grid.columns:
        return n, y, x + 1
    return (n, y + 1, 0) if y + 1 < grid.rows else (n + 1, 0, 0)


@kernel(inner=True)
def _row(dy, where, n, y, x, row):
    """The gradient at a place of the grid, all its outputs, filled up with zeros."""
    pool = 1 if len(where) else 0
    row[:] = 0
    if 0 <= n < len(dy) and y >> pool < dy.shape[1] and x >> pool < dy.shape[2]:
        mine = dy[n, y >> pool, x >> pool]
        for o in range(len(mine)):
            row[o] = mine[o]
        if pool:
            places, here = where[n, y >> 1, x >> 1], np.uint8(y % 2 * 2 + x % 2)
            for o in range(len(mine)):
                row[o] &= -np.int8(places[o] == here)


@kernel(parallel=True)
def _all_rows(dy, where, grid, level, q, totals):
    """totals[p] = level * the sum of row q[p]."""
    for p in prange(len(q)):
        n, y, x = place_of(grid, p - grid.margin)
        _row(dy, where, n, y, x, q[p])
        total = np.int32(0)
        for number in q[p]:
            total += np.int32(number)
        totals[p] = level * total


@kernel(parallel=True)
def _gradients(dy, where, grid, blocks, totals, q):
    """q[o / 32, step] = two tiles of 16 x 16 numbers, each of four positions of an output.

    Each thread adds its numbers to its ``totals``.
    """
    for step in prange(q.shape[1]):
        rows, total = blocks[get_thread_id(), :4], totals[get_thread_id()]
        bits, numbers = rows.view(np.uint8), blocks[get_thread_id(), 4:].reshape(-1).view(np.int32)
        n, y, x = place_of(grid, step * STEP)
        for r in range(STEP // 4):
            for j in range(4):
                _row(dy, where, n, y, x, rows[j])
                n, y, x = _next(grid, n, y, x)
            for o in range(len(numbers)):
                low = np.int32(bits[0, o]) | np.int32(bits[1, o]) << np.int32(8)
                high = np.int32(bits[2, o]) | np.int32(bits[3, o]) << np.int32(8)
                numbers[o] = low | high << np.int32(16)
                total[o] += np.int32(rows[0, o]) + rows[1, o] + rows[2, o] + rows[3, o]
            for o in range(len(numbers) // 16):
                for k in range(16):
                    q[o // 2, step, o % 2, r, k] = numbers[16 * o + k]


@kernel(parallel=True)
def _kernel_bytes(words, level, w):
    """w[i / 32, tap, o / 64] = two tiles of 16 x 16 numbers: level + four outputs of an input."""
    taps, depth, inputs = words.shape
    plus, turn = np.uint32(0x01010101 * (1 + level)), np.uint32((1 + level) ^ ((level - 1) & 255))
    for task in prange(taps * depth):
        t, d = task // depth, task % depth
        for i in range(-(-inputs // 16)):
            for k in range(8):
                for j in range(min(16, inputs - 16 * i)):
                    nibble = words[t, d, 16 * i + j] >> np.uint32(4 * k) & np.uint32(15)
                    ones = nibble * np.uint32(0x204081) & np.uint32(0x01010101)
                    w[i // 2, t, d // 2, i % 2, d % 2 * 8 + k, j] = np.int32(plus ^ ones * turn)


@kernel(parallel=True)
def _signs_along(words, grid, images, pad_value, level, places, bytes, rows):
    """rows[i, margin + p] = level + the sign of channel i at position p, or the padding."""
    for group in prange(rows.shape[1] // STEP):
        sources, signs = places[get_thread_id()], bytes[get_thread_id(), 0]
        planes = bytes[get_thread_id(), 1:].view(np.uint8)
        n, y, x = place_of(grid, group * STEP - grid.margin)
        for j in range(STEP):
            inside = 0 <= n < images and y < grid.height and x < grid.width
            sources[j] = (n * grid.height + y) * grid.width + x if inside else -1
            signs[j] = 1 if inside else pad_value
            n, y, x = _next(grid, n, y, x)
        for k in range(words.shape[1]):
            for j in range(STEP):
                word = words[sources[j], k] if sources[j] >= 0 else np.uint32(0)
                for eighth in range(4):
                    planes[eighth, j] = word >> np.uint32(8 * eighth)
            for i in range(WORD):
                row = rows[k * WORD + i, group * STEP : (group + 1) * STEP]
                plane, bit = planes[i // 8], np.uint8(1 << i % 8)
                for j in range(STEP):
                    row[j] = np.int8(level) + (-signs[j] if plane[j] & bit else signs[j])


@kernel(parallel=True)
def _input_sums(simd, queue, setup, q, totals, behind, w, grid, positions, shifts, depth, sums, dx):
    """A task owns 32 inputs of some positions; each starts at minus its totals ``behind``."""
    steps, taps = depth // STEP, len(shifts)
    flat, starts, panels = w.reshape(-1), -depth * shifts, len(w)
    for _ in prange(len(queue)):
        for task in taken(queue, -(-positions // POSITIONS) * panels):
            first, panel, block = task // panels * POSITIONS, task % panels, sums[get_thread_id()]
            at, left = panel * taps * steps * 2 * TILE, panel * SIDE
            begin(simd, setup)
            for p in range(first, min(first + POSITIONS, positions), SIDE):
                row = grid.margin + p
                for r in range(SIDE):
                    extra = np.int32(0)
                    for shift in behind:
                        extra += totals[row + r - shift]
                    block[r * SIDE : (r + 1) * SIDE] = -extra
                multiply(simd, (), q, row * depth, depth, starts, taps, flat, at, steps, block, 0)
                for r in range(min(SIDE, positions - p)):
                    n, y, x = place_of(grid, p + r)
                    if y < grid.height and x < grid.width:
                        for c in range(min(SIDE, dx.shape[3] - left)):
                            dx[n, y, x, left + c] = block[r * SIDE + c]
            end(simd)


@kernel(parallel=True)
def _kernel_sums(simd, queue, setup, rows, q, shifts, totals, sums, unit, dw):
    """A task owns 32 inputs and 32 outputs of all taps; output o starts at -totals[o]."""
    taps, inputs, outputs = dw.shape
    across, pitch = -(-outputs // SIDE), rows.shape[1]
    a, b, steps = rows.reshape(-1), q.reshape(-1), q.shape[1]
    for _ in prange(len(queue)):
        for task in taken(queue, -(-inputs // SIDE) * across):
            i, o = task // across * SIDE, task % across * SIDE
            block, width = sums[get_thread_id()], min(SIDE, outputs - o)
            for row in range(0, taps * BLOCK, SIDE):
                for c in range(width):
                    block[row + c] = -totals[o + c]
            begin(simd, setup)
            for first in range(0, steps, STRETCH):
                count, there = min(STRETCH, steps - first), (o // SIDE * steps + first) * 2 * TILE
                for t in range(taps):
                    at, to = i * pitch + first * STEP, t * BLOCK
                    multiply(
                        simd, FIRST, a, at, pitch, shifts[t:], 1, b, there, count, block, to
                    )  # fmt: skip
            end(simd)
            for t in range(taps):
                for r in range(min(SIDE, inputs - i)):
                    mine = block[t * BLOCK + r * SIDE : t * BLOCK + r * SIDE + width]
                    put(dw[t, i + r, o : o + width], mine, unit)


@kernel(inner=True)
def put(dw, sums, unit):
    """dw = the sums, or, if the unit is not 0, the bits of that many units in float32."""
    if unit == 0:
        for k in range(len(dw)):
            dw[k] = sums[k]
    else:
        floats = dw.view(np.float32)
        for k in range(len(dw)):
            floats[k] = np.float32(sums[k]) * unit
