"""Tables of signed sums: what the float side of a backward product is turned into."""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.tiles import TABLE, build_table

WORD_TABLES = WORD // 4 * TABLE  # floats of the 8 tables that one word looks up


@kernel
def build_tables(simd, values, at, step, count, depth, tables, place):
    """Tables of values[at + i * step], i < count, four by four; zeros fill up ``depth`` words."""
    whole = count // 4
    for g in range(whole):
        build_table(simd, values, at + 4 * g * step, step, tables, place + TABLE * g)
    if 4 * whole == depth * WORD:
        return
    rest = np.zeros(4, np.float32)
    for i in range(4 * whole, count):
        rest[i - 4 * whole] = values[at + i * step]
    build_table(simd, rest, 0, 1, tables, place + TABLE * whole)
    tables[place + TABLE * (whole + 1) : place + WORD_TABLES * depth] = 0


@kernel(parallel=True)
def all_row_tables(simd, values, rows, count, depth, tables):
    """``build_tables`` of each of ``rows`` rows of ``count`` numbers."""
    for r in prange(rows):
        build_tables(simd, values, r * count, 1, count, depth, tables, r * depth * WORD_TABLES)
