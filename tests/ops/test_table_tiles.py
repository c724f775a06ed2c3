"""The tiles of numbers x bits, and what makes their tables, on every vector path of this CPU."""

import numpy as np
import plain_tiles as plain
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tile_operands import DEPTH, ROWS, STRIDE, TAPS, called, columns, offsets, paths, sizes, words

from minibnn.ops.kernels import table_tiles, word_tables
from minibnn.ops.kernels.tiles import Columns, Lines, Stretches

pytestmark = pytest.mark.ci

_table = called(table_tiles.table_tile)
_select = called(table_tiles.select_tile)
_word_tables = called(word_tables.word_tables)
_add = called(word_tables.add_tables)
_turn = called(word_tables.turn_tile)

PATHS = list(paths())
WITH_TABLES = list(paths(np.float32, least=8))
WITH_SHORT_TABLES = list(paths(np.int16))
SHORT_PATHS = [pytest.param(p.values[0], id=p.id, marks=p.marks) for p in WITH_SHORT_TABLES]
LIMIT = 2  # words that short tables are summed over at once: less than DEPTH


def entries_of(simd, kind):
    """Entries of the tables of one word: without 16-bit look-ups its numbers themselves."""
    return 32 if kind == np.int16 and len(simd) < 16 else 128


def stored(simd, kind, tables):
    """Tables of 16-bit sums as a path has them: where bytes are permuted, they stand apart."""
    if kind is not np.int16 or not isinstance(simd[0], np.uint8):
        return tables
    sums = tables.view(np.uint8).reshape(-1, 4, 2, 16, 2)  # word, nibble, half, entry, low or high
    apart = np.empty((len(sums), 4, 2, 2, 16), np.uint8)  # word, step, half, low or high, entry
    for step, (low, high) in enumerate([(0, 2), (2, 0), (1, 3), (3, 1)]):
        apart[:, step, :, step % 2] = sums[:, low, ..., 0]
        apart[:, step, :, 1 - step % 2] = sums[:, high, ..., 1]
    return apart.reshape(-1).view(np.int16)


def numbers(rng, kind, *shape):
    if kind == np.int16:
        return rng.integers(-500, 501, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


def table_operands(rng, simd, kind):
    size = DEPTH * entries_of(simd, kind)
    if kind == np.int16:
        tables = numbers(rng, kind, ROWS * TAPS * size)
    else:
        tables = numbers(rng, kind, ROWS * TAPS * DEPTH * 8, 8)
        tables = np.concatenate([tables, -tables[:, ::-1]], axis=1)  # as sums, all signs turned
    rows, taps = offsets(rng, ROWS, TAPS * size), offsets(rng, TAPS, size)
    return Stretches(tables.reshape(-1), rows, taps)


def sums(rng, kind):
    """What sums are added to: float32, or the int32 of short tables."""
    start = 100 * rng.standard_normal(ROWS * STRIDE)
    return start.astype(np.int32 if kind == np.int16 else kind)


@pytest.mark.parametrize("simd, kind", WITH_TABLES + WITH_SHORT_TABLES)
@pytest.mark.parametrize("height, width", [(4, 4), (4, 2), (1, 4), (6, 1)])
@pytest.mark.parametrize("accumulate", [0, 1])
def test_table_tile(rng, simd, kind, height, width, accumulate):
    tables, w = table_operands(rng, simd, kind), columns(rng)
    out = Lines(sums(rng, kind), offsets(rng, ROWS, STRIDE))
    expected = out._replace(array=out.array.copy())
    tile = sizes(height, width, accumulate)
    plain.table_tile(*tile, entries_of(simd, kind), tables, 0, 1, w, 16, expected, 16)
    tables = tables._replace(array=stored(simd, kind, tables.array))
    _table(simd, *tile, tables, 0, 1, LIMIT, w, 16, out, 16)
    assert_array_equal(out.array, expected.array)  # same order of sums: the same bits


@pytest.mark.parametrize("simd, kind", WITH_TABLES + WITH_SHORT_TABLES)
@pytest.mark.parametrize("height, width, choices", [(4, 4, 4), (4, 2, 4), (1, 4, 2), (4, 4, 2)])
def test_select_tile(rng, simd, kind, height, width, choices):
    tables, w = table_operands(rng, simd, kind), columns(rng, choices)
    mask_rows = (np.arange(ROWS) * TAPS * 2 * DEPTH).astype(np.int32)
    mask_taps = (np.arange(TAPS) * 2 * DEPTH).astype(np.int32)
    masks = Stretches(words(rng, ROWS, TAPS, 2, DEPTH), mask_rows, mask_taps)
    out = Lines(sums(rng, kind), offsets(rng, ROWS, STRIDE))
    expected = out._replace(array=out.array.copy())
    chosen, tile = (masks, 0, DEPTH), sizes(height, width, choices)
    plain.select_tile(*tile, entries_of(simd, kind), tables, 0, *chosen, 1, w, 16, expected, 16)
    tables = tables._replace(array=stored(simd, kind, tables.array))
    _select(simd, *tile, tables, 0, *chosen, 1, LIMIT, w, 16, out, 16)
    assert_array_equal(out.array, expected.array)


SIGNS = 1 - 2 * (np.arange(16)[:, None] >> np.arange(4) & 1)  # of four numbers, by entry


@pytest.mark.parametrize("simd, kind", WITH_TABLES)
def test_tables_of_floats_hold_the_sixteen_signed_sums_of_four(rng, simd, kind):
    values, tables = numbers(rng, kind, 40), np.zeros(192, kind)
    _word_tables(simd, values, 5, tables, 3)
    fours = values[5:37].astype(np.float64).reshape(8, 4)
    assert_allclose(tables[3:131].reshape(8, 16), fours @ SIGNS.T, rtol=1e-6, atol=1e-6)
    assert not tables[:3].any() and not tables[131:].any()


@pytest.mark.parametrize("simd", SHORT_PATHS)
@pytest.mark.parametrize("kind, most", [(np.int8, 127), (np.int16, 511)])
def test_tables_of_integers_are_those_of_both_halves(rng, simd, kind, most):
    values, tables = rng.integers(-most, most + 1, 40).astype(kind), np.zeros(192, np.int16)
    values[5:13] = most
    size = entries_of(simd, np.int16)
    _word_tables(simd, values, 5, tables, 3)
    halves = values[5:37].astype(int).reshape(2, 4, 4)
    expected = (halves @ SIGNS.T).swapaxes(0, 1)
    if size == 32:
        expected = halves.reshape(2, 16)[:, ::-1].T
    expected = stored(simd, np.int16, expected.reshape(-1).astype(np.int16))
    assert_array_equal(tables[3 : 3 + size], expected)
    assert not tables[:3].any() and not tables[3 + size :].any()


@pytest.mark.parametrize("simd, kind", WITH_TABLES + WITH_SHORT_TABLES)
def test_add_tables(rng, simd, kind):
    first, second, rest = numbers(rng, kind, 3, 256)
    expected = [stored(simd, kind, t) for t in (first, second, first + second, rest)]
    tables = np.concatenate([*expected[:2], np.zeros_like(rest), expected[3]])
    _add(simd, tables, 0, 256, 512, 256)
    assert_array_equal(tables, np.concatenate(expected))


@pytest.mark.parametrize("simd", SHORT_PATHS)
@pytest.mark.parametrize("kind, limit, most", [(np.int8, 16, 127), (np.int16, 4, 511)])
def test_short_sums_reach_both_ends_and_do_not_overflow(rng, simd, kind, limit, most):
    """Every word agrees with every number's sign, or with none: no sum can be larger."""
    depth, size = 2 * limit + 1, entries_of(simd, np.int16)
    negative = rng.random((4, 32 * depth)) < 0.5
    negative[2] = ~negative[0]
    values = np.where(negative, -most, most).astype(kind)
    tables = np.zeros(4 * depth * size, np.int16)
    for k, at in enumerate(range(0, values.size, 32)):
        _word_tables(simd, values.reshape(-1), at, tables, k * size)
    bits = np.packbits(negative[0], bitorder="little").view("<u4").astype(np.uint32)
    w = np.repeat(bits[:, None], 64, axis=1)
    w[:, 1::2] ^= np.uint32(2**32 - 1)
    rows, zero = (np.arange(4) * depth * size).astype(np.int32), np.zeros(1, np.int32)
    outs, tile = (np.arange(4) * 64).astype(np.int32), sizes(4, 4)
    signs = np.where(negative, -1, 1)
    expected = most * (signs @ signs[0])[:, None] * np.tile([1, -1], 32)
    assert expected.max() == 32 * depth * most == -expected.min()
    out = Lines(np.zeros(4 * 64, np.int32), outs)
    columns = Columns(w.reshape(-1), zero, 1, depth, 64)
    tables = Stretches(tables, rows, zero)
    _table(simd, *tile, (), tables, 0, 0, limit, columns, 0, out, 0)
    assert_array_equal(out.array.reshape(4, 64), expected)
    places = (np.arange(4) * w.size).astype(np.int32)
    w = np.repeat(w.reshape(1, -1), 4, axis=0)  # four places with the same bits
    columns = Columns(w.reshape(-1), places, 1, depth, 64)
    mask_rows = (np.arange(4) * 2 * depth).astype(np.int32)
    masks = Stretches(words(rng, 4, 2, depth), mask_rows, zero)
    out.array[:] = 0
    _select(simd, *tile, (0,) * 4, tables, 0, masks, 0, depth, 0, limit, columns, 0, out, 0)
    assert_array_equal(out.array.reshape(4, 64), expected)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int8, np.int16, np.float32])
def test_turn_tile(rng, simd, kind):
    values, out = rng.integers(-99, 99, (20, 21)).astype(kind), np.zeros((20, 18), kind)
    expected = out.copy()
    expected[1:17, 2:18] = values[3:19, 5:21].T
    _turn(simd, values.reshape(-1), 3 * 21 + 5, 21, out.reshape(-1), 1 * 18 + 2, 18)
    assert_array_equal(out, expected)
