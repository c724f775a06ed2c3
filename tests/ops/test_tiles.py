"""Every tile against its plain loop, on every vector path of this CPU."""

import numpy as np
import plain_tiles as plain
import pytest
from numpy.testing import assert_array_equal
from tile_operands import DEPTH, ROWS, STRIDE, TAPS, called, columns, offsets, paths, sizes, words

from minibnn.ops.kernels import tiles
from minibnn.ops.kernels.norm_tiles import (
    LARGEST,
    ROUNDED,
    VALUES,
    exact_sums_tile,
    float_sums_tile,
    norm_grad_tile,
)

pytestmark = pytest.mark.ci

_popcount = called(tiles.popcount_tile)
_level = called(tiles.level_tile)
_transpose = called(tiles.transpose_tile)
_sign = called(tiles.sign_tile)
_exact_sums = called(exact_sums_tile)
_float_sums = called(float_sums_tile)
_norm_grad = called(norm_grad_tile)
_mask = called(tiles.mask_tile)

PATHS = list(paths())
NO_PLACES = np.empty(0, np.uint8)
NUMBERS = np.empty(0, np.int32), np.empty(0, np.uint32)  # no level, no bits to turn over


def popcount_operands(rng, kind):
    x = words(rng, ROWS, TAPS, DEPTH)
    rows, taps = offsets(rng, ROWS, TAPS * DEPTH), offsets(rng, TAPS, DEPTH)
    base = rng.integers(-99, 99, 2 * STRIDE).astype(np.int32)
    bases = (rng.integers(0, 2, ROWS) * STRIDE).astype(np.int32)
    x, base = tiles.Stretches(x, rows, taps), tiles.Lines(base, bases)
    return (x, 0, 1, columns(rng), 16, base), np.zeros(ROWS * STRIDE, kind)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", [np.int16, np.int32])
@pytest.mark.parametrize("height, width", [(4, 4), (4, 2), (1, 2), (5, 1)])
def test_popcount_tile(rng, simd, kind, height, width):
    operands, out = popcount_operands(rng, kind)
    expected = out.copy()
    outs = offsets(rng, ROWS, STRIDE)
    lines, plainly = tiles.Results(out, outs, NO_PLACES, *NUMBERS), tiles.Lines(expected, outs)
    _popcount(simd, *sizes(height, width, 0, 0), *operands, lines, 16)
    plain.popcount_tile(*sizes(height, width), *operands, plainly, 16)
    assert_array_equal(out, expected)
    assert expected.any()


@pytest.mark.parametrize("simd", PATHS)
def test_pooled_popcount_tile_keeps_the_first_maximum(rng, simd):
    operands, out = popcount_operands(rng, np.int16)
    for rows in (operands[0].rows, operands[5].rows):
        rows[3] = rows[1]  # two equal rows: a tie in every lane they win
    plainly = np.zeros((4, 64), np.int16)
    lines = (np.arange(ROWS) * 64 - 64).astype(np.int32)
    plain.popcount_tile(*sizes(4, 4), *operands, tiles.Lines(plainly.reshape(-1), lines), 0)
    where = np.full(out.size, 9, np.uint8)
    pooled = tiles.Results(out, np.full(ROWS, 32, np.int32), where, *NUMBERS)
    _popcount(simd, *sizes(4, 4, 1, 0), *operands, pooled, 16)
    assert_array_equal(out[48:112], plainly.max(0))
    assert_array_equal(where[48:112], plainly.argmax(0))
    assert not out[:48].any() and not out[112:].any() and (where[112:] == 9).all()


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("pooled", [0, 1])
@pytest.mark.parametrize("width, column", [(4, 32), (2, 64)])
def test_popcount_tile_stores_bits(rng, simd, pooled, width, column):
    operands, _ = popcount_operands(rng, np.int32)
    operands = (*operands[:4], column, operands[5])
    level = rng.integers(-60, 60, STRIDE).astype(np.int32)
    turned, lanes = words(rng, STRIDE // 32), 16 * width
    sums = np.zeros((ROWS, lanes), np.int32)
    lines = tiles.Lines(sums.reshape(-1), (np.arange(ROWS) * lanes).astype(np.int32))
    plain.popcount_tile(*sizes(4, width), *operands, lines, 0)
    sums = sums[1:5].max(0, keepdims=True) if pooled else sums[1:5]
    bits = np.packbits(sums < level[column : column + lanes], axis=1, bitorder="little")
    expected = bits.view("<u4") ^ turned[column // 32 :][: lanes // 32]
    out = np.zeros(40, np.uint32)
    outs = np.full(ROWS, 8, np.int32) if pooled else (np.arange(ROWS) * 5).astype(np.int32)
    lines = tiles.Results(out, outs, NO_PLACES, level, turned)
    _popcount(simd, *sizes(4, width, pooled, 1), *operands, lines, 3)
    first = outs[1] + 3
    found = out[first:][: 5 * len(sums)].reshape(-1, 5)
    assert_array_equal(found[:, : lanes // 32], expected)
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


INTEGERS = [(np.int32, np.int16), (np.int16, np.int32), (np.int8, np.int16)]  # of dy and x
FLOATS = [(np.float32, np.int16), (np.float32, np.float32)]


def units_of(*kinds):
    """What 1 stands for: floats have no unit."""
    return [np.float32(1 if k == np.float32 else 1 / np.iinfo(k).max) for k in kinds]


def channels(rng, u, x):
    """Numbers of dy and x of 32 channels from 7 on, and the gate in word 1."""
    dy, values = (
        (3 * rng.standard_normal(50)).astype(kind)
        if kind == np.float32
        else rng.integers(np.iinfo(kind).min // 2, np.iinfo(kind).max // 2, 50).astype(kind)
        for kind in (u, x)
    )
    gate = words(rng, 3)
    stopped = gate[1] >> np.arange(32, dtype=np.uint32) & 1
    return dy, values, gate, np.where(stopped, u(0), dy[7:39])


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


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("u, x", FLOATS)
def test_float_sums_tile(rng, simd, u, x):
    dy, values, gate, passed = channels(rng, u, x)
    constants, sums = rng.standard_normal((2, 40)).astype(np.float32), rng.standard_normal(100)
    units, expected = np.float32(units_of(u, x)), sums.copy()
    xhat = (values[7:39].astype(np.float32) * units[1] - constants[0, 5:37]) * constants[1, 5:37]
    expected[2:34] += passed
    expected[42:74] += passed * xhat
    _float_sums(simd, dy, values, 7, gate, 1, units, constants.reshape(-1), 5, 40, sums, 2)
    assert_array_equal(sums, expected)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize(
    "mode, result",
    [(VALUES, np.float32), (LARGEST, np.int32), (ROUNDED, np.int8), (ROUNDED, np.int16)],
)
@pytest.mark.parametrize("u, x", [*INTEGERS[:2], *FLOATS])
def test_norm_grad_tile(rng, simd, mode, result, u, x):
    dy, values, gate, passed = channels(rng, u, x)
    constants = rng.standard_normal((5, 40)).astype(np.float32)
    unit, x_unit = units_of(u, x)
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


@pytest.mark.parametrize("simd", PATHS)
def test_mask_tile(rng, simd):
    where = rng.integers(0, 4, 50).astype(np.uint8)
    masks = np.zeros(6, np.uint32)
    _mask(simd, where, 9, masks, 1, 3)
    bits = np.uint64(1) << np.arange(32, dtype=np.uint64)
    low, high = bits[where[9:41] % 2 == 1].sum(), bits[where[9:41] > 1].sum()
    assert masks.tolist() == [0, low, 0, 0, high, 0]
