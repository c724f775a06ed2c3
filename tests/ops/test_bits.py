"""The sign convention, packing and unpacking."""

import naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn.ops.bits import Signs, binarize, pack_signs


def test_both_zeros_are_plus_one():
    x = np.array([0.0, -0.0, 1e-45, -1e-45, np.inf, -np.inf], np.float32)
    assert_array_equal(binarize(x), [1, 1, 1, -1, 1, -1])
    assert_array_equal(pack_signs(x, 0).words, [0b101000])


@given(
    n=st.integers(1, 130),
    others=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    axis=st.integers(-3, 2),
    seed=st.integers(0, 99),
)
@example(n=63, others=(2, 3), axis=0, seed=0)
@example(n=64, others=(2, 3), axis=1, seed=0)
@example(n=65, others=(2, 3), axis=-1, seed=0)
def test_packing_is_the_naive_one_and_comes_back(n, others, axis, seed):
    shape = list(others)
    shape.insert(axis % 3, n)
    x = np.random.default_rng(seed).standard_normal(shape)
    packed = pack_signs(x, axis)
    assert packed.axis == axis % 3
    assert_array_equal(packed.words, naive.pack(x, axis % 3))  # unused bits are 0, too
    for dtype in (np.int8, np.int32, np.float32, np.float64):
        back = packed.unpack(dtype)
        assert back.dtype == dtype
        assert_array_equal(back, naive.sign(x))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_views_pack_like_copies(axis):
    x = np.random.default_rng(0).standard_normal((70, 33, 66))
    for view in (x.T, x.swapaxes(0, 1), x[::-1, ::2, 1:], np.asfortranarray(x)):
        packed = pack_signs(view, axis)
        assert_array_equal(packed.words, pack_signs(view.copy(order="C"), axis).words)
        assert packed.words.flags.c_contiguous
        assert_array_equal(packed.unpack(), naive.sign(view))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.float32, np.bool_])
def test_any_number_packs_by_its_sign(dtype):
    x = np.random.default_rng(0).integers(-2, 3, 100).astype(dtype)
    assert_array_equal(pack_signs(x, 0).unpack(), naive.sign(x))


@pytest.mark.parametrize(("shape", "axis"), [((0, 3), 0), ((3, 0), 1), ((2, 0, 4), 1)])
def test_nothing_packs_to_nothing(shape, axis):
    packed = pack_signs(np.zeros(shape), axis)
    assert packed.words.size == 0
    assert packed.unpack().shape == shape


def test_words_that_do_not_fit_the_shape_are_refused():
    with pytest.raises(ValueError, match="must be uint32"):
        Signs(np.zeros((3, 1), np.uint32), (3, 33), 1)
    with pytest.raises(ValueError, match="found int32"):
        Signs(np.zeros((3, 2), np.int32), (3, 33), 1)
    signs = Signs(np.zeros((3, 2), np.uint32), [3, 33], -1)
    assert (signs.shape, signs.axis, signs.unpack().shape) == ((3, 33), 1, (3, 33))
