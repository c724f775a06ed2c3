"""Every operation of ``ops.reference`` against its compiled twin of the same name.

Integers and packed words are equal. Sums of floats are within 2e-6 of the sum of magnitudes, both
from the reference in float64: no product or order of adding is prescribed, only that nothing but
rounding differs. Operations with a fixed order of roundings are equal bit for bit.
"""

import inspect
from itertools import product

import numpy as np
import pytest
from operands import (
    CONVOLUTIONS,
    DENSE,
    LENGTHS,
    PADDINGS,
    POOLS,
    SHAPES,
    WINDOWED,
    assert_same,
    byte,
    cases_by_name,
    convolution_places,
    copy,
    describe,
    kinds,
    maxima,
    normalised,
    output_shape,
    pooled,
    preactivations,
    real,
    signs,
    tuple_of,
    zeros_and_clips,
)

from minibnn.errors import InputError
from minibnn.ops import kernels, reference
from minibnn.ops.bits import Signs, pack_signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels import grad_kernel
from minibnn.ops.kernels.grad_input import _phases
from minibnn.ops.kernels.layout import steps
from minibnn.ops.kernels.simd import vector_paths
from minibnn.ops.shapes import windows
from minibnn.ops.thresholds import Thresholds

TOLERANCE = 2e-6
NAMES = reference.__all__
CASES, cases = cases_by_name()
EXACT = {
    "add",
    "approx_sign_grad",
    "batch_norm",
    "batch_norm_sign",
    "binary_conv2d on bytes",
    "binary_conv2d_pool",
    "binary_conv2d_threshold",
    "binary_dense on bytes",
    "binary_dense_threshold",
    "max_pool2d",
    "pack_signs",
    "threshold_sign",
}


# -- products ---------------------------------------------------------------------------------


@cases("binary_dense")
def _(rng):
    for B, I, O in DENSE:
        for x in kinds(rng, B, I):
            yield x, signs(rng, I, O, axis=0)
    yield signs(rng, 3, 2049, axis=1), signs(rng, 2049, 33, axis=0)  # more words than a byte counts
    yield signs(rng, 3, 5, axis=1), signs(rng, 5, 0, axis=0)
    ones = np.ones((2, 40_000))
    yield pack_signs(ones, 1), pack_signs(-ones.T, 0)  # past int16
    yield np.full((2, 70_000), 255, np.uint8), pack_signs(np.ones((70_000, 3)), 0)  # past 2^24


def thresholds(rng, channels, reach):
    """Levels inside and outside of what the sums reach, for rising and falling channels."""
    level = rng.integers(-reach, reach + 1, channels)
    level[::7] = rng.choice([-10 * reach, 10 * reach], len(level[::7]))
    return Thresholds(level.astype(np.int32), rng.random(channels) < 0.6)


@cases("binary_dense_threshold")
def _(rng):
    for B, I, O in (*DENSE, (0, 5, 3)):
        w = signs(rng, I, O, axis=0)
        yield signs(rng, B, I, axis=1), w, thresholds(rng, O, int(I**0.5))
        yield byte(rng, B, I), w, thresholds(rng, O, int(150 * I**0.5))
    many, most = np.full((2, 70_000), 255, np.uint8), 70_000 * 255  # sums past 2^24
    ends = Thresholds(np.int32([most, most + 1, most]), np.array([True, True, False]))
    yield many, pack_signs(np.ones((70_000, 3)), 0), ends


@cases("binary_conv2d_threshold")
def _(rng):
    for (image, kernel, strides), place, pool in product(CONVOLUTIONS, PADDINGS, (False, True)):
        size = windows(image[1:3], kernel[:2], strides, place[0]).output
        if pool and min(size) < 2:
            continue
        w, taps = signs(rng, *kernel, axis=2), kernel[0] * kernel[1] * kernel[2]
        arguments = strides, *place, pool
        some = thresholds(rng, kernel[3], int(taps**0.5))
        yield signs(rng, *image, axis=3), w, some, *arguments
        yield signs(rng, *image, axis=3), w, some, *arguments  # the second time with what is kept
        yield byte(rng, *image), w, thresholds(rng, kernel[3], int(150 * taps**0.5)), *arguments


@cases("threshold_sign")
def _(rng):
    for channels, kind in product(LENGTHS, (np.int16, np.int32, np.int64, np.float64)):
        z = rng.integers(-9, 10, (2, 3, channels)).astype(kind)
        yield z, thresholds(rng, channels, 8)
        yield z[:, ::2], thresholds(rng, channels, 8)
        yield z[:0], thresholds(rng, channels, 8)
    ends = np.int32([2**31 - 1, 2**31 - 1, -(2**31)])
    yield np.int32([[0, 7, -9]]), Thresholds(ends, np.array([True, False, False]))


@cases("binary_dense_grad_input")
def _(rng):
    for B, I, O in DENSE:
        yield real(rng, B, O), signs(rng, O, I, axis=0)
    yield real(rng, 9, 65)[::2], signs(rng, 65, 7, axis=0)
    yield np.asfortranarray(real(rng, 9, 65)), signs(rng, 65, 7, axis=0)


@cases("binary_dense_grad_kernel")
def _(rng):
    for B, I, O in DENSE:
        for x in kinds(rng, B, I):
            yield x, real(rng, B, O)
    yield signs(rng, 7, 65, axis=1), real(rng, 9, 7).T


@cases("dense")
def _(rng):
    for B, I, O in DENSE:
        for x in kinds(rng, B, I)[1:]:
            yield x, real(rng, I, O)
    yield real(rng, 65, 7).T, real(rng, 65, 7)


@cases("binary_conv2d")
def _(rng):
    for (image, kernel, strides), (padding, pad) in product(CONVOLUTIONS, PADDINGS):
        for x in kinds(rng, *image):
            yield x, signs(rng, *kernel, axis=2), strides, padding, pad
    for images in (1, 0):
        yield np.zeros((images, 4, 4, 3), np.uint8), signs(rng, 3, 3, 3, 2, axis=2)
    image = byte(rng, 4, 6, 6, 6).transpose(0, 2, 3, 1)[::2]
    yield image, signs(rng, 3, 3, 6, 2, axis=2)


@cases("conv2d")
def _(rng):
    for (image, kernel, strides), (padding, pad) in product(CONVOLUTIONS, PADDINGS):
        for x in kinds(rng, *image)[1:]:
            yield x, real(rng, *kernel), strides, padding, pad


@cases("binary_conv2d_grad_input")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        w_t = signs(rng, *kernel[:2], kernel[3], kernel[2], axis=2)
        yield real(rng, *output), w_t, image, strides, padding
    dy = real(rng, 2, 8, 6, 7).transpose(0, 2, 3, 1)
    yield dy, signs(rng, 3, 3, 8, 5, axis=2), (2, 6, 7, 5)
    w_t = signs(rng, 3, 3, 40, 5, axis=2)
    yield real(rng, 2, 31, 30, 40), w_t, (2, 31, 30, 5)  # a task's tables are of some rows only
    yield real(rng, 0, 6, 7, 40), w_t, (0, 6, 7, 5)


@cases("conv2d_grad_input")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        yield real(rng, *output), real(rng, *kernel), image, strides, padding


@cases("binary_conv2d_grad_kernel")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        for x, pad in product(kinds(rng, *image), (0, 1)):
            yield x, real(rng, *output), kernel[:2], strides, padding, pad
    dy = real(rng, 2, 8, 6, 7).transpose(0, 2, 3, 1)
    yield signs(rng, 2, 6, 7, 5, axis=3), dy, (3, 3)


@cases("conv2d_grad_kernel")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        for x, pad in product(kinds(rng, *image)[1:], (0, 1)):
            yield x, real(rng, *output), kernel[:2], strides, padding, pad


@cases("binary_conv2d_pool")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        if min(output[1:3]) >= 2:
            for pad in (0, 1) if padding == "same" else (0,):
                w = signs(rng, *kernel, axis=2)
                yield signs(rng, *image, axis=3), w, strides, padding, pad
    for images in (2, 0):
        yield signs(rng, images, 4, 4, 65, axis=3), signs(rng, 3, 3, 65, 2, axis=2)


@cases("binary_conv2d_pool_grad_input")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        if min(output[1:3]) >= 2:
            w_t = signs(rng, *kernel[:2], kernel[3], kernel[2], axis=2)
            yield *maxima(rng, output), w_t, image, strides, padding
    for size, kernel, padding in WINDOWED:
        w_t = signs(rng, *kernel[:2], kernel[3], kernel[2], axis=2)
        place = (2, *size, kernel[2]), kernel, (1, 1), padding
        yield *maxima(rng, output_shape(*place)), w_t, place[0], *place[2:]


@cases("binary_conv2d_pool_grad_kernel")
def _(rng):
    for image, kernel, strides, padding, output in convolution_places():
        if min(output[1:3]) >= 2:
            for pad in (0, 1):
                x = signs(rng, *image, axis=3)
                yield x, *maxima(rng, output), kernel[:2], strides, padding, pad


# -- pooling and normalisation ----------------------------------------------------------------


@cases("max_pool2d")
def _(rng):
    for image, *place in POOLS:
        small = rng.integers(-1, 1, image).astype(np.int8), byte(rng, *image) // 64
        for x in (*preactivations(rng, *image), *small):
            yield x, *place
    yield (real(rng, 2, 4, 4, 3),)
    yield (np.full((1, 3, 3, 2), -32768, np.int16), (3, 3), (1, 1), "same")
    yield (np.float32([1, np.nan, 3, np.nan]).reshape(1, 2, 2, 1),)
    yield (real(rng, 2, 5, 4, 6).transpose(0, 2, 3, 1),)


@cases("max_pool2d_grad")
def _(rng):
    for image, place, output in pooled(rng):
        _, where = reference.max_pool2d(rng.integers(-2, 3, image), *place)
        yield real(rng, *output), where, image, *place


@cases("batch_statistics")
def _(rng):
    for shape in SHAPES:
        yield from ((x,) for x in preactivations(rng, *shape))
    yield (np.full((1000, 3), 32767, np.int16),)
    yield (np.full((1000, 3), 1e4, np.float32),)
    yield (real(rng, 2, 8, 6, 7).transpose(0, 2, 3, 1),)


@cases("batch_norm")
def _(rng):
    for x, mean, variance, gamma in normalised(rng):
        yield x, mean, variance, real(rng, x.shape[-1]), 1e-3, gamma


@cases("batch_norm_grad")
def _(rng):
    for x, mean, variance, gamma in normalised(rng):
        yield real(rng, *x.shape), x, mean, variance, 1e-3, gamma
    mean, variance = np.full(33, 70, np.float32), np.full(33, 2000, np.float32)
    for kind in (np.uint8, np.int64):  # that no tile loads
        x = rng.integers(0, 200, (9, 33)).astype(kind)
        yield real(rng, 9, 33), x, mean, variance, 1e-3, None
        yield real(rng, 9, 33), Fixed(x, -3), mean / 8, variance / 64, 1e-3, None
        yield real(rng, 9, 33).astype(np.float64), x, mean, variance, 1e-3, None


@cases("batch_norm_sign")
def _(rng):
    for x, mean, variance, gamma in normalised(rng):
        # Entries equal to the mean are exactly 0.
        yield x, mean, variance, np.zeros_like(mean), 1e-3, gamma
        for clip_value in (1.0, 0.25, None):
            yield x, mean, variance, real(rng, x.shape[-1]), 1e-3, gamma, clip_value
    x = rng.integers(-3, 4, (5, 70)).astype(np.int16)
    zero, one = np.zeros(70, np.float32), np.full(70, 0.75, np.float32)
    for rows in x, x[:0]:
        yield rows, zero, one, -zero, 0.25


@cases("batch_norm_sign_grad")
def _(rng):
    for x, mean, variance, gamma in normalised(rng):
        gate = signs(rng, *x.shape, axis=x.ndim - 1)
        yield real(rng, *x.shape), gate, x, mean, variance, 1e-3, gamma


# -- packing ----------------------------------------------------------------------------------


@cases("add")
def _(rng):
    for shape in (*SHAPES, (2, 130, 130, 3)):
        yield real(rng, *shape), real(rng, *shape)
    yield real(rng, 9, 65).T, real(rng, 65, 9)
    yield real(rng, 9, 65)[::2], real(rng, 5, 65).astype(np.float64)


@cases("approx_sign_grad")
def _(rng):
    for shape in SHAPES:
        for x in preactivations(rng, *shape):
            yield real(rng, *shape), zeros_and_clips(x)
    yield real(rng, 65, 3).T, real(rng, 65, 3).T
    yield real(rng, 4), np.float32([np.nan, 0.5, 2, -np.inf])


@cases("pack_signs")
def _(rng):
    for shape in (*SHAPES, *((3, n) for n in LENGTHS)):
        yield from ((zeros_and_clips(x), -1) for x in preactivations(rng, *shape))
    yield real(rng, 65, 3).T, -1
    yield real(rng, 0, 65), -1
    for n in LENGTHS:
        x = zeros_and_clips(real(rng, 3, n, 2))
        for dtype in (np.float32, np.int8, np.int16, np.int32):
            yield x.astype(dtype), 1
            yield x[..., 0].astype(dtype), 1
        yield x, -2
        yield x[:0], 1
        yield x.swapaxes(0, 1), 0
        yield x.T, -2
        yield np.sign(x[0] + 0.5).astype(np.int8).T, -2
        yield real(rng, n), 0
        yield real(rng, 3, 3, 5, n), -2
        yield real(rng, 3, 3, n, 5), -2
        yield real(rng, 2, 2, 5, n).swapaxes(-1, -2), -2
    yield np.float64([-1e-60, 1e-60, np.nan, -0.0, -np.inf]), 0
    yield np.uint8([127, 128, 255, 0]), 0


# -- how large the terms of a sum are ---------------------------------------------------------


def magnitudes(name, arguments):
    """Sum of the terms' magnitudes per entry of each result, in float64."""
    if name == "batch_statistics":
        x = np.abs(exact_numbers(arguments[0])).reshape(-1, arguments[0].shape[-1])
        return x.mean(0), np.square(x).mean(0)
    if name == "batch_norm_grad":
        return _batch_norm_grad_magnitudes(*map(exact_numbers, arguments))
    if name == "batch_norm_sign_grad":
        dy, gate, *rest = arguments
        passed = np.where(gate.unpack() > 0, dy, 0)
        return _batch_norm_grad_magnitudes(*map(exact_numbers, (passed, *rest)))
    if name == "max_pool2d_grad":
        return reference.max_pool2d_grad(absolute(arguments[0]), *arguments[1:])
    if name in ("binary_conv2d_pool_grad_input", "binary_conv2d_pool_grad_kernel"):
        k = name.endswith("kernel")  # its x comes first
        dy, where, *rest = arguments[k:]
        rest = [absolute(a) if isinstance(a, Signs) else a for a in rest]
        if k:  # as below
            rest[-1] = 1
        return getattr(reference, name)(*map(absolute, arguments[:k]), absolute(dy), where, *rest)
    if name == "binary_conv2d_grad_kernel" and isinstance(arguments[0], Signs):
        # Bits at the border are summed as +1 and taken off again: those terms count, too.
        place = arguments[3:5] or ((1, 1), "same")
        arguments = (*arguments[:3], *place, 1)
    return getattr(reference, name)(*map(absolute, arguments))  # linear in each argument


def _batch_norm_grad_magnitudes(dy, x, mean, variance, epsilon, gamma):
    factor = 1 / np.sqrt(variance + epsilon)
    axes, n = tuple(range(dy.ndim - 1)), dy.size // dy.shape[-1]
    xhat, dy = (np.abs(x) + np.abs(mean)) * factor, np.abs(dy)
    dbeta, dgamma = dy.sum(axes), (dy * xhat).sum(axes)
    scale = factor if gamma is None else factor * np.abs(gamma)
    return scale * (dy + dbeta / n + xhat * dgamma / n), dgamma, dbeta


def exact_numbers(x):
    """An array argument in float64, where 2 to the 53 is enough for everything here."""
    x = x.floats(np.float64) if isinstance(x, Fixed) else x
    return x.astype(np.float64) if isinstance(x, np.ndarray) else x


def as_float64(x):
    return x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype == np.float32 else x


def absolute(x):
    if isinstance(x, Signs):
        return Signs(np.zeros_like(x.words), x.shape, x.axis)
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype == np.uint8:  # an image's bytes
        return np.abs(2.0 * x - 255) / 255
    return np.abs(x.astype(np.float64))


# -- the test ---------------------------------------------------------------------------------


def test_both_backends_export_the_same_names():
    assert sorted(NAMES) == NAMES
    assert set(NAMES) <= set(dir(kernels))
    shared = {name for name in NAMES if getattr(kernels, name) is getattr(reference, name)}
    of_integers = {"centred", "tap_sums"}  # cases in test_fixed_twins.py
    assert set(NAMES) - shared - of_integers == set(CASES)


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_equal(name):
    assert inspect.signature(getattr(kernels, name)) == inspect.signature(getattr(reference, name))


def on_paths():
    """Each name once, and (slow) those on tiles for each other vector path of this CPU."""
    tiled = [n for n in CASES if n.startswith("binary_") or n.startswith("batch_norm_sign")]
    yield from ((name, vector_paths()[0]) for name in CASES)
    others = [path for path in ("avx2", "generic") if path in vector_paths()[1:]]  # of floats
    for each in product(tiled, others):
        yield pytest.param(*each, marks=pytest.mark.slow)


@pytest.mark.parametrize("name, path", list(on_paths()))
def test_kernel_is_its_reference(name, path, use_simd):
    use_simd(path)
    for number, arguments in enumerate(CASES[name](np.random.default_rng(0))):
        before = [copy(a) for a in arguments]
        expected = tuple_of(getattr(reference, name)(*arguments))
        found = tuple_of(getattr(kernels, name)(*arguments))
        where = f"{name}, case {number}: " + ", ".join(map(describe, arguments))
        assert len(found) == len(expected), where
        for a, b in zip(arguments, before, strict=True):
            assert_same(a, b, f"{where}: changed its input")
        exact = name in EXACT or (f"{name} on bytes" in EXACT and is_bytes(arguments[0]))
        floats = [k for k, e in enumerate(expected) if not exact and is_float(e)]
        if floats:
            truth = tuple_of(getattr(reference, name)(*map(as_float64, arguments)))
            sizes = tuple_of(magnitudes(name, arguments))
        for k, (f, e) in enumerate(zip(found, expected, strict=True)):
            if k not in floats:
                assert_same(f, e, where)
                continue
            assert np.shape(f) == np.shape(e), where
            assert np.asarray(f).dtype == np.asarray(e).dtype, where
            error = np.abs(np.asarray(f, np.float64) - truth[k])
            allowed = TOLERANCE * sizes[k] + np.finfo(np.float32).tiny
            worst = np.max(error / allowed, initial=0)
            assert worst <= 1, f"{where}: result {k} is {worst:.3g} times too far off"


def test_offsets_fit_32_bits():
    # Those into tables count from the start of a task's rows, whatever the size of the image.
    (phase,) = _phases((64, 64), (3, 3), (1, 1), "same", 2, 32, 256, 4)
    assert phase.bands > 1
    assert phase.rows.max() < phase.tables
    assert steps(2**10, 2**21)[-1] == 2**31 - 2**21
    with pytest.raises(InputError, match="use smaller batches"):
        steps(2**10 + 1, 2**21)


@pytest.mark.parametrize("ops", [reference, kernels])
def test_a_pool_that_does_not_fit_is_told(ops, rng):
    x, w = signs(rng, 2, 1, 6, 5, axis=3), signs(rng, 3, 3, 5, 4, axis=2)
    with pytest.raises(InputError):
        ops.binary_conv2d_pool(x, w)


@pytest.mark.parametrize("fixed", [False, True])
def test_the_gradient_of_no_images_is_zero_and_written(rng, monkeypatch, fixed):
    x, w = signs(rng, 0, 7, 7, 3, axis=3), signs(rng, 3, 3, 3, 1, axis=2)
    y, where = reference.binary_conv2d_pool(x, w, (2, 3), "valid")
    dy = Fixed(y.astype(np.int8)) if fixed else y.astype(np.float32)
    monkeypatch.setattr(grad_kernel, "empty", lambda shape, kind: np.full(shape, 7, kind))
    dw = kernels.binary_conv2d_pool_grad_kernel(x, dy, where, (3, 3), (2, 3), "valid")
    assert not np.any(dw)


def is_float(x):
    return isinstance(x, float) or (isinstance(x, np.ndarray) and x.dtype.kind == "f")


def is_bytes(x):
    return isinstance(x, np.ndarray) and x.dtype == np.uint8
