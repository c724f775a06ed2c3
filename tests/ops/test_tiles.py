"""Every tile against its plain loop, on every vector path of this CPU."""

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from minibnn.ops.kernels import plain, table_tiles, tiles
from minibnn.ops.kernels.fixed_tiles import (
    LARGEST,
    ROUNDED,
    VALUES,
    exact_sums_tile,
    norm_grad_tile,
)
from minibnn.ops.kernels.simd import LANES, vector_paths

BYTES = (np.uint8(0),) * 16  # AVX-512 that permutes bytes


def paths(kind=None, least=1):
    """Every vector path of this CPU; all but the best are slow. With a kind, (path, kind)."""
    lanes = sorted({LANES[path] for path in vector_paths()}, reverse=True)
    found = [(0,) * n for n in lanes if n >= least]
    if kind is np.int16 and vector_paths()[0] == "avx512vbmi":
        found.insert(0, BYTES)
    for number, simd in enumerate(found):
        words = (simd,) if kind is None else (simd, kind)
        name = "-".join(filter(None, map(name_of, words)))
        yield pytest.param(*words, id=name, marks=[pytest.mark.slow] * (number > 0))


def name_of(value):
    if isinstance(value, tuple):
        return f"{len(value)}{'b' * (value[:1] == BYTES[:1] and isinstance(value[0], np.uint8))}"
    return getattr(value, "__name__", None)


PATHS = list(paths())
WITH_TABLES = list(paths(np.float32, least=8))
WITH_SHORT_TABLES = list(paths(np.int16))
SHORT_PATHS = [pytest.param(p.values[0], id=p.id, marks=p.marks) for p in WITH_SHORT_TABLES]
ROWS, TAPS, DEPTH, STRIDE = 7, 3, 3, 96
LIMIT = 2  # words that short tables are summed over at once: less than DEPTH
NO_PLACES = np.empty(0, np.uint8)


def sizes(*numbers):
    return tuple((0,) * n for n in numbers)


def words(rng, *shape):
    return rng.integers(0, 2**32, shape, dtype=np.uint32).reshape(-1)


def offsets(rng, count, room):
    """Starts that do not follow each other, of stretches of ``room``."""
    return (rng.permutation(count) * room).astype(np.int32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


NUMBERS = np.empty(0, np.int32), np.empty(0, np.uint32)  # no level, no bits to turn over


@njit
def _popcount(simd, height, width, pooled, signed, *rest):
    tiles.popcount_tile(simd, height, width, pooled, signed, *rest)


@njit
def _level(simd, *rest):
    tiles.level_tile(simd, *rest)


def popcount_operands(rng, kind):
    x = words(rng, ROWS, TAPS, DEPTH)
    rows, taps = offsets(rng, ROWS, TAPS * DEPTH), offsets(rng, TAPS, DEPTH)
    w, planes = words(rng, TAPS, DEPTH, STRIDE), offsets(rng, TAPS, DEPTH * STRIDE)
    base = rng.integers(-99, 99, 2 * STRIDE).astype(np.int32)
    bases = (rng.integers(0, 2, ROWS) * STRIDE).astype(np.int32)
    return (x, 0, rows, 1, taps, TAPS, DEPTH, w, planes, 16, STRIDE, base, bases), np.zeros(
        ROWS * STRIDE, kind
    )


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int16, np.int32])
@pytest.mark.parametrize("height, width", [(4, 4), (4, 2), (1, 2), (5, 1)])
def test_popcount_tile(rng, simd, kind, height, width):
    operands, out = popcount_operands(rng, kind)
    expected = out.copy()
    outs = offsets(rng, ROWS, STRIDE)
    where = np.empty(0, np.uint8)
    _popcount(simd, *sizes(height, width, 0, 0), *operands, out, 16, outs, where, *NUMBERS)
    plain.popcount_tile(*sizes(height, width), *operands, expected, 16, outs)
    assert_array_equal(out, expected)
    assert expected.any()


@pytest.mark.parametrize("simd", PATHS)
def test_pooled_popcount_tile_keeps_the_first_maximum(rng, simd):
    operands, out = popcount_operands(rng, np.int16)
    rows = operands[2]
    rows[3] = rows[1]  # two equal rows: a tie in every lane they win
    operands[12][3] = operands[12][1]
    plainly = np.zeros((4, 64), np.int16)
    lines = (np.arange(ROWS) * 64 - 64).astype(np.int32)
    plain.popcount_tile(*sizes(4, 4), *operands, plainly.reshape(-1), 0, lines)
    where = np.full(out.size, 9, np.uint8)
    outs = np.full(ROWS, 32, np.int32)
    _popcount(simd, *sizes(4, 4, 1, 0), *operands, out, 16, outs, where, *NUMBERS)
    assert_array_equal(out[48:112], plainly.max(0))
    assert_array_equal(where[48:112], plainly.argmax(0))
    assert not out[:48].any() and not out[112:].any() and (where[112:] == 9).all()


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("pooled", [0, 1])
@pytest.mark.parametrize("width, column", [(4, 32), (2, 64)])
def test_popcount_tile_stores_bits(rng, simd, pooled, width, column):
    operands, _ = popcount_operands(rng, np.int32)
    operands = (*operands[:9], column, *operands[10:])
    level = rng.integers(-60, 60, STRIDE).astype(np.int32)
    turned, lanes = words(rng, STRIDE // 32), 16 * width
    sums = np.zeros((ROWS, lanes), np.int32)
    plain.popcount_tile(
        *sizes(4, width), *operands, sums.reshape(-1), 0, (np.arange(ROWS) * lanes).astype(np.int32)
    )
    sums = sums[1:5].max(0, keepdims=True) if pooled else sums[1:5]
    bits = np.packbits(sums < level[column : column + lanes], axis=1, bitorder="little")
    expected = bits.view("<u4") ^ turned[column // 32 :][: lanes // 32]
    out = np.zeros(40, np.uint32)
    outs = np.full(ROWS, 8, np.int32) if pooled else (np.arange(ROWS) * 5).astype(np.int32)
    _popcount(simd, *sizes(4, width, pooled, 1), *operands, out, 3, outs, NO_PLACES, level, turned)
    first = outs[1] + 3
    assert_array_equal(
        out[first:].reshape(-1)[: 5 * len(sums)].reshape(-1, 5)[:, : lanes // 32], expected
    )
    assert np.count_nonzero(out) == np.count_nonzero(expected)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_level_tile(rng, simd, kind):
    x = rng.integers(-9, 9, 80).astype(kind)
    level = rng.integers(-9, 9, 64).astype(np.float32 if kind == np.float32 else np.int32)
    turned, signs = words(rng, 3), np.zeros(4, np.uint32)
    _level(simd, x, 7, level, 32, turned, 1, signs, 2)
    below = np.packbits(x[7:39] < level[32:], bitorder="little").view("<u4")
    assert_array_equal(signs, [0, 0, below[0] ^ turned[1], 0])


def entries_of(simd, kind):
    """Entries of the tables of one word: without 16-bit look-ups its numbers themselves."""
    return 32 if kind == np.int16 and len(simd) < 16 else 128


def stored(simd, kind, tables):
    """Tables of 16-bit sums as a path has them: where bytes are permuted, they stand apart."""
    if kind is not np.int16 or not isinstance(simd[0], np.uint8):
        return tables
    sums = tables.view(np.uint8).reshape(-1, 4, 2, 16, 2)  # word, nibble, half, entry, low or high
    apart = np.empty((len(sums), 4, 2, 2, 16), np.uint8)  # word, step, half, low or high, entry
    for step, (low, high) in enumerate([(0, 2), (1, 3), (2, 0), (3, 1)]):
        apart[:, step, :, 0], apart[:, step, :, 1] = sums[:, low, ..., 0], sums[:, high, ..., 1]
    return apart.reshape(-1).view(np.int16)


@njit
def _table(simd, height, width, accumulate, *rest):
    table_tiles.table_tile(simd, height, width, accumulate, *rest)


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
    return tables.reshape(-1), rows, taps


def sums(rng, kind):
    """What sums are added to: float32, or the int32 of short tables."""
    start = 100 * rng.standard_normal(ROWS * STRIDE)
    return start.astype(np.int32 if kind == np.int16 else kind)


@pytest.mark.parametrize("simd, kind", WITH_TABLES + WITH_SHORT_TABLES)
@pytest.mark.parametrize("height, width", [(4, 4), (4, 2), (1, 4), (6, 1)])
@pytest.mark.parametrize("accumulate", [0, 1])
def test_table_tile(rng, simd, kind, height, width, accumulate):
    tables, rows, taps = table_operands(rng, simd, kind)
    w, planes = words(rng, TAPS, DEPTH, STRIDE), offsets(rng, TAPS, DEPTH * STRIDE)
    out, outs = sums(rng, kind), offsets(rng, ROWS, STRIDE)
    expected = out.copy()
    operands, where = (tables, 0, rows, 1, taps, TAPS, DEPTH), (w, planes, 16, STRIDE)
    tile = sizes(height, width, accumulate)
    _table(simd, *tile, stored(simd, kind, tables), *operands[1:], LIMIT, *where, out, 16, outs)
    plain.table_tile(*tile, entries_of(simd, kind), *operands, *where, expected, 16, outs)
    assert_array_equal(out, expected)  # same order of sums: the same bits


@njit
def _select(simd, height, width, choices, *rest):
    table_tiles.select_tile(simd, height, width, choices, *rest)


@pytest.mark.parametrize("simd, kind", WITH_TABLES + WITH_SHORT_TABLES)
@pytest.mark.parametrize("height, width, choices", [(4, 4, 4), (4, 2, 4), (1, 4, 2), (4, 4, 2)])
def test_select_tile(rng, simd, kind, height, width, choices):
    tables, rows, taps = table_operands(rng, simd, kind)
    w = words(rng, TAPS, choices, DEPTH, STRIDE)
    planes = offsets(rng, TAPS * choices, DEPTH * STRIDE)
    chosen = rng.integers(0, choices + 1, (ROWS, TAPS, DEPTH, 32))  # some bits are never chosen
    bits = chosen[:, :, None] == np.arange(choices)[:, None, None]
    masks = np.packbits(bits, axis=-1, bitorder="little").view("<u4").reshape(-1).astype(np.uint32)
    mask_rows = (np.arange(ROWS) * TAPS * choices * DEPTH).astype(np.int32)
    mask_taps = (np.arange(TAPS) * choices * DEPTH).astype(np.int32)
    out, outs = sums(rng, kind), offsets(rng, ROWS, STRIDE)
    expected = out.copy()
    operands = (
        tables, 0, rows, 1, taps, masks, 0, mask_rows, mask_taps, DEPTH, TAPS, DEPTH,
    )  # fmt: skip
    where, tile = (w, planes, 16, STRIDE), sizes(height, width, choices)
    tables = stored(simd, kind, tables)
    _select(simd, *tile, tables, *operands[1:], LIMIT, *where, out, 16, outs)
    plain.select_tile(*tile, entries_of(simd, kind), *operands, *where, expected, 16, outs)
    assert_array_equal(out, expected)


@njit
def _word_tables(simd, values, at, tables, place):
    table_tiles.word_tables(simd, values, at, tables, place)


@njit
def _add(simd, tables, first, second, out, count):
    table_tiles.add_tables(simd, tables, first, second, out, count)


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


@pytest.mark.parametrize("simd, kind", WITH_TABLES)
def test_add_tables(rng, simd, kind):
    tables = numbers(rng, kind, 300)
    expected = tables.copy()
    expected[200:264] = tables[3:67] + tables[100:164]
    _add(simd, tables, 3, 100, 200, 64)
    assert_array_equal(tables, expected)


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
    out = np.zeros(4 * 64, np.int32)
    where = (w.reshape(-1), zero, 0, 64)
    _table(simd, *tile, (), tables, 0, rows, 0, zero, 1, depth, limit, *where, out, 0, outs)
    assert_array_equal(out.reshape(4, 64), expected)
    places, every = (np.arange(4) * w.size).astype(np.int32), rng.integers(0, 4, (4, 32 * depth))
    w = np.repeat(w.reshape(1, -1), 4, axis=0)  # four places with the same bits
    masks = np.packbits(every[:, None] == np.arange(4)[:, None], axis=-1, bitorder="little")
    mask_rows = (np.arange(4) * 4 * depth).astype(np.int32)
    out[:] = 0
    _select(
        simd, *tile, (0,) * 4, tables, 0, rows, 0, zero,
        masks.reshape(-1).view("<u4").astype(np.uint32), 0, mask_rows, zero, depth, 1, depth,
        limit, w.reshape(-1), places, 0, 64, out, 0, outs,
    )  # fmt: skip
    assert_array_equal(out.reshape(4, 64), expected)


@njit
def _turn(simd, values, at, pitch, out, place, out_pitch):
    table_tiles.turn_tile(simd, values, at, pitch, out, place, out_pitch)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int8, np.int16, np.float32])
def test_turn_tile(rng, simd, kind):
    values, out = rng.integers(-99, 99, (20, 21)).astype(kind), np.zeros((20, 18), kind)
    expected = out.copy()
    expected[1:17, 2:18] = values[3:19, 5:21].T
    _turn(simd, values.reshape(-1), 3 * 21 + 5, 21, out.reshape(-1), 1 * 18 + 2, 18)
    assert_array_equal(out, expected)


@njit
def _transpose(simd, blocks, x, sources, row, count, out, place):
    tiles.transpose_tile(simd, blocks, x, sources, row, count, out, place)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("count", [1, 31, 32])
def test_transpose_tile(rng, simd, count):
    x, sources = words(rng, 40, 3), offsets(rng, 40, 3)
    out = np.zeros(2 * 32 + 4, np.uint32)
    _transpose(simd, (0, 0), x, sources, 2, count, out, 1)
    bits = x.reshape(40, 3)[sources[2 : 2 + count] // 3, :2]
    bits = bits[:, :, None] >> np.arange(32, dtype=np.uint32) & 1
    expected = (bits.astype(np.uint64) << np.arange(count, dtype=np.uint64)[:, None, None]).sum(0)
    assert_array_equal(out[1:65], expected.reshape(-1))
    assert not out[0] and not out[65:].any()


@njit
def _sign(simd, x, at, mean, factor, beta, channel, limits, signs, gate, place):
    tiles.sign_tile(simd, x, at, mean, factor, beta, channel, limits, signs, gate, place)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_sign_tile(rng, simd, kind):
    x = rng.integers(-4, 5, 70).astype(kind)
    mean, factor, beta = rng.integers(-2, 3, (3, 40)).astype(np.float32) / np.float32(2)
    if kind == np.float32:
        x[10] = np.nan  # neither negative nor within the limit
    signs, gate = np.zeros(3, np.uint32), np.zeros(3, np.uint32)
    limits = np.float32([1, 0.75])
    _sign(simd, x, 7, mean, factor, beta, 3, limits, signs, gate, 1)
    own, unit = slice(3, 35), limits[1] if kind != np.float32 else 1
    y = (x[7:39].astype(np.float32) * unit - mean[own]) * factor[own] + beta[own]
    bits = np.uint64(1) << np.arange(32, dtype=np.uint64)
    assert signs.tolist() == [0, bits[y < 0].sum(), 0]
    assert gate.tolist() == [0, bits[~(np.abs(y) <= 1)].sum(), 0]
    assert (np.abs(y) == 1).any() and (y == 0).any()


@njit
def _exact_sums(simd, u, x, at, gate, word, sums, place, pitch):
    exact_sums_tile(simd, u, x, at, gate, word, sums, place, pitch)


INTEGERS = [(np.int32, np.int16), (np.int16, np.int32), (np.int8, np.int16)]  # of dy and x


def channels(rng, u, x):
    """Integers of dy and x of 32 channels from 7 on, and the gate in word 1."""
    dy, values = (
        rng.integers(np.iinfo(kind).min // 2, np.iinfo(kind).max // 2, 50).astype(kind)
        for kind in (u, x)
    )
    gate = words(rng, 3)
    stopped = gate[1] >> np.arange(32, dtype=np.uint32) & 1
    return dy, values, gate, np.where(stopped, 0, dy[7:39])


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("u, x", INTEGERS)
def test_exact_sums_tile(rng, simd, u, x):
    dy, values, gate, passed = channels(rng, u, x)
    sums = rng.integers(-99, 99, 100)
    expected = sums.copy()
    expected[2:34] += passed
    expected[47:79] += passed.astype(np.int64) * values[7:39]
    _exact_sums(simd, dy, values, 7, gate, 1, sums, 2, 45)
    assert_array_equal(sums, expected)


@njit
def _norm_grad(simd, mode, *rest):
    norm_grad_tile(simd, mode, *rest)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize(
    "mode, result",
    [(VALUES, np.float32), (LARGEST, np.int32), (ROUNDED, np.int8), (ROUNDED, np.int16)],
)
@pytest.mark.parametrize("u, x", INTEGERS[:2])
def test_norm_grad_tile(rng, simd, mode, result, u, x):
    dy, values, gate, passed = channels(rng, u, x)
    constants = rng.standard_normal((5, 40)).astype(np.float32)
    unit, x_unit = np.float32(2.0 ** -np.iinfo(u).bits), np.float32(1 / np.iinfo(x).max)
    mean, inverse, factor, mean_dy, mean_dy_xhat = constants[:, 5:37]
    xhat = (values[7:39].astype(np.float32) * x_unit - mean) * inverse
    dx = factor * (passed.astype(np.float32) * unit - mean_dy - xhat * mean_dy_xhat)
    scale = np.float32(4)
    if mode == LARGEST:
        mean[3:5], dx[3:5] = np.nan, np.nan  # larger than whatever is there
        out = np.abs(rng.standard_normal(40)).astype(np.float32)
        out[2:10:3] = np.nan, 0, np.inf
        expected = out.copy()
        expected[2:34] = np.maximum(out[2:34], np.abs(dx))
        out = out.view(np.int32)
    else:
        out, expected = np.zeros(40, result), np.zeros(40, result)
        expected[2:34] = np.rint(dx * scale) if mode == ROUNDED else dx
    units = np.float32([unit, x_unit, scale])
    assert 9 < np.nanmax(np.abs(dx)) * scale < 127
    _norm_grad(simd, mode, dy, values, 7, gate, 1, units, constants.reshape(-1), 5, 40, out, 2)
    assert_array_equal(out.view(expected.dtype), expected)


@njit
def _mask(simd, choices, where, at, masks, place, pitch):
    tiles.mask_tile(simd, choices, where, at, masks, place, pitch)


@pytest.mark.parametrize("simd", PATHS)
def test_mask_tile(rng, simd):
    where = rng.integers(0, 4, 50).astype(np.uint8)
    masks = np.zeros(12, np.uint32)
    _mask(simd, (0,) * 4, where, 9, masks, 1, 3)
    bits = np.uint64(1) << np.arange(32, dtype=np.uint64)
    assert masks[1::3].tolist() == [bits[where[9:41] == c].sum() for c in range(4)]


@pytest.mark.parametrize("word", [0, 1, 2**31, 2**32 - 1, 0x12345678])
def test_popcount(word):
    assert plain.popcount(np.uint32(word)) == word.bit_count()
