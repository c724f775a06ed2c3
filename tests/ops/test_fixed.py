"""Fixed-point numbers: their exponent, their rounding, and the pieces of a batch that share one."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn.errors import InputError
from minibnn.ops import reference
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs, pack_signs
from minibnn.ops.fixed import WIDTHS, Fixed, check_sum, fixed_exponent, most

bits_of = st.sampled_from([*WIDTHS, 16, 20])


def fits(largest, bits, exponent):
    return Fraction(largest) <= most(bits) * Fraction(2) ** exponent


@given(st.floats(2.0**-1022, 1e300, exclude_min=True), bits_of)
def test_the_exponent_is_the_smallest_that_fits(largest, bits):
    exponent = fixed_exponent(largest, bits)
    assert fits(largest, bits, exponent)
    assert exponent == -126 or not fits(largest, bits, exponent - 1)


@given(st.integers(-126, 900), bits_of)
def test_the_largest_integer_times_a_power_of_two_fits_exactly(k, bits):
    largest = most(bits) * 2.0**k
    assert fixed_exponent(largest, bits) == k
    assert fixed_exponent(math.nextafter(largest, math.inf), bits) == k + 1


def test_exponents_of_nothing_and_of_what_is_not_finite():
    assert fixed_exponent(0.0, 8) == 0
    assert all(math.isnan(fixed_exponent(bad, 8)) for bad in (math.inf, math.nan))


floats = st.floats(-(2.0**99), 2.0**99, width=32)


@given(st.lists(floats, min_size=1), st.sampled_from([*WIDTHS, 16]))
def test_integers_are_the_nearest_and_of_two_the_even(values, bits):
    found = reference.to_fixed(np.float32(values), bits)
    unit = Fraction(2) ** found.exponent
    assert found.exponent == fixed_exponent(max(map(abs, values)), bits)
    assert found.integers.tolist() == [round(Fraction(value) / unit) for value in values]
    assert found.integers.dtype == (np.int8 if bits <= 8 else np.int16)


def test_ties_go_to_the_even_integer(each_backend):
    found = ops.to_fixed(np.float32([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]) / 4, 8)
    assert found.exponent == -2
    assert found.integers.tolist() == [127, 0, 2, 2, 0, -2, -2]


def test_sums_of_a_product_are_rounded_to_a_narrower_type_once(each_backend):
    x = Fixed(np.int32([2**30 + 2**22, -(2**22), 0]), -40)
    found = ops.to_fixed(x, 8)
    assert (found.exponent, found.integers.tolist()) == (-16, [64, 0, 0])
    assert ops.to_fixed(found, 8) is found


def test_floats_round_the_integer_and_then_the_product():
    x = Fixed(np.int32([2**24 + 1, -3]), -2, 255)
    assert x.unit == 2.0**-2 / 255
    assert_array_equal(x.floats(), np.float32([2**24, -3]) * np.float32(0.25 / 255))
    assert_array_equal(x.floats(np.float64), np.array([2**24 + 1, -3]) * (0.25 / 255))
    assert (x.floats().dtype, x.floats(np.float64).dtype) == (np.float32, np.float64)
    assert np.isnan(Fixed(np.int8([0, 1]), math.nan).floats()).all()


def test_other_shapes_are_of_the_same_numbers():
    x = Fixed(np.arange(12, dtype=np.int16).reshape(3, 4), 5, 255)
    y = x.reshape(2, -1)
    assert (x.shape, x.ndim, x.size, len(x)) == ((3, 4), 2, 12, 3)
    assert (y.shape, y.exponent, y.divisor) == ((2, 6), 5, 255)
    assert_array_equal(y.integers.ravel(), x.integers.ravel())


# -- sums that need more than 32 bits ---------------------------------------------------------


def test_sums_past_32_bits_are_refused_in_one_line():
    check_sum((2**31 - 1) // 127, 127, "a sum")
    with pytest.raises(
        InputError, match=r"a sum: .* 16,909,321 integers of up to 127 .* 16,909,320"
    ) as e:
        check_sum((2**31 - 1) // 127 + 1, 127, "a sum")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("dtype, count", [(np.int8, 16_909_321), (np.int16, 4_202_513)])
def test_layers_refuse_them(each_backend, dtype, count):
    def dy(*shape):
        return Fixed(np.broadcast_to(dtype(0), shape))

    def x(shape, axis):
        words = list(shape)
        words[axis] = -(-shape[axis] // 32)
        return Signs(np.broadcast_to(np.uint32(0), words), shape, axis)

    calls = (
        (ops.binary_dense_grad_input, dy(1, count), x((count, 1), 0)),
        (ops.binary_conv2d_grad_input, dy(1, 1, 1, count), x((1, 1, count, 1), 2), (1, 1, 1, 1)),
        (ops.binary_dense_grad_kernel, x((count, 1), 1), dy(count, 1)),
        (ops.binary_dense_grad_kernel, np.broadcast_to(np.uint8(0), (count, 1)), dy(count, 1)),
        (ops.binary_conv2d_grad_kernel, x((count, 1, 1, 1), 3), dy(count, 1, 1, 1), (1, 1)),
    )
    for function, *arguments in calls:
        with pytest.raises(InputError, match=r"a binary kernel|layer's input|convolution's input"):
            function(*arguments)


# -- pieces of a batch ------------------------------------------------------------------------


class Rest:
    """The other piece of two, by its largest number and its sums."""

    size = 2

    def __init__(self, largest, sums=None):
        self.other, self.sums = largest, sums

    def largest(self, own):
        return np.maximum(own, self.other)  # NaN wins

    def sum(self, own):
        assert (own.shape, own.dtype) == (self.sums.shape, self.sums.dtype)
        return own + self.sums


PIECES = slice(0, 40), slice(40, 80)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("largest", [(70, 3), (2, 1)])  # where the largest of all is
def test_pieces_agree_on_the_exponent(each_backend, bits, largest):
    x = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32)
    x[largest] = -100
    whole = ops.to_fixed(x, bits)
    for own, other in (PIECES, PIECES[::-1]):
        found = ops.to_fixed(x[own], bits, Rest(np.abs(x[other]).max()))
        assert found.exponent == whole.exponent
        assert_array_equal(found.integers, whole.integers[own])
    assert np.isnan(ops.to_fixed(x[:40], bits, Rest(math.nan)).exponent)


@pytest.mark.parametrize("bits", [None, 8, 10])
def test_pieces_of_normalisation_are_those_of_the_whole(each_backend, bits):
    rng = np.random.default_rng(0)
    x = rng.integers(-99, 99, (80, 37)).astype(np.int16)
    dy = Fixed(rng.integers(-5000, 5000, x.shape).astype(np.int32), -12)
    dy.integers[70] *= 100  # the largest gradient is in the second piece
    gates = rng.choice([-1, 1], x.shape)
    mean, variance = (s.astype(np.float32) for s in ops.batch_statistics(x))
    gamma = rng.standard_normal(37).astype(np.float32)

    def grad(rows, *rest):
        gate = pack_signs(gates[rows], -1)
        arguments = x[rows], mean, variance, 1e-3, gamma
        return ops.batch_norm_sign_grad(dy.like(dy.integers[rows]), gate, *arguments, *rest)

    floats = grad(slice(None))[0]
    whole = grad(slice(None), None, bits)
    passed = np.where(gates > 0, dy.integers, 0).astype(np.int64)
    for own, other in (PIECES, PIECES[::-1]):
        sums = np.stack([passed[other].sum(0), (passed * x)[other].sum(0)])
        found = grad(own, Rest(np.abs(floats[other]).max(), sums), bits)
        if bits:
            assert found[0].exponent == whole[0].exponent
            assert_array_equal(found[0].integers, whole[0].integers[own])
        else:
            assert_array_equal(found[0], whole[0][own])
        assert_array_equal(found[1:], whole[1:])  # of beta and gamma, the whole batch's in each
