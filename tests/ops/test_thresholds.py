"""Integer thresholds against batch norm itself, on every integer of the range."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.ops.backend import ops
from minibnn.ops.thresholds import sign_thresholds


def signs_of_batch_norm(z, mean, variance, beta, epsilon, gamma):
    y = ops.batch_norm(z, mean, variance, beta, epsilon, gamma)
    return np.where(y < 0, -1, 1)


def holds(channels, epsilon, low, high):
    """Thresholds of channels (mean, variance, beta, gamma) give the signs of batch norm."""
    mean, variance, beta, gamma = np.float32(channels).T
    found = sign_thresholds(mean, variance, beta, epsilon, low, high, gamma)
    z = np.arange(low, high + 1, dtype=np.int32)[:, None] + np.zeros(len(mean), np.int32)
    expected = signs_of_batch_norm(z, mean, variance, beta, epsilon, gamma)
    assert_array_equal(ops.threshold_sign(z, found).unpack(), expected)
    return found


numbers = st.floats(-100, 100, width=32)
channel = st.tuples(numbers, st.floats(0, 1e4, width=32), numbers, numbers)


@given(st.lists(channel, min_size=1, max_size=5), st.sampled_from([1e-30, 1e-3]))
@example([(4, 1, 64.40226, -1.4311614)], 1e-30)  # the closed form is off by one here
@example([(0, 1, 0, 1)], 1e-30)  # the result is exactly 0 at z = 0
@example([(0, 1, 0, 0), (0, 1, -1, 0), (0, 1, 1, -0.0)], 1e-3)  # constant channels
@example([(0, 0, 0, 1), (3, 0, 1e-30, -1)], 1e-30)  # a factor of 1e15
@example([(1e30, 1, 0, 1), (-1e30, 1, 0, 1)], 1e-3)  # no change within the range
def test_thresholds_are_batch_norm(channels, epsilon):
    holds(channels, epsilon, -40, 40)


def test_on_both_backends(each_backend):
    random = np.random.default_rng(0)
    channels = random.normal(0, 20, (64, 4))
    channels[:, 1] = np.square(channels[:, 1])
    holds(channels, 1e-3, -4608, 4608)


@pytest.mark.parametrize("low", [-576, -1, 0, 5])
def test_any_range(low):
    holds([(2, 1, 0.5, 1), (2, 1, 0.5, -1), (7, 1, 0, 1)], 1e-3, low, low + 6)


def test_without_gamma():
    one = np.ones(3, np.float32)
    mean = np.float32([2, 2.5, -7])
    found = sign_thresholds(mean, one, 0 * one, 1e-3, -5, 5)
    assert_array_equal(found.level, [2, 3, -5])
    assert found.rising.all()


def test_falling_channels_turn_round():
    found = holds([(2, 1, 0, -1), (2.5, 1, 0, -1), (70, 1, 0, -1)], 1e-30, -9, 9)
    assert_array_equal(found.level, [2, 2, 9])
    assert not found.rising.any()


@pytest.mark.parametrize("name", ["mean", "variance", "beta", "gamma"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_has_no_threshold(name, bad):
    given = {key: np.ones(2, np.float32) for key in ("mean", "variance", "beta", "gamma")}
    given[name][1] = bad
    with pytest.raises(InputError, match=f"{name} must be finite"):
        sign_thresholds(**given, epsilon=1e-3, low=-1, high=1)


def test_negative_variance():
    one = np.ones(1, np.float32)
    with pytest.raises(InputError, match="variance"):
        sign_thresholds(one, -one, one, 1e-3, -1, 1)
