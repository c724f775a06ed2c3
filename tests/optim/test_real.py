"""SGD and Adam for real parameters."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn.optim import AdamState, SGDState, adam_step, latent_adam_step, sgd_step


def test_sgd_by_hand():
    value, state = np.float32([1, -1]), SGDState(np.zeros(2, np.float32))
    for expected in ([0.5, -2], [-0.25, -2.5]):
        value, state = sgd_step(value, np.float32([1, 2 if state.velocity[0] == 0 else 0]), state,
                            lr=0.5, momentum=0.5)  # fmt: skip
        assert_array_equal(value, np.float32(expected))
    assert_array_equal(state.velocity, np.float32([1.5, 1]))


def test_adam_is_latent_adam_without_bounds():
    random = np.random.default_rng(0)
    ours = theirs = np.float32([0.5, -3]), AdamState(np.zeros(2, "f4"), np.zeros(2, "f4"))
    for _ in range(5):
        g = random.normal(size=2).astype(np.float32)
        ours = adam_step(ours[0], g, ours[1], lr=0.1)
        theirs = latent_adam_step(theirs[0], g, theirs[1], lr=0.1)
        assert_array_equal(ours[0], theirs[0])
    assert ours[1].t == 5


def test_adam_in_double_precision_follows_the_formula():
    lr, b1, b2, eps = 0.01, 0.9, 0.999, 1e-7
    value, state = np.array([1.0]), AdamState(np.zeros(1), np.zeros(1))
    x, m, v = 1.0, 0.0, 0.0
    for t, g in enumerate([0.3, -1.0, 0.0, 2.5], start=1):
        value, state = adam_step(value, np.array([g]), state, lr=lr)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x -= lr * (1 - b2**t) ** 0.5 / (1 - b1**t) * m / (v**0.5 + eps)
        assert value[0] == pytest.approx(x, rel=1e-13)
