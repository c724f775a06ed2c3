"""Operands of the operations that both backends have, and what says that two results are equal."""

from itertools import product

import naive
import numpy as np
from numpy.testing import assert_array_equal

from minibnn.ops import reference
from minibnn.ops.bits import Signs, pack_signs
from minibnn.ops.fixed import Fixed, fixed_type, most

LENGTHS = (1, 31, 32, 33, 63, 64, 65, 130)
DENSE = [(3, 63, 5), (17, 64, 33), (1, 65, 1), (5, 1, 70), (33, 130, 64), (70, 257, 131)]
CONVOLUTIONS = [  # images, kernel, strides
    ((2, 6, 7, 3), (3, 3, 3, 5), (1, 1)),
    ((1, 9, 8, 64), (3, 3, 64, 33), (1, 1)),
    ((3, 8, 5, 33), (2, 2, 33, 64), (2, 2)),
    ((2, 7, 9, 65), (1, 1, 65, 31), (2, 1)),
    ((2, 11, 6, 31), (5, 3, 31, 17), (1, 3)),
    ((1, 5, 5, 1), (4, 5, 1, 1), (3, 3)),
    ((5, 4, 4, 130), (3, 3, 130, 9), (1, 1)),
    ((3, 4, 5, 33), (4, 5, 33, 40), (1, 1)),  # without padding, a window is the whole image
    ((2, 23, 18, 3), (7, 7, 3, 9), (2, 2)),
    ((1, 30, 37, 3), (11, 11, 3, 5), (4, 4)),
    ((2, 41, 52, 9), (5, 5, 9, 3), (1, 1)),  # its windows fill several chunks
]
PADDINGS = [("same", 0), ("same", 1), ("valid", 0)]
WINDOWED = [  # images, kernels with 64 inputs and more, which a tile of their own serves
    ((7, 5), (3, 3, 64, 10), "same"),
    ((8, 9), (3, 3, 70, 33), "same"),
    ((9, 9), (5, 4, 130, 65), "valid"),
    ((6, 7), (2, 3, 64, 64), "valid"),
    ((5, 4), (1, 1, 65, 32), "same"),
    ((2, 2), (3, 3, 128, 31), "same"),
]
POOLS = [
    (image, *place, padding)
    for image in ((2, 6, 7, 3), (1, 9, 8, 65), (3, 5, 5, 64))
    for place in (((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 2)), ((2, 3), (3, 3)))
    for padding in ("valid", "same")
]
SHAPES = [(1, 1), (2, 65), (50, 64), (3, 4, 5, 63), (2, 9, 9, 33), (100, 7)]


def cases_by_name():
    """A dict, and the decorator that enters a function(rng), which yields arguments, into it."""
    cases = {}
    return cases, lambda name: lambda function: cases.setdefault(name, function)


def real(rng, *shape):
    """Floats of mixed size, some of them zero, as behind a max pool."""
    x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 2, shape)
    return np.where(rng.random(shape) < 0.3, 0, x).astype(np.float32)


def signs(rng, *shape, axis):
    return pack_signs(rng.standard_normal(shape), axis)


def byte(rng, *shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


def kinds(rng, *shape):
    """A binary layer's input as signs, bytes and floats."""
    return signs(rng, *shape, axis=len(shape) - 1), byte(rng, *shape), real(rng, *shape)


def integers(rng, bits, *shape):
    """Fixed integers up to the ends of their range, three in ten of them 0."""
    q = rng.integers(-most(bits), most(bits) + 1, shape)
    return Fixed(np.where(rng.random(shape) < 0.3, 0, q).astype(fixed_type(bits)), -bits)


def extreme(dtype, *shape):
    return Fixed(np.full(shape, most(8 if dtype == np.int8 else 10), dtype), -11)


def not_finite(*shape, dtype=np.int8):
    return Fixed(np.zeros(shape, dtype), np.nan)


def zeros_and_clips(x):
    """x with both zeros and ±1 in it, where conventions show."""
    if np.issubdtype(x.dtype, np.floating):
        x.flat[::7], x.flat[1::7], x.flat[2::7], x.flat[3::7] = 0.0, -0.0, 1, -1
    return x


def preactivations(rng, *shape):
    """What a pool or a normalisation gets: integers (with ties) and floats."""
    yield rng.integers(-9, 10, shape).astype(np.int16)
    yield rng.integers(-70_000, 70_001, shape).astype(np.int32)
    yield real(rng, *shape)


def output_shape(image, kernel, strides, padding):
    return (image[0], *naive.output_size(image, kernel, strides, padding), kernel[3])


def convolution_places():
    for (image, kernel, strides), padding in product(CONVOLUTIONS, ("same", "valid")):
        yield image, kernel, strides, padding, output_shape(image, kernel, strides, padding)


def maxima(rng, output):
    """dy and where after 2x2 max pooling of an output of this shape."""
    shape = (output[0], output[1] // 2, output[2] // 2, output[3])
    return real(rng, *shape), rng.integers(0, 4, shape, dtype=np.uint8)


def pooled(rng):
    for image, *place in POOLS:
        yield image, place, (image[0], *naive.output_size(image, *place), image[3])


def normalised(rng):
    for shape in SHAPES:
        for x in preactivations(rng, *shape):
            mean, variance = (s.astype(np.float32) for s in reference.batch_statistics(x))
            for gamma in (None, real(rng, shape[-1])):
                yield x, mean, variance, gamma


def tuple_of(result):
    return result if isinstance(result, tuple) else (result,)


def copy(x):
    if isinstance(x, Signs):
        return Signs(x.words.copy(), x.shape, x.axis)
    if isinstance(x, Fixed):
        return x.like(x.integers.copy())
    return x.copy() if isinstance(x, np.ndarray) else x


def assert_same(a, b, message):
    """The same types, shapes and bits; NaN is NaN, whatever its bits."""
    assert type(a) is type(b), message
    if isinstance(a, Signs):
        assert (a.shape, a.axis) == (b.shape, b.axis), message
        a, b = a.words, b.words
    if isinstance(a, Fixed):
        assert_array_equal([a.exponent, a.divisor], [b.exponent, b.divisor], err_msg=message)
        a, b = a.integers, b.integers
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), message
        assert_array_equal(a, b, err_msg=message)
        if a.dtype.kind == "f":
            zeros = (a == 0) & (np.signbit(a) != np.signbit(b))
            assert not zeros.any(), f"{message}: zeros of different sign"
    else:
        assert a == b, message


def describe(x):
    if isinstance(x, Signs):
        return f"Signs{x.shape}"
    if isinstance(x, Fixed):
        return f"Fixed({describe(x.integers)}, {x.exponent}, {x.divisor})"
    return f"{x.dtype}{x.shape}" if isinstance(x, np.ndarray) else repr(x)
