"""Bop2ndOrder and the cascaded average by hand."""

import numpy as np
import pytest
from cases import both_forms
from numpy.testing import assert_array_equal

from minibnn.optim import Bop2ndState, BopState, CEMAState, bop_step, cema_step

BOP2ND = both_forms("bop2nd_step")


def zeros(n, dtype=np.float32):
    return np.zeros(n, dtype)


@BOP2ND
@pytest.mark.parametrize(
    "rule, expected",
    [("strict", [1, -1, -1, -1]), ("inclusive", [-1, 1, -1, -1]), ("larq", [1, 1, -1, -1])],
)
@pytest.mark.parametrize("average", ["convex", "lerp"])
def test_one_step_with_ties(step, rule, expected, average):
    """m / sqrt(v) = (1, -1, 2, 4) / (1, 1, 2, 4): two ties, two of the other sign."""
    w, g = np.int8([1, -1, -1, -1]), np.float32([2, -2, 4, 8])
    hyper = {"gamma": 0.5, "sigma": 0.25, "threshold": 1, "epsilon": 0}
    w, state = step(w, g, Bop2ndState(zeros(4), zeros(4)), rule=rule, average=average, **hyper)
    assert_array_equal(state.m, np.float32([1, -1, 2, 4]))
    assert_array_equal(state.v, np.float32([1, 1, 4, 16]))
    assert_array_equal(w, expected)


@BOP2ND
@pytest.mark.parametrize(
    "form, threshold, expected",
    [("biased", 1.5, -1), ("biased", 2, 1), ("unbiased", 0.75, -1), ("unbiased", 1, 1)],
)
def test_unbiased_form_rescales_the_threshold(step, form, threshold, expected):
    """m / sqrt(v) = 1 / (1/2); divided by gamma = 1/2 and sigma = 1/16 it is 2 / 2."""
    hyper = {"gamma": 0.5, "sigma": 1 / 16, "epsilon": 0, "form": form}
    state = Bop2ndState(zeros(1), zeros(1))
    w, state = step(np.int8([1]), np.float32([2]), state, threshold=threshold, **hyper)
    assert (state.m, state.v, w) == (1, 0.25, expected)


@BOP2ND
def test_epsilon_stands_outside_the_root(step):
    """2 / (1 + 1) = 1 is a tie; inside the root it would be 2 / sqrt(2) and flip."""
    hyper = {"gamma": 1, "sigma": 0.25, "threshold": 1, "epsilon": 1}
    w, _ = step(np.int8([1]), np.float32([2]), Bop2ndState(zeros(1), zeros(1)), **hyper)
    assert w == 1


def test_cema_by_hand():
    """Momentum 2, then -5; inertia 1/2, then 3/4 * 1/2 - 1/4 * 5."""
    w, state = np.int8([1, -1]), CEMAState(zeros(2), zeros(2))
    seen = []
    for g in (4, -12, 10):
        w, state = cema_step(w, np.float32([g, g]), state, gamma=0.5, alpha=0.25)
        assert state.momentum[0] == state.momentum[1] and state.inertia[0] == state.inertia[1]
        seen.append((float(state.momentum[0]), float(state.inertia[0]), *w.tolist()))
    assert seen == [(2, 0.5, -1, -1), (-5, -0.875, 1, 1), (2.5, -0.03125, 1, 1)]


def test_cema_with_alpha_one_is_bop_without_threshold():
    random = np.random.default_rng(0)
    w = w2 = random.choice(np.int8([-1, 1]), 100)
    state, state2 = BopState(zeros(100)), CEMAState(zeros(100), zeros(100))
    for _ in range(20):
        g = random.integers(-1, 2, 100).astype(np.float32)
        w, state = bop_step(w, g, state, gamma=0.25, threshold=0)
        w2, state2 = cema_step(w2, g, state2, gamma=0.25, alpha=1)
        assert_array_equal(w, w2)
