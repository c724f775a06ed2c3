"""Bop by hand: Eq. 5, the three rules at their tie, the two forms of the average.

The catalogue runs it on fractions, too.
"""

import numpy as np
import pytest
from cases import both_forms
from numpy.testing import assert_array_equal

from minibnn.optim import BopState

STEPS = both_forms("bop_step")


def state(*m, dtype=np.float32):
    return BopState(np.array(m, dtype))


# w, g and what m = (1 - 1/2) * 0 + 1/2 * g becomes; threshold 1/2. Entries 0 and 1 are ties with
# the sign of w, 2 and 3 ties against it, 4 is above the threshold, 5 below it.
W = np.int8([1, -1, 1, -1, 1, -1])
G = np.float32([1, -1, -1, 1, 3, -0.5])
M = np.float32([0.5, -0.5, -0.5, 0.5, 1.5, -0.25])


@STEPS
@pytest.mark.parametrize(
    "rule, expected",
    [
        ("strict", [1, -1, 1, -1, -1, -1]),
        ("inclusive", [-1, 1, 1, -1, -1, -1]),
        ("larq", [1, 1, 1, -1, -1, -1]),
    ],
)
@pytest.mark.parametrize("average", ["convex", "lerp"])
@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_one_step_with_ties(step, rule, expected, average, dtype):
    hyper = {"gamma": 0.5, "threshold": 0.5, "rule": rule, "average": average}
    w, new = step(W.astype(dtype), G, state(*[0] * 6), **hyper)
    assert_array_equal(new.m, M)
    assert_array_equal(w, expected)
    assert w.dtype == dtype


@STEPS
@pytest.mark.parametrize(
    "rule, expected", [("strict", [1, -1]), ("inclusive", [1, -1]), ("larq", [1, 1])]
)
def test_dead_weights_at_threshold_zero(step, rule, expected):
    """m = 0 has no sign: Eq. 6 holds too, though |m| >= 0; only Larq's formula moves."""
    w, zero = np.int8([1, -1]), np.zeros(2, np.float32)
    assert_array_equal(step(w, zero, state(0, 0), gamma=0.5, threshold=0, rule=rule)[0], expected)
    assert_array_equal(step(w, -zero, state(0, 0), gamma=0.5, threshold=0, rule=rule)[0], expected)


@STEPS
def test_four_steps_by_hand(step):
    w, s = np.int8([1]), state(0)
    trajectory = []
    for g in (1, 1, -4, 0):
        w, s = step(w, np.float32([g]), s, gamma=0.25, threshold=0.375)
        trajectory.append((float(s.m[0]), int(w[0])))
    assert trajectory == [(0.25, 1), (0.4375, -1), (-0.671875, 1), (-0.50390625, 1)]


@STEPS
def test_gamma_is_rounded_once_and_its_complement_is_computed_in_float32(step):
    """1 - float32(0.99) is not float32(0.01)."""
    m, zero = np.float32([1]), np.zeros(1, np.float32)
    for gamma in (0.99, np.float32(0.99), np.float64(0.99)):
        new = step(np.int8([1]), zero, BopState(m), gamma=gamma, threshold=1.0)[1].m
        assert new.dtype == np.float32
        assert new == np.float32(1) - np.float32(0.99) != np.float32(0.01)


@STEPS
def test_threshold_is_compared_in_float32(step):
    """0.1 rounds up to float32, so that m = float32(0.1) is a tie and stays."""
    w, _ = step(np.int8([1]), np.float32([0.1]), state(0), gamma=1, threshold=0.1)
    assert w == 1
    w, _ = step(np.int8([1]), np.float32([0.1]), state(0), gamma=1, threshold=0.1, rule="inclusive")
    assert w == -1
