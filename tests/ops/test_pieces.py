"""Batch normalisation of a piece of a batch, told the sums of the rest: as of the whole batch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn.ops.backend import ops
from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.reference import to_fixed

CHANNELS = 37


class Rest:
    """The other piece, by the sums that it has at each call and its largest number."""

    size = 2

    def __init__(self, *sums, largest=None):
        self.sums, self.other = list(sums), largest

    def largest(self, own):
        return np.maximum(own, self.other)  # NaN wins

    def sum(self, own):
        other = self.sums.pop(0)
        assert (own.shape, own.dtype) == (other.shape, other.dtype)
        return own + other


def test_statistics_of_integers_are_exactly_those_of_the_whole(each_backend, rng):
    x = rng.integers(-3000, 3000, (14, 9, 5, CHANNELS)).astype(np.int16)
    x[..., 3] = 7  # a channel that never changes
    first, second = x[:7], x[7:].reshape(-1, CHANNELS).astype(np.int64)
    rest = Rest(np.stack([second.sum(0), (second * second).sum(0)]))
    found = ops.batch_statistics(first, rest)
    for a, b in zip(found, ops.batch_statistics(x), strict=True):
        assert_array_equal(a, b)
    assert not rest.sums
    assert found[1][3] == 0


def test_statistics_of_floats(each_backend, rng):
    x = rng.normal(3, 1, (1400, CHANNELS)).astype(np.float32)
    x[700:] += 5  # so that each piece has another mean
    second = x[700:].astype(np.float64)
    deviations = np.square(second - x.mean(0, dtype=np.float64)).sum(0)
    mean, variance = ops.batch_statistics(x[:700], Rest(second.sum(0), deviations))
    expected = ops.batch_statistics(x)
    assert_allclose(mean, expected[0], rtol=1e-14)
    assert_allclose(variance, expected[1], rtol=1e-13)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_gradients_add_up_to_those_of_the_whole(each_backend, rng, scale, fused):
    x = rng.integers(-60, 60, (1200, CHANNELS)).astype(np.int16)
    mean, variance = (s.astype(np.float32) for s in ops.batch_statistics(x))
    gamma = rng.normal(size=CHANNELS).astype(np.float32) if scale else None
    dy = rng.normal(0.1, 1, x.shape).astype(np.float32)
    gates = rng.choice([-1, 1], x.shape)
    arguments = mean, variance, 1e-3, gamma

    def grad(rows, across=None):
        if not fused:
            return ops.batch_norm_grad(dy[rows], x[rows], *arguments, across)
        gate = pack_signs(gates[rows], -1)
        return ops.batch_norm_sign_grad(dy[rows], gate, x[rows], *arguments, across)

    whole = grad(slice(None))
    pieces = slice(0, 600), slice(600, None)
    passed = np.where(gates > 0, dy, 0) if fused else dy
    xhat = ((x - mean) / np.sqrt(variance + np.float32(1e-3))).astype(np.float64)
    sums = [np.stack([passed[p].sum(0, dtype=float), (passed * xhat)[p].sum(0)]) for p in pieces]
    found = [grad(p, Rest(other)) for p, other in zip(pieces, reversed(sums), strict=True)]
    assert_allclose(np.concatenate([dx for dx, _, _ in found]), whole[0], rtol=0, atol=3e-6)
    for k in (1, 2):  # of gamma and beta, each piece has its own part
        assert_allclose(found[0][k] + found[1][k], whole[k], rtol=0, atol=1e-3)
        assert np.abs(found[0][k] - whole[k]).max() > 1


# -- fixed-point numbers ----------------------------------------------------------------------

PIECES = slice(0, 40), slice(40, 80)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("largest", [(70, 3), (2, 1)])  # where the largest of all is
def test_pieces_agree_on_the_exponent(rng, bits, largest):
    x = rng.standard_normal((80, 5)).astype(np.float32)
    x[largest] = -100
    whole = to_fixed(x, bits)
    for own, other in (PIECES, PIECES[::-1]):
        found = to_fixed(x[own], bits, Rest(largest=np.abs(x[other]).max()))
        assert found.exponent == whole.exponent
        assert_array_equal(found.integers, whole.integers[own])
    assert np.isnan(to_fixed(x[:40], bits, Rest(largest=np.nan)).exponent)


@pytest.mark.parametrize("bits", [None, 8])
def test_fixed_gradients_are_those_of_the_whole(each_backend, rng, bits):
    x = rng.integers(-99, 99, (80, CHANNELS)).astype(np.int16)
    dy = Fixed(rng.integers(-5000, 5000, x.shape).astype(np.int32), -12)
    dy.integers[70] *= 100  # the largest gradient is in the second piece
    gates = rng.choice([-1, 1], x.shape)
    mean, variance = (s.astype(np.float32) for s in ops.batch_statistics(x))
    gamma = rng.standard_normal(CHANNELS).astype(np.float32)

    def grad(rows, *rest):
        gate = pack_signs(gates[rows], -1)
        arguments = x[rows], mean, variance, 1e-3, gamma
        return ops.batch_norm_sign_grad(dy.like(dy.integers[rows]), gate, *arguments, *rest)

    floats = grad(slice(None))[0]
    whole = grad(slice(None), None, bits)
    passed = np.where(gates > 0, dy.integers, 0).astype(np.int64)
    for own, other in (PIECES, PIECES[::-1]):
        sums = np.stack([passed[other].sum(0), (passed * x)[other].sum(0)])
        found = grad(own, Rest(sums, largest=np.abs(floats[other]).max()), bits)
        if bits:
            assert found[0].exponent == whole[0].exponent
            assert_array_equal(found[0].integers, whole[0].integers[own])
        else:
            assert_array_equal(found[0], whole[0][own])
        assert_array_equal(found[1:], whole[1:])  # of beta and gamma, the whole batch's in each
