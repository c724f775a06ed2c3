"""The two latent twins of Bop with a threshold: by hand, and in lockstep with Bop."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn import optim
from minibnn.nn.parameter import Parameter
from minibnn.ops.kernels import optim as kernels
from minibnn.optim import (
    BopState,
    DoubleWellSGDState,
    SchmittSGDState,
    bop_step,
    double_well_sgd_step,
    schmitt_sgd_step,
)

SCHMITT = [schmitt_sgd_step, kernels.schmitt_sgd_step]


@pytest.mark.parametrize("step", SCHMITT, ids=["numpy", "compiled"])
def test_schmitt_holds_up_to_the_edge_of_its_band(step):
    w, state = np.int8([1, 1, -1, -1]), SchmittSGDState(np.zeros(4, np.float32))
    g = np.float32([2, 2.5, -2, -2.5])
    w, state = step(w, g, state, lr=0.5, weight_decay=0.5, deadband=1)
    assert_array_equal(state.latent, np.float32([-1, -1.25, 1, 1.25]))
    assert_array_equal(w, [1, -1, -1, 1])
    w, state = step(w, np.float32([0, 0, 0, 0]), state, lr=0.5, weight_decay=0.5, deadband=0.5)
    assert_array_equal(state.latent, np.float32([-0.75, -0.9375, 0.75, 0.9375]))
    assert_array_equal(w, [-1, -1, 1, 1])


@pytest.mark.parametrize(
    "step", [double_well_sgd_step, kernels.double_well_sgd_step], ids=["numpy", "compiled"]
)
def test_double_well_jumps_and_holds_at_zero(step):
    """From the bottom 1 of its well: 1 - g / 2 = 0 holds, -1/4 jumps by -2; the mirror likewise."""
    w, state = np.int8([1, 1, -1, -1]), DoubleWellSGDState(np.float32([1, 1, -1, -1]))
    hyper = {"lr": 0.5, "weight_decay": 0.5, "deadband": 1}
    w, state = step(w, np.float32([2, 2.5, -2, -2.5]), state, **hyper)
    assert_array_equal(w, [1, -1, -1, 1])
    assert_array_equal(state.latent, np.float32([0, -2.25, 0, 2.25]))
    w, state = step(w, np.zeros(4, np.float32), state, **hyper)  # a quarter of the way back
    assert_array_equal(state.latent, np.float32([0.25, -1.9375, -0.25, 1.9375]))


def gradients(random, w):
    """Whole numbers that depend on the bits and the step, so that ties are met."""
    a, b = random.integers(-2, 3, (2, len(w)))
    return a + b * np.asarray(w, int) * (1 if np.sum(w) > 0 else -1)


@given(
    seed=st.integers(0, 2**32 - 1),
    lam=st.sampled_from([1.0, 0.5, 0.125]),
    lr=st.sampled_from([0.5, 0.25, 0.1]),
    threshold=st.sampled_from([0.0, 0.25, 0.5, 0.1]),
    step=st.sampled_from(SCHMITT),
)
def test_schmitt_is_bop_bit_for_bit(seed, lam, lr, threshold, step):
    """For weight decays that are powers of two; m = -lam * latent."""
    random = np.random.default_rng(seed)
    w = w2 = random.choice(np.int8([-1, 1]), 12)
    m = random.choice(np.float32([-0.5, 0, 0.5]), 12)
    state, state2 = BopState(m), SchmittSGDState(-m / np.float32(lam))
    hyper = {"lr": lr, "weight_decay": lam, "deadband": np.float32(threshold) / np.float32(lam)}
    for _ in range(20):
        g = gradients(random, w).astype(np.float32)
        w, state = bop_step(w, g, state, gamma=lr * lam, threshold=threshold)
        w2, state2 = step(w2, g, state2, **hyper)
        assert_array_equal(w, w2)
        assert_array_equal(state.m, -np.float32(lam) * state2.latent)


@given(
    seed=st.integers(0, 2**32 - 1),
    lam=st.sampled_from([Fraction(1), Fraction(2, 3), Fraction(1, 5)]),
    threshold=st.sampled_from([Fraction(0), Fraction(1, 4), Fraction(1, 2)]),
)
def test_both_twins_are_bop_on_fractions(seed, lam, threshold):
    random = np.random.default_rng(seed)
    gamma = Fraction(1, 4)
    hyper = {"lr": gamma / lam, "weight_decay": lam, "deadband": threshold / lam}
    w = np.array(random.choice([-1, 1], 8).tolist(), object)
    m = np.array([Fraction(0)] * 8, object)
    bop = w, BopState(m)
    schmitt = w, SchmittSGDState(-m / lam)
    well = w, DoubleWellSGDState(-m / lam + hyper["deadband"] * w)
    for _ in range(12):
        g = np.array([Fraction(int(x)) for x in gradients(random, bop[0])], object)
        bop = bop_step(bop[0], g, bop[1], gamma=gamma, threshold=threshold)
        schmitt = schmitt_sgd_step(schmitt[0], g, schmitt[1], **hyper)
        well = double_well_sgd_step(well[0], g, well[1], **hyper)
        assert_array_equal(bop[0], schmitt[0])
        assert_array_equal(bop[0], well[0])
        assert_array_equal(-lam * schmitt[1].latent, bop[1].m)
        assert_array_equal(schmitt[1].latent + hyper["deadband"] * well[0], well[1].latent)


@pytest.mark.parametrize(
    ("deadband", "threshold"),
    [("step:8:0.5:10", "step:2:0.5:10"), ("linear:0:8:32", "linear:0:2:32")],
)
def test_twins_are_bop_while_the_threshold_changes(deadband, threshold, each_backend):
    """Whole numbers and powers of two, so nothing rounds: the wells carry their weights along."""
    lam, rng = 0.25, np.random.default_rng(0)
    twins = {"lr": 0.5, "weight_decay": lam, "deadband": deadband}
    optimizers = [
        optim.Bop(gamma=0.5 * lam, threshold=threshold),
        optim.SchmittSGD(**twins),
        optim.DoubleWellSGD(**twins),
    ]
    start, flips = rng.choice([-1, 1], (50, 1)), 0
    kernels = [Parameter("kernel", start, True) for _ in optimizers]
    for _ in range(40):
        g = rng.integers(-12, 13, (50, 1)).astype(np.float32)
        for optimizer, kernel in zip(optimizers, kernels, strict=True):
            kernel.grad = g
            flips += optimizer.step([kernel])["kernel"]
        assert_array_equal(kernels[1].value, kernels[0].value)
        assert_array_equal(kernels[2].value, kernels[0].value)
    assert flips > 100
