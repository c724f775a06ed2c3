"""Every tile against its plain loop, on the best vector path of this CPU and (slow) the others."""

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from minibnn.ops.kernels import plain, tiles
from minibnn.ops.kernels.simd import LANES, vector_paths

PATHS = [
    pytest.param((0,) * lanes, id=str(lanes), marks=[pytest.mark.slow] * (number > 0))
    for number, lanes in enumerate(LANES[path] for path in vector_paths())
]
WITH_TABLES = [simd for simd in PATHS if int(simd.id) >= 8]
ROWS, TAPS, DEPTH, STRIDE = 7, 3, 2, 96
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


@njit
def _table(simd, height, width, accumulate, *rest):
    tiles.table_tile(simd, height, width, accumulate, *rest)


def table_operands(rng):
    tables = rng.standard_normal((ROWS * TAPS * DEPTH * 8, 8)).astype(np.float32)
    tables = np.concatenate([tables, -tables[:, ::-1]], axis=1)  # as sums with all signs turned
    size = DEPTH * 128
    rows, taps = offsets(rng, ROWS, TAPS * size), offsets(rng, TAPS, size)
    return tables.reshape(-1), rows, taps


@pytest.mark.parametrize("simd", WITH_TABLES)
@pytest.mark.parametrize("height, width", [(4, 4), (4, 2), (1, 4), (6, 1)])
@pytest.mark.parametrize("accumulate", [0, 1])
def test_table_tile(rng, simd, height, width, accumulate):
    tables, rows, taps = table_operands(rng)
    w, planes = words(rng, TAPS, DEPTH, STRIDE), offsets(rng, TAPS, DEPTH * STRIDE)
    out = rng.standard_normal(ROWS * STRIDE).astype(np.float32)
    expected, outs = out.copy(), offsets(rng, ROWS, STRIDE)
    operands = tables, 0, rows, 1, taps, TAPS, DEPTH, w, planes, 16, STRIDE
    _table(simd, *sizes(height, width, accumulate), *operands, out, 16, outs)
    plain.table_tile(*sizes(height, width, accumulate), *operands, expected, 16, outs)
    assert_array_equal(out, expected)  # same order of sums: the same bits


@njit
def _select(simd, height, width, choices, *rest):
    tiles.select_tile(simd, height, width, choices, *rest)


@pytest.mark.parametrize("simd", WITH_TABLES)
@pytest.mark.parametrize("height, width, choices", [(4, 4, 4), (4, 2, 4), (1, 4, 2), (4, 4, 2)])
def test_select_tile(rng, simd, height, width, choices):
    tables, rows, taps = table_operands(rng)
    w = words(rng, TAPS, choices, DEPTH, STRIDE)
    planes = offsets(rng, TAPS * choices, DEPTH * STRIDE)
    chosen = rng.integers(0, choices + 1, (ROWS, TAPS, DEPTH, 32))  # some bits are never chosen
    bits = chosen[:, :, None] == np.arange(choices)[:, None, None]
    masks = np.packbits(bits, axis=-1, bitorder="little").view("<u4").reshape(-1).astype(np.uint32)
    mask_rows = (np.arange(ROWS) * TAPS * choices * DEPTH).astype(np.int32)
    mask_taps = (np.arange(TAPS) * choices * DEPTH).astype(np.int32)
    out = rng.standard_normal(ROWS * STRIDE).astype(np.float32)
    expected, outs = out.copy(), offsets(rng, ROWS, STRIDE)
    operands = (
        tables, 0, rows, 1, taps, masks, 0, mask_rows, mask_taps, DEPTH, TAPS, DEPTH, w, planes,
        16, STRIDE,
    )  # fmt: skip
    _select(simd, *sizes(height, width, choices), *operands, out, 16, outs)
    plain.select_tile(*sizes(height, width, choices), *operands, expected, 16, outs)
    assert_array_equal(out, expected)


@njit
def _build(simd, values, at, step, tables, place):
    tiles.build_table(simd, values, at, step, tables, place)


@njit
def _add(simd, tables, first, second, out, count):
    tiles.add_tables(simd, tables, first, second, out, count)


@pytest.mark.parametrize("simd", WITH_TABLES)
def test_a_table_holds_the_sixteen_signed_sums(rng, simd):
    values, tables = rng.standard_normal(40).astype(np.float32), np.zeros(64, np.float32)
    _build(simd, values, 5, 7, tables, 3)
    four = values[5:33:7].astype(np.float64)
    signs = 1 - 2 * (np.arange(16)[:, None] >> np.arange(4) & 1)
    assert_allclose(tables[3:19], signs @ four, rtol=1e-6, atol=1e-6)
    assert not tables[:3].any() and not tables[19:].any()
    tables[32:48] = rng.standard_normal(16)
    _add(simd, tables, 3, 32, 48, 1)
    assert_array_equal(tables[48:64], tables[3:19] + tables[32:48])


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
def _sign(simd, x, at, mean, factor, beta, channel, limit, signs, gate, place):
    tiles.sign_tile(simd, x, at, mean, factor, beta, channel, limit, signs, gate, place)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_sign_tile(rng, simd, kind):
    x = rng.integers(-4, 5, 70).astype(kind)
    mean, factor, beta = rng.integers(-2, 3, (3, 40)).astype(np.float32) / np.float32(2)
    if kind == np.float32:
        x[10] = np.nan  # neither negative nor within the limit
    signs, gate = np.zeros(3, np.uint32), np.zeros(3, np.uint32)
    _sign(simd, x, 7, mean, factor, beta, 3, np.ones(1, np.float32), signs, gate, 1)
    own = slice(3, 35)
    y = (x[7:39].astype(np.float32) - mean[own]) * factor[own] + beta[own]
    bits = np.uint64(1) << np.arange(32, dtype=np.uint64)
    assert signs.tolist() == [0, bits[y < 0].sum(), 0]
    assert gate.tolist() == [0, bits[~(np.abs(y) <= 1)].sum(), 0]
    assert (np.abs(y) == 1).any() and (y == 0).any()


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
