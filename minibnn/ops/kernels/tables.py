"""Tables of signed sums: what the numbers of a backward product are turned into."""

from typing import NamedTuple

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.simd import simd, table_simd
from minibnn.ops.kernels.word_tables import NIBBLES, TABLE, word_tables


class Numbers(NamedTuple):
    """The numbers of a backward product and how they are summed: in floats, or exactly."""

    path: tuple  # the vector path, as a kernel's argument
    values: np.ndarray  # float32, int8 or int16
    table: type  # of a table's entries
    sum: type
    entries: int  # of the tables that one word looks up
    limit: int  # words whose look-ups add up in the type of the tables


def numbers(dy):
    """The Numbers of a gradient, float32 or Fixed."""
    if not isinstance(dy, Fixed):
        dy = np.ascontiguousarray(dy)
        return Numbers(simd(), dy, np.float32, np.float32, NIBBLES * TABLE, 1)
    # 32 numbers of a word, each up to 127 or 511 in size, by halves: 16 words, or 4, fit 16 bits.
    path = table_simd()
    entries = NIBBLES * TABLE if len(path) == 16 else WORD
    limit = 16 if dy.integers.dtype == np.int8 else 4
    return Numbers(path, np.ascontiguousarray(dy.integers), np.int16, np.int32, entries, limit)


@kernel(counts=True, inner=True)
def build_tables(simd, values, at, count, depth, entries, tables, place):
    """Tables of values[at + i], i < count, word after word; zeros fill up ``depth`` words."""
    whole = count // WORD
    for d in range(whole):
        word_tables(simd, values, at + WORD * d, tables, place + entries * d)
    if whole == depth:
        return
    rest = np.zeros(WORD, values.dtype)
    for i in range(WORD * whole, count):
        rest[i - WORD * whole] = values[at + i]
    word_tables(simd, rest, 0, tables, place + entries * whole)
    tables[place + entries * (whole + 1) : place + entries * depth] = 0


@kernel(parallel=True)
def all_row_tables(simd, values, rows, count, depth, entries, tables):
    """``build_tables`` of each of ``rows`` rows of ``count`` numbers."""
    for r in prange(rows):
        at = r * depth * entries
        build_tables(simd, values, r * count, count, depth, entries, tables, at)
