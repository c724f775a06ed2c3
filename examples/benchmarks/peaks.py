"""What the machine could do: each tile on operands in the first-level cache, BLAS, a plain copy."""

from functools import partial

import numpy as np
from numba import prange

from minibnn.bench.clock import measure
from minibnn.bench.products import blas_seconds
from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.forward import PLAIN
from minibnn.ops.kernels.gathered import LIST, ROW, TAPS, Lists, gather_rows
from minibnn.ops.kernels.layout import steps
from minibnn.ops.kernels.matrix import (
    BLOCK,
    FIRST,
    MULTIPLIES,
    SETUP,
    STEP,
    TILE,
    begin,
    end,
    multiply,
)
from minibnn.ops.kernels.scratch import scratch
from minibnn.ops.kernels.simd import simd, vector_path
from minibnn.ops.kernels.table_tiles import FOUR, FRESH, TWO, select_tile, table_tile
from minibnn.ops.kernels.tables import all_row_tables, numbers
from minibnn.ops.kernels.tiles import Columns, Lines, Results, Stretches, popcount_tile
from minibnn.ops.reference import to_fixed

HEIGHT, DEPTH = 4, 8  # rows of a tile of tables, and their words: as in a kernel's gradient
LANES = 64  # output lanes of the tiles that wide layers use
CALLS = 2000  # of the slowest tile in one run
CHUNK = 1 << 16  # bytes that a thread copies at a time
SQUARE = 1024  # rows of BLAS's matrices
COPIED = 1 << 27  # bytes of a copy that no cache holds
# How many of a window's four pixels an input pixel sees, and through how many windows, for a 3x3
# kernel: nine multiply-adds in four look-ups.
SEEN = {4: 1, 2: 2, 1: 1}


def peak_rates(threads, gradients, effort):
    """Multiply-adds per second of BLAS and of the tiles, on ``threads`` threads, as a dict.

    "sgemm" is float32 BLAS on large square matrices. "popcount" and "table" do one multiply-add for
    each sign, "table" for ``gradients`` in float32 or int8. "select 2" and "select 4" choose among
    so many places of a pooling window, and are credited with the multiply-adds of all. None where a
    path has no tables. Where products of bytes do that, it is "matrix"; on AVX2
    "gather" does those before pooling, credited with the multiply-adds of all four places.
    """
    square = blas_seconds("forward", SQUARE, SQUARE, SQUARE, threads, effort)
    peaks = {"sgemm": SQUARE**3 / square, "popcount": _popcount(threads, effort)}
    values = np.random.default_rng(0).normal(size=HEIGHT * DEPTH * WORD).astype(np.float32)
    own = numbers(values if gradients == "float32" else to_fixed(values, 8))
    if gradients == "int8" and vector_path() in MULTIPLIES:
        by_lists = {"gather": 4 * _gathered(threads, effort)} if vector_path() == "avx2" else {}
        return peaks | {"matrix": _multiplied(threads, effort)} | by_lists
    able = gradients == "int8" or vector_path() != "generic"
    for name, places in (("table", ()), ("select 2", TWO), ("select 4", FOUR)):
        peaks[name] = _looked_up(own, places, threads, effort) if able else None
    return peaks


def limits(peaks):
    """Multiply-adds per second of the products that tiles, or BLAS, can do at their peak."""
    if "matrix" in peaks:
        pooled = peaks.get("gather", peaks["matrix"])
        products = dict.fromkeys(("select windows", "select pixels"), pooled)
        return peaks | products | {"table": peaks["matrix"], "bytes": peaks["matrix"] / 8}
    if peaks["table"] is None:
        return peaks
    # A window's look-up stands for its four pixels; where only some are seen, for so many.
    looked_up = {4: peaks["select 4"] / 4, 2: peaks["select 2"] / 2, 1: peaks["table"]}
    pixels = sum(seen * times for seen, times in SEEN.items())
    seconds = sum(times / looked_up[seen] for seen, times in SEEN.items())
    return peaks | {
        "select windows": peaks["select 4"],
        "select pixels": pixels / seconds,
        "bytes": peaks["table"] / 8,  # a byte is looked up as eight signs
    }


def copy_rate(effort):
    """Bytes per second, read and written, of a copy of COPIED bytes over all threads."""
    source = np.ones(COPIED // 2, np.uint8)
    target = np.zeros_like(source)
    return 2 * source.nbytes / measure(partial(_copy, source, target), effort)["seconds"]


def _popcount(threads, effort):
    height, tiles, taps, depth = 4, 6, 9, 4
    rows, pitch = height * tiles, taps * depth
    rng = np.random.default_rng(0)
    operands = (
        Stretches(_words(rng, rows * pitch), steps(rows, pitch), steps(taps, depth)),
        _columns(rng, taps, taps, depth),
        Lines(np.full(LANES, WORD * pitch, np.int32), steps(rows, 0)),
        Lines(np.zeros(threads * rows * LANES, np.int16), steps(rows, LANES)),
    )
    rounds = 10 * CALLS // tiles
    run = partial(_run_popcount, simd(), *operands, threads, rounds)
    seconds = measure(run, effort)["seconds"]
    return threads * rounds * rows * LANES * pitch * WORD / seconds


def _multiplied(threads, effort):
    taps, steps = 2, 4  # 28 kB of operands and sums
    a, b = (scratch(f"peak {k}", (2 * TILE * n,), np.int8, fill=1) for k, n in (("a", 4), ("b", 8)))
    sums, starts = scratch("peak sums", (threads, BLOCK), np.int32), np.zeros(taps, np.int64)
    run = partial(_run_multiply, simd(), SETUP, a, starts, b, steps, sums, threads, CALLS)
    return threads * CALLS * taps * BLOCK * steps * STEP / measure(run, effort)["seconds"]


def _gathered(threads, effort):
    lists = Lists(np.ones(LIST + 2, np.int8), np.arange(LIST + 2, dtype=np.int32))
    rows, sums = np.ones((LIST + 2) * ROW, np.uint8), np.zeros(threads * TAPS * ROW, np.int32)
    run = partial(_run_gather, simd(), rows, np.zeros(TAPS, np.int64), lists, sums, threads, CALLS)
    return threads * CALLS * LIST * TAPS * ROW / measure(run, effort)["seconds"]


def _looked_up(own, places, threads, effort):
    """Of the tile that looks up, after choosing among ``places``; of that of tables if none."""
    rng, taps, rounds = np.random.default_rng(0), len(places) or 4, CALLS * (4 if places else 1)
    tables = np.zeros(HEIGHT * DEPTH * own.entries, own.table)
    all_row_tables(own.path, own.values, HEIGHT, DEPTH * WORD, DEPTH, own.entries, tables)
    stretches = steps(1 if places else taps, 0)
    x = Stretches(tables, steps(HEIGHT, DEPTH * own.entries), stretches)
    w = _columns(rng, 1 if places else taps, taps, DEPTH)
    out = Lines(np.zeros(threads * HEIGHT * LANES, own.sum), steps(HEIGHT, LANES))
    masks = Stretches(_words(rng, HEIGHT * taps * DEPTH), steps(HEIGHT, taps * DEPTH), stretches)
    run = partial(_run_table, own.path, x, own.limit, w, out, threads, rounds)
    if places:
        run = partial(_run_select, own.path, places, x, masks, own.limit, w, out, threads, rounds)
    seconds = measure(run, effort)["seconds"]
    return threads * rounds * HEIGHT * LANES * taps * DEPTH * WORD / seconds


def _words(rng, count):
    return rng.integers(0, 1 << 32, count, np.uint32)


def _columns(rng, taps, planes, depth):
    words, starts = _words(rng, planes * depth * LANES), steps(planes, depth * LANES)
    return Columns(words, starts, taps, depth, LANES)


@kernel(parallel=True)
def _run_popcount(simd, x, w, base, out, threads, rounds):
    size = len(out.array) // threads
    results = Results(out.array, out.rows, np.empty(0, np.uint8), base.array, w.words)
    for thread in prange(threads):
        for _ in range(rounds):
            for row in range(0, len(x.rows), len(FOUR)):
                place = thread * size
                popcount_tile(simd, FOUR, FOUR, PLAIN, PLAIN, x, 0, row, w, 0, base, results, place)


@kernel(parallel=True)
def _run_multiply(simd, setup, a, starts, b, steps, sums, threads, calls):
    taps = len(starts)
    for thread in prange(threads):
        begin(simd, setup)
        for _ in range(calls):
            multiply(
                simd, FIRST, a, 0, steps * STEP, starts, taps, b, 0, steps, sums[thread], 0
            )  # fmt: skip
        end(simd)


@kernel(parallel=True)
def _run_gather(simd, rows, starts, lists, sums, threads, calls):
    for thread in prange(threads):
        for _ in range(calls):
            gather_rows(simd, rows, starts, lists, 0, LIST, sums, thread * TAPS, starts)


@kernel(parallel=True)
def _run_table(simd, tables, limit, w, out, threads, calls):
    size = len(out.array) // threads
    for thread in prange(threads):
        for _ in range(calls):
            table_tile(simd, FOUR, FOUR, FRESH, tables, 0, 0, limit, w, 0, out, thread * size)


@kernel(parallel=True)
def _run_select(simd, places, tables, masks, limit, w, out, threads, calls):
    size = len(out.array) // threads
    for thread in prange(threads):
        for _ in range(calls):
            select_tile(
                simd, FOUR, FOUR, places, tables, 0, masks, 0, w.depth, 0, limit, w, 0, out,
                thread * size,
            )  # fmt: skip


@kernel(parallel=True)
def _copy(source, target):
    for chunk in prange(-(-len(source) // CHUNK)):
        first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, len(source))
        target[first:last] = source[first:last]
