"""Sums of fixed-point numbers against loops over integers; test_fixed_twins has the kernels."""

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from operands import assert_same, byte, extreme, integers, real, signs

from minibnn.ops.backend import ops
from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed


def signs_or_bytes(rng, bytes_, *shape):
    """An operand, and the integers that it stands for."""
    if bytes_:
        x = byte(rng, *shape)
        return x, 2 * x.astype(int) - 255
    x = signs(rng, *shape, axis=len(shape) - 1)
    return x, x.unpack()


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("bytes_", [False, True])
def test_dense_sums_are_those_of_loops(rng, bits, bytes_):
    x, numbers = signs_or_bytes(rng, bytes_, 37, 9)
    w, dy = signs(rng, 9, 5, axis=0), integers(rng, bits, 37, 5)
    y = ops.binary_dense(x, w, True)
    assert_array_equal(y.integers if bytes_ else y, naive.dense(numbers, w.unpack()))
    dw = ops.binary_dense_grad_kernel(x, dy, True)
    assert_array_equal(dw.integers, naive.dense(numbers.T, dy.integers))
    assert (dw.exponent, dw.divisor) == (-bits, 255 if bytes_ else 1)
    assert_array_equal(ops.binary_dense_grad_kernel(x, dy), dw.floats())
    dx = ops.binary_dense_grad_input(dy, pack_signs(w.unpack().T, 0))
    assert_array_equal(dx.integers, naive.dense(dy.integers, w.unpack().T))
    assert (dx.exponent, dx.integers.dtype) == (-bits, np.int32)


@pytest.mark.parametrize("bytes_", [False, True])
@pytest.mark.parametrize(
    "strides, padding, pad", [((1, 1), "same", 1), ((2, 1), "same", 0), ((1, 2), "valid", 0)]
)
def test_sums_of_convolutions_are_those_of_loops(rng, bytes_, strides, padding, pad):
    image, kernel = (2, 6, 5, 3), (3, 2, 3, 4)
    place = strides, padding, pad
    x, numbers = signs_or_bytes(rng, bytes_, *image)
    w, worth = signs(rng, *kernel, axis=2), 255 * pad if bytes_ else pad
    y = ops.binary_conv2d(x, w, *place, True)
    assert_array_equal(
        y.integers if bytes_ else y, naive.conv2d(numbers, w.unpack(), strides, padding, worth)
    )
    dy = integers(rng, 8, *y.shape)
    dx, dw = naive.conv2d_grads(numbers, w.unpack(), dy.integers, strides, padding, worth)
    w_t = pack_signs(w.unpack().swapaxes(2, 3), 2)
    assert_array_equal(ops.binary_conv2d_grad_input(dy, w_t, image, *place[:2]).integers, dx)
    found = ops.binary_conv2d_grad_kernel(x, dy, (3, 2), *place, True)
    assert_array_equal(found.integers, dw)
    assert_array_equal(ops.binary_conv2d_grad_kernel(x, dy, (3, 2), *place), found.floats())


@pytest.mark.parametrize("inputs", [3, 64])  # 64: the tile that chooses among a window's places
def test_sums_behind_a_pool_are_those_of_loops(rng, inputs):
    image, kernel = (1, 5, 4, inputs), (3, 3, inputs, 3)
    x, w = signs(rng, *image, axis=3), signs(rng, *kernel, axis=2)
    y, where = ops.binary_conv2d_pool(x, w)
    dy = integers(rng, 8, *y.shape)
    at_maxima = naive.max_pool2d_grad(dy.integers, where, (1, 5, 4, 3), (2, 2), (2, 2), "valid")
    assert_array_equal(ops.max_pool2d_grad(dy, where, (1, 5, 4, 3)).integers, at_maxima)
    dx, dw = naive.conv2d_grads(x.unpack(), w.unpack(), at_maxima)
    w_t = pack_signs(w.unpack().swapaxes(2, 3), 2)
    found = ops.binary_conv2d_pool_grad_input(dy, where, w_t, image)
    assert_array_equal(found.integers, dx)
    found = ops.binary_conv2d_pool_grad_kernel(x, dy, where, (3, 3), fixed=True)
    assert_array_equal(found.integers, dw)


def test_overlapping_windows_add_up_in_32_bits():
    dy, where = extreme(np.int8, 1, 2, 2, 1), np.uint8([[[[3], [2]], [[1], [0]]]])
    dx = ops.max_pool2d_grad(dy, where, (1, 3, 3, 1), (2, 2), (1, 1))
    assert dx.integers[0, ..., 0].tolist() == [[0, 0, 0], [0, 4 * 127, 0], [0, 0, 0]]


def test_normalisation_is_that_of_exact_sums(rng):
    """dbeta exactly, the others up to the roundings of their few steps."""
    x = Fixed(rng.integers(-9000, 9000, (600, 33)).astype(np.int32), divisor=255)
    dy, gate = integers(rng, 16, 600, 33), signs(rng, 600, 33, axis=1)
    mean, variance = (s.astype(np.float32) for s in ops.batch_statistics(x))
    gamma = rng.random(33).astype(np.float32)
    arguments = dy, gate, x, mean, variance, 1e-3, gamma
    dx, dgamma, dbeta = ops.batch_norm_sign_grad(*arguments)
    passed = np.where(gate.unpack() > 0, dy.integers, 0).astype(int)
    values, gradients = x.integers / 255, passed * 2.0**-16
    assert_allclose(mean, values.mean(0), rtol=1e-6)
    assert_allclose(variance, values.var(0), rtol=1e-6)
    assert_array_equal(dbeta, gradients.sum(0).astype(np.float32))  # exact before that
    inverse = 1 / np.sqrt(variance.astype(float) + 1e-3)
    xhat = (values - mean) * inverse
    largest = np.abs(gradients).sum(0).max()
    assert_allclose(dgamma, (gradients * xhat).sum(0), rtol=0, atol=1e-5 * largest)
    exact = gradients - gradients.mean(0) - xhat * (gradients * xhat).mean(0)
    assert_allclose(dx, gamma * inverse * exact, rtol=0, atol=3e-6)
    for bits in (8, 10):
        rounded, *sums = ops.batch_norm_sign_grad(*arguments, None, bits)
        assert_same(rounded, ops.to_fixed(dx, bits), "dx rounded at once")
        assert_array_equal(sums, [dgamma, dbeta])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(bad):
    dy = ops.to_fixed(np.float32([[1, bad], [0, -1]]), 8)
    assert np.isnan(dy.exponent) and not dy.integers.any()
    x, w_t = pack_signs(np.int8([[1, -1], [1, 1]]), 1), pack_signs(np.int8([[1, -1], [1, 1]]), 0)
    whole, zero, one = np.int16([[1, 2], [4, 3]]), np.zeros(2, np.float32), np.ones(2, np.float32)
    summed = ops.binary_dense_grad_input(dy, w_t)
    dx, *sums = ops.batch_norm_grad(summed, whole, zero, one, 0.0)
    rounded, *same = ops.batch_norm_sign_grad(summed, x, whole, zero, one, 0.0, bits=8)
    for floats in (
        ops.binary_dense_grad_kernel(x, dy),
        ops.binary_dense_grad_kernel(np.uint8([[3, 4], [5, 6]]), dy),
        summed.floats(),
        dx, rounded.floats(), *sums, *same,
    ):  # fmt: skip
        assert np.isnan(floats).all()
    assert not rounded.integers.any()


def test_real_inputs_are_multiplied_in_floats(rng):
    x, dy = real(rng, 30, 7), integers(rng, 8, 30, 5)
    found = ops.binary_dense_grad_kernel(x, dy, True)
    assert_same(found, ops.dense_grad_kernel(x, dy.floats()), "")
    x, dy = real(rng, 2, 6, 7, 5), integers(rng, 8, 2, 6, 7, 3)
    found = ops.binary_conv2d_grad_kernel(x, dy, (3, 3))
    assert_same(found, ops.conv2d_grad_kernel(x, dy.floats(), (3, 3)), "")
