"""Fixed-point numbers: their exponent, their rounding, and sums that would need more bits."""

import math
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn.errors import InputError
from minibnn.ops import reference
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import WIDTHS, Fixed, check_sum, fixed_exponent, most
from minibnn.ops.rounding import fixed_sums

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


def test_ties_go_to_the_even_integer():
    found = reference.to_fixed(np.float32([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]) / 4, 8)
    assert found.exponent == -2
    assert found.integers.tolist() == [127, 0, 2, 2, 0, -2, -2]


def test_sums_of_a_product_are_rounded_to_a_narrower_type_once():
    x = Fixed(np.int32([2**30 + 2**22, -(2**22), 0]), -40)
    found = reference.to_fixed(x, 8)
    assert (found.exponent, found.integers.tolist()) == (-16, [64, 0, 0])
    assert reference.to_fixed(found, 8) is found


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


@pytest.mark.parametrize("largest, fits", [(9 * 127, True), (2**24, False)])
def test_sums_of_batch_normalisation_count_what_is_there(largest, fits):
    dy, x = Fixed(np.int32([[largest, -1]])), Fixed(np.int32([[1, 2]]))
    with nullcontext() if fits else pytest.raises(InputError, match="at most 1,048,578 fit"):
        fixed_sums(np.zeros((2, 2), np.int64), dy, x, np.zeros(2), np.ones(2), 2**21)


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
