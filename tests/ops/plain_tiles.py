"""The tiles of products as plain loops, one number at a time.

They are ``popcount_tile`` of ``tiles``, and ``table_tile`` and ``select_tile`` of ``table_tiles``.
What each computes is read here; the tests hold the tile against its loop. ``height`` and ``width``
are tuples whose lengths count rows and groups of 16 lanes, as for the tiles.
"""

import numpy as np
from numba import njit

from minibnn.ops.kernels.tiles import GROUP
from minibnn.ops.kernels.word_tables import NIBBLES, PAIRS, TABLE


@njit
def popcount(word):
    """Number of bits of a uint32 that are 1."""
    count = 0
    for j in range(np.uint32(32)):
        count += np.int64(word >> j & 1)
    return count


@njit
def popcount_tile(height, width, x, start, row, w, column, base, out, place):
    """``tiles.popcount_tile`` without pooling."""
    for r in range(row, row + len(height)):
        for lane in range(column, column + GROUP * len(width)):
            differ = 0
            for t in range(w.taps):
                for d in range(w.depth):
                    mine = x.array[start + x.rows[r] + x.offsets[t] + d]
                    differ += popcount(mine ^ w.words[w.planes[t] + d * w.stride + lane])
            full = base.array[base.rows[r] + lane]
            out.array[place + out.rows[r] + lane - column] = full - 2 * differ


@njit
def add_word(total, tables, at, word, entries):
    """total + the signed sum that a word looks up, see ``word_tables.word_tables``."""
    for n in range(NIBBLES):
        four = np.int64((word >> np.uint32(4 * n)) & np.uint32(15))
        if entries < NIBBLES * TABLE:  # the numbers themselves, in pairs
            for j in range(4 * n, 4 * n + 4):
                number = tables[at + 2 * (PAIRS - 1 - j % PAIRS) + j // PAIRS]
                total += -number if (four >> (j - 4 * n)) & 1 else number
        elif tables.itemsize == 2:
            total += tables[at + n % 4 * 2 * TABLE + n // 4 * TABLE + four]
        else:
            total += tables[at + n * TABLE + four]
    return total


@njit
def table_tile(height, width, accumulate, entries, tables, start, row, w, column, out, place):
    """``table_tiles.table_tile``, on tables of ``entries`` entries a word."""
    for r in range(row, row + len(height)):
        for lane in range(column, column + GROUP * len(width)):
            at = place + out.rows[r] + lane - column
            total = out.array.dtype.type(0)
            for t in range(w.taps):
                for d in range(w.depth):
                    word = w.words[w.planes[t] + d * w.stride + lane]
                    table = start + tables.rows[r] + tables.offsets[t] + d * entries
                    total = add_word(total, tables.array, table, word, entries)
            out.array[at] = out.array[at] + total if len(accumulate) else total


@njit
def select_tile(
    height, width, choices, entries, tables, start, masks, mask_start, pitch, row, w, column, out,
    place,
):  # fmt: skip
    """``table_tiles.select_tile``, on tables of ``entries`` entries a word."""
    for r in range(row, row + len(height)):
        for lane in range(column, column + GROUP * len(width)):
            total = out.array.dtype.type(0)
            for t in range(w.taps):
                for d in range(w.depth):
                    word, mask = np.uint32(0), mask_start + masks.rows[r] + masks.offsets[t] + d
                    for j in range(np.uint32(32)):
                        c = masks.array[mask] >> j & 1
                        if len(choices) == 4:
                            c += 2 * (masks.array[mask + pitch] >> j & 1)
                        source = w.planes[t * len(choices) + c] + d * w.stride + lane
                        word |= w.words[source] & (np.uint32(1) << j)
                    table = start + tables.rows[r] + tables.offsets[t] + d * entries
                    total = add_word(total, tables.array, table, word, entries)
            out.array[place + out.rows[r] + lane - column] += total
