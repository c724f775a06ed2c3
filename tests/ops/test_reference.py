"""The reference operations against naive loops and the identities of a gradient."""

from fractions import Fraction

import naive
import numpy as np
import pytest
import scipy.special
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minibnn.ops import reference as R
from minibnn.ops.bits import pack_signs
from minibnn.ops.rounding import byte_sum_dtype, sum_dtype

PLACES = [
    ((1, 1), "same"),
    ((1, 1), "valid"),
    ((2, 2), "same"),
    ((2, 1), "valid"),
    ((1, 3), "same"),
    ((3, 2), "valid"),
]
KERNELS = [(1, 1), (3, 3), (2, 2), (3, 1), (2, 5)]


def signs(rng, *shape):
    return 1 - 2 * rng.integers(0, 2, shape)


def integers(rng, *shape):
    return rng.integers(-9, 10, shape).astype(np.float32)


# -- products ---------------------------------------------------------------------------------


@given(n=st.integers(1, 130), seed=st.integers(0, 999))
@example(n=63, seed=0)
@example(n=64, seed=0)
@example(n=65, seed=0)
def test_binary_dense_and_its_gradients_are_exact(n, seed):
    rng = np.random.default_rng(seed)
    x, w, dy = signs(rng, 3, n), signs(rng, n, 4), integers(rng, 3, 4)
    y = R.binary_dense(pack_signs(x, 1), pack_signs(w, 0))
    assert y.dtype == np.int16
    assert_array_equal(y, naive.dense(x, w))
    dx = R.binary_dense_grad_input(dy, pack_signs(w.T, 0))
    dw = R.binary_dense_grad_kernel(pack_signs(x, 1), dy)
    assert_array_equal(dx, naive.dense(dy, w.T))
    assert_array_equal(dw, naive.dense(x.T, dy))
    assert (dy * y).sum() == (dw * w).sum() == (dx * x).sum()


def test_sums_of_many_signs_are_int32():
    assert [sum_dtype(n) for n in (32767, 32768)] == [np.int16, np.int32]
    x = pack_signs(np.ones((1, 32768)), 1)
    assert R.binary_dense(x, pack_signs(-np.ones((32768, 1)), 0)) == -32768


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("strides", "padding"), PLACES)
@pytest.mark.parametrize("pad_value", [0, 1])
def test_binary_conv2d_and_its_gradients_are_exact(kernel, strides, padding, pad_value):
    rng = np.random.default_rng(0)
    x, w = signs(rng, 2, 6, 7, 3), signs(rng, *kernel, 3, 2)
    place = strides, padding
    y = R.binary_conv2d(pack_signs(x, 3), pack_signs(w, 2), *place, pad_value)
    assert y.dtype == np.int16
    assert_array_equal(y, naive.conv2d(x, w, *place, pad_value))
    dy = integers(rng, *y.shape)
    w_t = pack_signs(w.swapaxes(2, 3), 2)
    dx = R.binary_conv2d_grad_input(dy, w_t, x.shape, *place)
    dw = R.binary_conv2d_grad_kernel(pack_signs(x, 3), dy, kernel, *place, pad_value)
    naive_dx, naive_dw = naive.conv2d_grads(x, w, dy, *place, pad_value)
    assert_array_equal(dx, naive_dx)
    assert_array_equal(dw, naive_dw)
    assert (dy * y).sum() == (dw * w).sum()
    if not pad_value:  # with ones at the border y is not linear in x
        assert (dy * y).sum() == (dx * x).sum()


@pytest.mark.parametrize(("strides", "padding"), PLACES)
@pytest.mark.parametrize("pad_value", [0, 1])
def test_bytes_are_exact_multiples_of_one_255th(strides, padding, pad_value):
    rng = np.random.default_rng(1)
    x, w = rng.integers(0, 256, (2, 6, 7, 3), dtype=np.uint8), signs(rng, 3, 3, 3, 4)
    sums = naive.conv2d(2.0 * x - 255, w, strides, padding, 255 * pad_value)
    y = R.binary_conv2d(x, pack_signs(w, 2), strides, padding, pad_value)
    assert y.dtype == np.float32
    assert_array_equal(y, sums.astype(np.float32) * np.float32(1 / 255))
    dy = rng.standard_normal(y.shape)
    dw = R.binary_conv2d_grad_kernel(x, dy, (3, 3), strides, padding, pad_value)
    images = (2.0 * x - 255) / 255
    _, naive_dw = naive.conv2d_grads(images, w, dy, strides, padding, pad_value)
    assert_allclose(dw, naive_dw, rtol=1e-12, atol=1e-12)
    real = R.conv2d(x, w.astype(np.float64), strides, padding, pad_value)
    assert_allclose(real, sums / 255, rtol=1e-12, atol=1e-12)


def test_bytes_through_a_dense_kernel():
    rng = np.random.default_rng(2)
    x, w = rng.integers(0, 256, (3, 65), dtype=np.uint8), signs(rng, 65, 4)
    y = R.binary_dense(x, pack_signs(w, 0))
    assert_array_equal(y, naive.dense(2.0 * x - 255, w).astype(np.float32) * np.float32(1 / 255))
    assert_allclose(R.dense(x, w.astype(np.float64)), naive.dense((2.0 * x - 255) / 255, w))
    dy = rng.standard_normal((3, 4))
    naive_dw = naive.dense((2.0 * x - 255).T / 255, dy)
    assert_allclose(R.binary_dense_grad_kernel(x, dy), naive_dw, rtol=1e-12, atol=1e-12)


def test_sums_of_very_many_bytes_stay_exact():
    n = 66_001
    assert [byte_sum_dtype(k) for k in (65_793, n)] == [np.float32, np.float64]
    rng = np.random.default_rng(3)
    x, w = rng.integers(0, 256, (1, n), dtype=np.uint8), signs(rng, n, 1)
    total = int((2 * x.astype(np.int64) - 255).ravel() @ w.ravel())
    assert R.binary_dense(x, pack_signs(w, 0)) == np.float32(total) * np.float32(1 / 255)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("strides", "padding"), PLACES)
def test_real_convolution_and_its_gradients(kernel, strides, padding):
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((2, 5, 6, 3)), rng.standard_normal((*kernel, 3, 2))
    place = strides, padding
    y = R.conv2d(x, w, *place)
    dy = rng.standard_normal(y.shape)
    dx, dw = naive.conv2d_grads(x, w, dy, *place)
    close = {"rtol": 1e-12, "atol": 1e-12}
    assert_allclose(y, naive.conv2d(x, w, *place), **close)
    assert_allclose(R.conv2d_grad_input(dy, w, x.shape, *place), dx, **close)
    assert_allclose(R.conv2d_grad_kernel(x, dy, kernel, *place), dw, **close)
    assert_allclose((dy * y).sum(), (dx * x).sum())


def test_real_dense_and_its_gradients():
    rng = np.random.default_rng(6)
    x, w, dy = (rng.standard_normal(shape) for shape in ((3, 7), (7, 5), (3, 5)))
    assert_allclose(R.dense(x, w), naive.dense(x, w))
    assert_allclose(R.dense_grad_input(dy, w), naive.dense(dy, w.T))
    assert_allclose(R.dense_grad_kernel(x, dy), naive.dense(x.T, dy))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_float_results_do_not_depend_on_the_batch(batch):
    rng = np.random.default_rng(9)
    x = rng.standard_normal((7, 9, 9, 3)).astype(np.float32)
    w, real = pack_signs(signs(rng, 3, 3, 3, 70), 2), integers(rng, 3, 3, 3, 70) / 7
    for product in (lambda x: R.binary_conv2d(x, w), lambda x: R.conv2d(x, real)):
        parts = [product(x[k : k + batch]) for k in range(0, 7, batch)]
        assert_array_equal(np.concatenate(parts), product(x))
    x = rng.standard_normal((7, 99)).astype(np.float32)
    w, real = pack_signs(signs(rng, 99, 70), 0), integers(rng, 99, 70) / 7
    for product in (lambda x: R.binary_dense(x, w), lambda x: R.dense(x, real)):
        parts = [product(x[k : k + batch]) for k in range(0, 7, batch)]
        assert_array_equal(np.concatenate(parts), product(x))


# -- pooling ----------------------------------------------------------------------------------

POOLS = [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 2)), ((2, 3), (3, 3))]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("pool_size", "strides"), POOLS)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.float32, np.float64])
def test_max_pool_takes_the_first_of_equals(pool_size, strides, padding, dtype):
    rng = np.random.default_rng(0)
    low = 0 if dtype == np.uint8 else -2
    x = rng.integers(low, low + 4, (2, 6, 7, 3)).astype(dtype)  # many ties
    place = pool_size, strides, padding
    y, where = R.max_pool2d(x, *place)
    naive_y, naive_where = naive.max_pool2d(x, *place)
    assert y.dtype == dtype
    assert where.dtype == np.uint8
    assert_array_equal(y, naive_y)
    assert_array_equal(where, naive_where)
    dy = integers(rng, *y.shape)
    dx = R.max_pool2d_grad(dy, where, x.shape, *place)
    assert_array_equal(dx, naive.max_pool2d_grad(dy, where, x.shape, *place))
    assert (dx * x.astype(np.float64)).sum() == (dy * y.astype(np.float64)).sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_padding_never_wins_a_max_pool(dtype):
    x = np.full((1, 3, 3, 1), np.iinfo(dtype).min, dtype)
    y, where = R.max_pool2d(x, (3, 3), (1, 1), "same")
    assert_array_equal(y, x)
    assert_array_equal(where[0, :, :, 0], [[4, 3, 3], [1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("pool_size", "strides"), POOLS)
def test_avg_pool_counts_the_pixels_that_exist(pool_size, strides, padding):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 6, 7, 3))
    place = pool_size, strides, padding
    y = R.avg_pool2d(x, *place)
    assert_allclose(y, naive.avg_pool2d(x, *place), rtol=1e-12, atol=1e-12)
    assert_allclose(R.avg_pool2d(np.ones_like(x), *place), 1)
    dy = rng.standard_normal(y.shape)
    dx = R.avg_pool2d_grad(dy, x.shape, *place)
    assert_allclose((dx * x).sum(), (dy * y).sum())
    loss = lambda x: float((R.avg_pool2d(x, *place) * dy).sum())  # noqa: E731
    assert_allclose(dx, naive.central_differences(loss, x, 0.5), rtol=1e-9, atol=1e-9)


# -- batch normalisation ----------------------------------------------------------------------


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=40))
@example([7, 7, 7])
@example([-5])
@example([32767, -32768])
def test_statistics_of_integers_are_those_of_fractions(values):
    x = np.array(values, np.int16).reshape(-1, 1)
    mean, variance = R.batch_statistics(x)
    exact = Fraction(sum(values), len(values))
    spread = sum((v - exact) ** 2 for v in values) / len(values)
    assert mean.dtype == variance.dtype == np.float64
    assert_allclose(mean, float(exact), rtol=1e-15, atol=1e-15)
    assert_allclose(variance, float(spread), rtol=1e-14, atol=1e-15)
    assert variance >= 0
    if len(set(values)) == 1:
        assert mean == values[0]
        assert variance == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_of_floats(dtype):
    x = (np.random.default_rng(0).standard_normal((6, 3, 3, 5)) + 1000).astype(dtype)
    mean, variance = R.batch_statistics(x)
    assert mean.dtype == variance.dtype == np.float64
    flat = x.reshape(-1, 5).astype(np.float64)
    assert_allclose(mean, flat.mean(0), rtol=1e-14)
    assert_allclose(variance, flat.var(0), rtol=1e-10)


@pytest.mark.parametrize("dtype, with_gamma", [(np.int16, False), (np.float32, True)])
def test_batch_norm_rounds_after_each_step(dtype, with_gamma):
    rng = np.random.default_rng(2)
    mean, beta, gamma = (integers(rng, 4) / 7 for _ in range(3))
    x, variance = (7 * integers(rng, 4) / 9).astype(dtype), np.square(integers(rng, 4)) / 7
    y = R.batch_norm(x[None], mean, variance, beta, 1e-3, gamma if with_gamma else None)
    assert y.dtype == np.float32
    for k in range(4):
        factor = np.float32(1) / np.sqrt(variance[k] + np.float32(1e-3))
        if with_gamma:
            factor *= gamma[k]
        assert y[0, k] == (np.float32(x[k]) - mean[k]) * factor + beta[k]


@pytest.mark.parametrize("with_gamma", [False, True])
def test_batch_norm_gradient_through_the_statistics(with_gamma):
    rng = np.random.default_rng(3)
    x, dy = rng.standard_normal((4, 2, 3, 2)), rng.standard_normal((4, 2, 3, 2))
    beta, gamma = rng.standard_normal(2), rng.standard_normal(2)

    def loss(x, beta=beta, gamma=gamma):
        scale = gamma if with_gamma else None
        return float((R.batch_norm(x, *R.batch_statistics(x), beta, 1e-3, scale) * dy).sum())

    scale = gamma if with_gamma else None
    dx, dgamma, dbeta = R.batch_norm_grad(dy, x, *R.batch_statistics(x), 1e-3, scale)
    close = {"rtol": 1e-6, "atol": 1e-8}
    assert_allclose(dx, naive.central_differences(loss, x), **close)
    assert_allclose(dbeta, naive.central_differences(lambda b: loss(x, beta=b), beta), **close)
    if with_gamma:
        numeric = naive.central_differences(lambda g: loss(x, gamma=g), gamma)
        assert_allclose(dgamma, numeric, **close)


# -- signs ------------------------------------------------------------------------------------


def test_ste_passes_up_to_its_clip_inclusive():
    x = np.float32([-1.5, -1, -0.2, 0, 1, np.nextafter(np.float32(1), np.float32(2))])
    dy = np.float32([1, 2, 3, 4, 5, 6])
    assert_array_equal(R.ste_sign_grad(dy, x), [0, 2, 3, 4, 5, 0])
    assert_array_equal(R.ste_sign_grad(dy, x, 0.5), [0, 0, 3, 4, 0, 0])
    assert_array_equal(R.ste_sign_grad(dy, x, None), dy)
    assert_array_equal(R.ste_sign_grad(dy, np.int16([-2, -1, 0, 1, 2, 3])), [0, 2, 3, 4, 0, 0])


SURROGATES = {  # pseudo-gradient, the function it is the derivative of
    "ste_sign": (R.ste_sign_grad, lambda x: np.clip(x, -1, 1)),
    "approx_sign": (
        R.approx_sign_grad,
        lambda x: np.where(np.abs(x) <= 1, 2 * x - x * np.abs(x), np.sign(x)),
    ),
    "swish_sign": (
        R.swish_sign_grad,
        lambda x: 2 * scipy.special.expit(5 * x) * (1 + 5 * x * scipy.special.expit(-5 * x)) - 1,
    ),
}


@pytest.mark.parametrize("name", SURROGATES)
@given(x=st.floats(-3, 3).filter(lambda x: min(abs(x), abs(abs(x) - 1)) > 1e-3))
def test_pseudo_gradients_are_derivatives_of_their_surrogates(name, x):
    gradient, surrogate = SURROGATES[name]
    x, h = np.array([x]), 1e-5
    numeric = (surrogate(x + h) - surrogate(x - h)) / (2 * h)
    assert_allclose(gradient(np.ones(1), x), numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_swish_does_not_overflow(dtype):
    x = np.array([-1e30, -500, -18, 0, 18, 500, 1e30], dtype)
    dx = R.swish_sign_grad(np.ones(7, dtype), x)
    assert dx[3] == 5  # beta (2 - 0) / (1 + cosh 0)
    assert_allclose(dx[[0, 1, 5, 6]], 0, atol=1e-30)


# -- habits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_type(dtype):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
    images, kernel, dy = draw(2, 5, 5, 3), draw(3, 3, 3, 4), draw(2, 5, 5, 4)
    packed, packed_t = pack_signs(kernel, 2), pack_signs(kernel.swapaxes(2, 3), 2)
    rows, matrix, drows = draw(4, 7), draw(7, 3), draw(4, 3)
    stats = [draw(3), np.abs(draw(3))]
    pool = (2, 2), (2, 2), "same"
    results = [
        R.conv2d(images, kernel),
        R.conv2d_grad_input(dy, kernel, images.shape),
        R.conv2d_grad_kernel(images, dy, (3, 3)),
        R.conv2d_grad_kernel(np.zeros((2, 5, 5, 3), np.uint8), dy, (3, 3)),
        R.binary_conv2d(images, packed),
        R.binary_conv2d_grad_input(dy, packed_t, images.shape),
        R.binary_conv2d_grad_kernel(pack_signs(images, -1), dy, (3, 3)),
        R.dense(rows, matrix),
        R.dense_grad_input(drows, matrix),
        R.dense_grad_kernel(rows, drows),
        R.binary_dense(rows, pack_signs(matrix, 0)),
        R.binary_dense_grad_input(drows, pack_signs(matrix.T, 0)),
        R.binary_dense_grad_kernel(pack_signs(rows, -1), drows),
        R.max_pool2d(images, *pool)[0],
        R.avg_pool2d(images, *pool),
        R.avg_pool2d_grad(draw(2, 3, 3, 3), images.shape, *pool),
        R.batch_norm(images, *stats, draw(3), 1e-3, draw(3)),
        R.batch_norm(np.ones((2, 3), np.int16), *stats, draw(3), 1e-3),
        *R.batch_norm_grad(images, images, *stats, 1e-3, draw(3)),
        *R.batch_norm_grad(images, np.ones((2, 5, 5, 3), np.int16), *stats, 1e-3),
        R.ste_sign_grad(rows, rows),
        R.approx_sign_grad(rows, rows),
        R.swish_sign_grad(rows, rows, beta=np.float64(5)),
        R.swish_sign_grad(rows, np.ones((4, 7), np.int32)),
    ]
    assert {result.dtype for result in results} == {np.dtype(dtype)}
