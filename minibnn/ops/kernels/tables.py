"""Tables of signed sums: what the float side of a backward product is turned into."""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.tiles import TABLE, build_table

WORD_TABLES = WORD // 4 * TABLE  # floats of the 8 tables that one word looks up


@kernel
def row_tables(simd, values, at, count, depth, tables, place):
    """Tables of ``count`` floats in a row, filled up with zeros to ``depth`` words."""
    whole = count // 4
    for g in range(whole):
        build_table(simd, values, at + 4 * g, 1, tables, place + TABLE * g)
    if 4 * whole == depth * WORD:
        return
    rest = np.zeros(4, np.float32)
    for i in range(4 * whole, count):
        rest[i - 4 * whole] = values[at + i]
    build_table(simd, rest, 0, 1, tables, place + TABLE * whole)
    for k in range(place + TABLE * (whole + 1), place + WORD_TABLES * depth):
        tables[k] = 0


@kernel
def column_tables(simd, values, first, last, pitch, column, depth, tables, place):
    """Tables of values[p * pitch + column] for p in first..last, in groups of four p."""
    whole = (last - first) // 4
    for g in range(whole):
        at = (first + 4 * g) * pitch + column
        build_table(simd, values, at, pitch, tables, place + TABLE * g)
    if 4 * whole == depth * WORD:
        return
    rest = np.zeros(4, np.float32)
    for p in range(first + 4 * whole, last):
        rest[p - first - 4 * whole] = values[p * pitch + column]
    build_table(simd, rest, 0, 1, tables, place + TABLE * whole)
    for k in range(place + TABLE * (whole + 1), place + WORD_TABLES * depth):
        tables[k] = 0


@kernel(parallel=True)
def all_row_tables(simd, values, rows, count, depth, tables):
    """``row_tables`` of each of ``rows`` rows."""
    for r in prange(rows):
        row_tables(simd, values, r * count, count, depth, tables, r * depth * WORD_TABLES)
