"""Integer thresholds against batch norm itself, on every integer of the range."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn import nn
from minibnn.deploy.fold import fold


def holds(channels, epsilon, most):
    """What becomes of channels (mean, variance, beta, gamma) has the signs of the layers."""
    mean, variance, beta, gamma = np.float32(channels).T
    norm, sign = nn.BatchNorm(scale=True, epsilon=epsilon), nn.Sign()
    nn.Sequential([norm], (len(mean),)).load_state_dict(
        {
            "batch_norm1/gamma": gamma,
            "batch_norm1/beta": beta,
            "batch_norm1/moving_mean": mean,
            "batch_norm1/moving_variance": variance,
        }
    )
    (found,), count = fold([norm, sign], len(mean), most)
    assert count == 2
    z = np.arange(-most, most + 1, dtype=np.int32)[:, None] + np.zeros(len(mean), np.int32)
    assert_array_equal(found.forward(z).unpack(), sign.forward(norm.forward(z)).unpack())


numbers = st.floats(-100, 100, width=32)
channel = st.tuples(numbers, st.floats(0, 1e4, width=32), numbers, numbers)


@given(st.lists(channel, min_size=1, max_size=5), st.sampled_from([1e-30, 1e-3]))
@example([(4, 1, 64.40226, -1.4311614)], 1e-30)  # the closed form is off by one here
@example([(0, 1, 0, 1), (2, 1, 0, -1)], 1e-30)  # the result is exactly 0 at z = 0, at z = 2
@example([(0, 1, 0, 0), (0, 1, -1, 0), (0, 1, 1, -0.0)], 1e-3)  # constant channels
@example([(0, 0, 0, 1), (3, 0, 1e-30, -1)], 1e-30)  # a factor of 1e15
@example([(1e30, 1, 0, 1), (-1e30, 1, 0, 1)], 1e-3)  # no change within the range
def test_thresholds_are_batch_norm(channels, epsilon):
    holds(channels, epsilon, 40)


def test_thresholds_of_sums_as_large_as_they_get():
    random = np.random.default_rng(0)
    channels = random.normal(0, 20, (64, 4))
    channels[:, 1] = np.square(channels[:, 1])
    holds(channels, 1e-3, 4608)
    assert fold([nn.Sign()], 1, 2**31 - 2) and fold([nn.Sign()], 1, 2**31 - 1) is None
