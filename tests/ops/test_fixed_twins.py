"""Operations on fixed-point numbers: the same bits of both backends, whatever computes them.

Kernels run on every vector path, with one thread and with two.
"""

from itertools import product

import numba
import numpy as np
import pytest
from operands import (
    CONVOLUTIONS,
    DENSE,
    PADDINGS,
    SHAPES,
    WINDOWED,
    assert_same,
    byte,
    cases_by_name,
    convolution_places,
    copy,
    describe,
    extreme,
    integers,
    maxima,
    not_finite,
    output_shape,
    pooled,
    real,
    signs,
    tuple_of,
)

from minibnn.ops import kernels, reference
from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels import matrix, products
from minibnn.ops.kernels.simd import vector_paths

THREADS = (1, 2)[: numba.config.NUMBA_NUM_THREADS]
CASES, cases = cases_by_name()


def zeros(*shape, dtype=np.int8):
    return Fixed(np.zeros(shape, dtype))


# -- products ---------------------------------------------------------------------------------


@cases("binary_dense")
def _(rng):
    for B, I, O in DENSE:
        yield byte(rng, B, I), signs(rng, I, O, axis=0), True
    yield signs(rng, 3, 70, axis=1), signs(rng, 70, 5, axis=0), True
    yield np.full((2, 70_000), 255, np.uint8), pack_signs(np.ones((70_000, 3)), 0), True
    yield byte(rng, 65, 7).T, signs(rng, 65, 4, axis=0), True


@cases("binary_conv2d")
def _(rng):
    for (image, kernel, strides), place in product(CONVOLUTIONS, PADDINGS):
        yield byte(rng, *image), signs(rng, *kernel, axis=2), strides, *place, True
    x, w = byte(rng, 4, 6, 6, 5).transpose(0, 2, 1, 3), signs(rng, 3, 3, 5, 2, axis=2)
    yield x, w, (1, 1), "same", 1, True


@cases("binary_dense_grad_input")
def _(rng):
    for (B, I, O), bits in product(DENSE, (2, 3, 8, 9, 10)):
        yield integers(rng, bits, B, O), signs(rng, O, I, axis=0)
    dy, w_t = integers(rng, 8, 9, 65), signs(rng, 65, 7, axis=0)
    yield dy.like(dy.integers[::2]), w_t
    yield dy.like(np.asfortranarray(dy.integers)), w_t
    for dy in zeros(3, 65), zeros(0, 65), zeros(0, 65, dtype=np.int16), not_finite(3, 65):
        yield dy, w_t
    for dtype in (np.int8, np.int16):
        yield extreme(dtype, 4, 2000), pack_signs(np.tile([1, -1], (2000, 20)), 0)


@cases("binary_dense_grad_kernel")
def _(rng):
    for B, I, O in DENSE:
        for bits in (2, 3, 8, 9, 10):
            yield signs(rng, B, I, axis=1), integers(rng, bits, B, O), True
            yield byte(rng, B, I), integers(rng, bits, B, O), True
        yield signs(rng, B, I, axis=1), integers(rng, 8, B, O)
        yield byte(rng, B, I), integers(rng, 8, B, O)
    x, dy = byte(rng, 65, 7).T, integers(rng, 8, 9, 7)
    yield pack_signs(x, 1), dy.like(dy.integers.T)
    yield x, dy.like(dy.integers.T)
    for dtype in (np.int8, np.int16):
        yield pack_signs(np.tile([1, -1], (2000, 20)), 1), extreme(dtype, 2000, 17), True
        yield np.full((2000, 3), 255, np.uint8), extreme(dtype, 2000, 3), True
    yield pack_signs(np.ones((140_000, 2)), 1), extreme(np.int8, 140_000, 1)  # past 2^24
    for x in (pack_signs(np.ones((5, 3)), 1), byte(rng, 5, 3)):
        yield x, zeros(5, 4)
        yield x, not_finite(5, 4)
    for x in (signs(rng, 0, 7, axis=1), byte(rng, 0, 7)):
        yield x, zeros(0, 4), True


@cases("binary_conv2d_grad_input")
def _(rng):
    for (image, kernel, strides, padding, output), bits in product(convolution_places(), (8, 10)):
        w_t = signs(rng, *kernel[:2], kernel[3], kernel[2], axis=2)
        yield integers(rng, bits, *output), w_t, image, strides, padding
    dy, w_t = integers(rng, 8, 2, 8, 6, 7), signs(rng, 3, 3, 8, 5, axis=2)
    yield dy.like(dy.integers.transpose(0, 2, 3, 1)), w_t, (2, 6, 7, 5)
    yield not_finite(2, 6, 7, 8), w_t, (2, 6, 7, 5)
    for dtype in (np.int8, np.int16):
        yield zeros(0, 6, 7, 8, dtype=dtype), w_t, (0, 6, 7, 5)
    for dtype in (np.int8, np.int16):
        w_t = pack_signs(np.ones((3, 3, 600, 70)), 2)
        yield extreme(dtype, 1, 3, 3, 600), w_t, (1, 3, 3, 70)


def kernel_gradients(rng, *shape):
    """Gradients, and whether their sums are asked for as integers."""
    return (integers(rng, 8, *shape), False), (integers(rng, 8, *shape), True), (
        integers(rng, 10, *shape), True,
    )  # fmt: skip


@cases("binary_conv2d_grad_kernel")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        for pad, bytes_ in product((0, 1), (False, True)):
            for dy, fixed in kernel_gradients(rng, *output):
                x = byte(rng, *image) if bytes_ else signs(rng, *image, axis=3)
                yield x, dy, kernel[:2], strides, padding, pad, fixed
    dy = integers(rng, 8, 2, 8, 6, 7)
    dy = dy.like(dy.integers.transpose(0, 2, 3, 1))
    yield signs(rng, 2, 6, 7, 5, axis=3), dy, (3, 3)
    yield byte(rng, 2, 5, 6, 7).transpose(0, 2, 3, 1), dy, (3, 3)
    yield byte(rng, 2, 6, 7, 5), not_finite(2, 6, 7, 8), (3, 3)
    yield signs(rng, 100, 9, 9, 5, axis=3), integers(rng, 8, 100, 9, 9, 3), (3, 3)  # many pixels
    yield signs(rng, 0, 9, 9, 5, axis=3), integers(rng, 8, 0, 9, 9, 3), (3, 3)


@cases("binary_conv2d_pool_grad_input")
def _(rng):
    sizes = [((2, *image, kernel[2]), kernel, (1, 1), place) for image, kernel, place in WINDOWED]
    places = [(*s, output_shape(*s)) for s in sizes]
    for (image, kernel, strides, padding, output), bits in product(
        (*convolution_places(), *places), (8, 10)
    ):
        if min(output[1:3]) >= 2:
            w_t = signs(rng, *kernel[:2], kernel[3], kernel[2], axis=2)
            floats, where = maxima(rng, output)
            yield integers(rng, bits, *floats.shape), where, w_t, image, strides, padding
    dy, where = integers(rng, 8, 2, 8, 3, 3), rng.integers(0, 4, (2, 8, 3, 3), dtype=np.uint8)
    dy, where = dy.like(dy.integers.transpose(0, 2, 3, 1)), where.transpose(0, 2, 3, 1)
    for inputs in (5, 64):
        w_t = signs(rng, 3, 3, 8, inputs, axis=2)
        yield dy, where, w_t, (2, 6, 7, inputs)
        yield not_finite(*dy.shape), where, w_t, (2, 6, 7, inputs)
        yield dy.like(dy.integers[:0]), where[:0], w_t, (0, 6, 7, inputs)
    for outputs in (1, 7, 8, 9, 33):  # as many as a list may get
        where, w_t = np.full((1, 2, 2, outputs), 3, np.uint8), signs(rng, 3, 3, outputs, 70, axis=2)
        yield extreme(np.int8, *where.shape), where, w_t, (1, 4, 4, 70)
    for dtype in (np.int8, np.int16):
        where = rng.integers(0, 4, (1, 2, 2, 600), dtype=np.uint8)
        w_t = pack_signs(np.ones((3, 3, 600, 70)), 2)
        yield extreme(dtype, *where.shape), where, w_t, (1, 4, 4, 70)


@cases("binary_conv2d_pool_grad_kernel")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        if min(output[1:3]) >= 2:
            for pad in (0, 1):
                floats, where = maxima(rng, output)
                for dy, fixed in kernel_gradients(rng, *floats.shape):
                    x = signs(rng, *image, axis=3)
                    yield x, dy, where, kernel[:2], strides, padding, pad, fixed
    dy, where = integers(rng, 8, 2, 8, 3, 3), rng.integers(0, 4, (2, 8, 3, 3), dtype=np.uint8)
    dy, where = dy.like(dy.integers.transpose(0, 2, 3, 1)), where.transpose(0, 2, 3, 1)
    yield signs(rng, 2, 6, 7, 5, axis=3), dy, where, (3, 3)
    yield signs(rng, 2, 6, 7, 5, axis=3), not_finite(*dy.shape), where, (3, 3)
    yield signs(rng, 0, 6, 7, 70, axis=3), dy.like(dy.integers[:0]), where[:0], (3, 3)
    one_place = np.zeros((3, 8, 8, 17), np.uint8)
    x = pack_signs(np.ones((3, 16, 17, 70)), 3)
    yield x, extreme(np.int8, *one_place.shape), one_place, (3, 3)


@cases("tap_sums")
def _(rng):
    for B, I, _ in (*DENSE, (0, 33, 0)):
        yield (signs(rng, B, I, axis=1),)
        yield (byte(rng, B, I),)
    for image, kernel, strides, padding, _ in convolution_places():
        for x, pad_value in product((signs(rng, *image, axis=3), byte(rng, *image)), (0, 1)):
            yield x, kernel[:2], strides, padding, pad_value


@cases("centred")
def _(rng):
    for shape, bits, fixed in product(((63, 5), (3, 2, 64, 33)), (8, 10), (False, True)):
        dy, x = integers(rng, bits, 700, shape[-1]), rng.integers(-9999, 9999, (*shape[:-1], 1))
        for kind, divisor in ((np.int32, 1), (np.int64, 255)):
            dw = Fixed(rng.integers(-(2**31), 2**31, shape).astype(kind), -9, divisor)
            yield dw, dy, x, 700, fixed
    dw, x = zeros(9, 33, dtype=np.int32), rng.integers(-9, 9, (18, 1))
    yield dw, dy.like(dy.integers[::2]), x[::2], 350
    yield Fixed(dw.integers, np.nan), not_finite(4, 33), x[:9], 4
    yield dw, zeros(0, 33), x[:9], 1


# -- pooling, normalisation -------------------------------------------------------------------


@cases("max_pool2d_grad")
def _(rng):
    for (image, place, output), bits in product(pooled(rng), (8, 10, 20)):
        _, where = reference.max_pool2d(rng.integers(-2, 3, image), *place)
        yield integers(rng, bits, *output), where, image, *place
    first = np.zeros((1, 4, 4, 1), np.uint8)
    yield extreme(np.int8, *first.shape), first, (1, 5, 5, 1), (2, 2), (1, 1)
    yield not_finite(1, 2, 2, 1), np.zeros((1, 2, 2, 1), np.uint8), (1, 4, 4, 1)


LONG = (1100, 37)  # several parts of rows, channels that fill no word


def inputs(rng, *shape):
    """What batch normalisation gets: sums of signs and of bytes, and real numbers rounded."""
    short = rng.integers(-300, 301, shape).astype(np.int16)
    long = rng.integers(-70_000, 70_001, shape).astype(np.int32)
    return short, Fixed(long, divisor=255), Fixed(long, -15)


@cases("batch_statistics")
def _(rng):
    for shape in (*SHAPES, LONG):
        yield from ((x,) for x in inputs(rng, *shape))
    yield (Fixed(np.full((1000, 3), 32767, np.int16), divisor=255),)
    yield (Fixed(rng.integers(-9, 9, (2, 8, 6, 7)).astype(np.int32).transpose(0, 2, 3, 1), -3),)
    yield (not_finite(4, 3, dtype=np.int32),)


def normalised(rng):
    for shape in (*SHAPES, LONG):
        for x in inputs(rng, *shape):
            mean, variance = (s.astype(np.float32) for s in reference.batch_statistics(x))
            yield x, mean, variance
    x = Fixed(rng.integers(-9, 9, (4, 70, 5)).astype(np.int32).transpose(0, 2, 1), divisor=255)
    yield x, real(rng, 70), np.abs(real(rng, 70))
    nan = np.full(33, np.nan, np.float32)
    yield not_finite(4, 33, dtype=np.int32), nan, nan


@cases("batch_norm")
def _(rng):
    for x, mean, variance in normalised(rng):
        for gamma in (None, real(rng, len(mean))):
            yield x, mean, variance, real(rng, len(mean)), 1e-3, gamma


@cases("batch_norm_sign")
def _(rng):
    for x, mean, variance in normalised(rng):
        yield x, mean, variance, np.zeros_like(mean), 1e-3
        for clip_value in (1.0, 0.1, None):
            yield x, mean, variance, real(rng, len(mean)), 1e-3, real(rng, len(mean)), clip_value
    zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
    yield Fixed(np.int16([[255, 51, -51]]), divisor=255), zero, one, zero, 0, None, 0.2


def signals(rng, x):
    """Gradients that reach a normalisation of x: sums of a binary layer's, or 16 bits of a loss.

    Next to short x 32 bits, next to long ones 16: each pair of types is compiled anew.
    """
    bits = 20 if getattr(x, "integers", x).dtype == np.int16 else 16
    dy = integers(rng, bits, *x.shape)
    return dy, dy.like(np.zeros_like(dy.integers)), not_finite(*x.shape, dtype=dy.integers.dtype)


@cases("batch_norm_grad")
def _(rng):
    for x, mean, variance in normalised(rng):
        for dy, gamma in product(signals(rng, x), (None, real(rng, len(mean)))):
            yield dy, x, mean, variance, 1e-3, gamma
            yield dy, x, mean, variance, 1e-3, gamma, None, 8
    x = Fixed(np.int16([[3, -4], [5, 9]]), divisor=255)
    yield real(rng, 2, 2), x, np.zeros(2, np.float32), np.ones(2, np.float32), 1e-3


@cases("batch_norm_sign_grad")
def _(rng):
    for x, mean, variance in normalised(rng):
        gate = signs(rng, *x.shape, axis=x.ndim - 1)
        dys, gammas = signals(rng, x), (None, real(rng, len(mean)))
        widths = (8, 3) if dys[0].integers.dtype == np.int32 else (10,)
        for dy, gamma, bits in product(dys, gammas, widths):
            yield dy, gate, x, mean, variance, 1e-3, gamma, None, bits
        yield signals(rng, x)[0], gate, x, mean, variance, 1e-3, None


# -- the tests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths",
    [vector_paths()[:1], pytest.param(vector_paths()[1:], marks=pytest.mark.slow)],
    ids=["the best path", "the others"],
)
@pytest.mark.parametrize("name", CASES)
def test_kernel_is_its_reference(name, paths, use_simd, use_threads):
    for number, arguments in enumerate(CASES[name](np.random.default_rng(0))):
        before = [copy(a) for a in arguments]
        expected = tuple_of(getattr(reference, name)(*arguments))
        what = f"{name}, case {number}: " + ", ".join(map(describe, arguments))
        for path, threads in product(paths, THREADS):
            use_simd(path)
            use_threads(threads)
            found = tuple_of(getattr(kernels, name)(*arguments))
            for f, e in zip(found, expected, strict=True):
                assert_same(f, e, f"{what}; {path}, {threads} threads")
        for a, b in zip(arguments, before, strict=True):
            assert_same(a, b, f"{what}: changed its input")


@pytest.mark.skipif("avx2" not in vector_paths(), reason="needs AVX2")
@pytest.mark.parametrize("what", ["grad_input", "grad_kernel"])
def test_the_grid_takes_maxima_too(what, use_simd, monkeypatch):
    """Of many inputs only AMX has it do so, which few machines have: AVX2 makes lists of them."""
    use_simd("avx2")
    monkeypatch.setattr(products, f"gathered_{what}", getattr(matrix, f"matrix_{what}"))
    name = f"binary_conv2d_pool_{what}"
    for arguments in CASES[name](np.random.default_rng(0)):
        found = getattr(kernels, name)(*arguments)
        assert_same(found, getattr(reference, name)(*arguments), describe(arguments[0]))
