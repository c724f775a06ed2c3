"""The two latent twins of Bop with a threshold: by hand, and in lockstep with Bop."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import optim
from minibnn.nn.layers.layer import Parameter
from minibnn.optim import (
    DoubleWellSGDState,
    SchmittSGDState,
    double_well_sgd_step,
    schmitt_sgd_step,
)


def test_schmitt_holds_up_to_the_edge_of_its_band():
    w, state = np.int8([1, 1, -1, -1]), SchmittSGDState(np.zeros(4, np.float32))
    g = np.float32([2, 2.5, -2, -2.5])
    w, state = schmitt_sgd_step(w, g, state, lr=0.5, weight_decay=0.5, deadband=1)
    assert_array_equal(state.latent, np.float32([-1, -1.25, 1, 1.25]))
    assert_array_equal(w, [1, -1, -1, 1])
    w, state = schmitt_sgd_step(
        w, np.float32([0, 0, 0, 0]), state, lr=0.5, weight_decay=0.5, deadband=0.5
    )
    assert_array_equal(state.latent, np.float32([-0.75, -0.9375, 0.75, 0.9375]))
    assert_array_equal(w, [-1, -1, 1, 1])


def test_double_well_jumps_and_holds_at_zero():
    """From the bottom 1 of its well: 1 - g / 2 = 0 holds, -1/4 jumps by -2; the mirror likewise."""
    w, state = np.int8([1, 1, -1, -1]), DoubleWellSGDState(np.float32([1, 1, -1, -1]))
    hyper = {"lr": 0.5, "weight_decay": 0.5, "deadband": 1}
    w, state = double_well_sgd_step(w, np.float32([2, 2.5, -2, -2.5]), state, **hyper)
    assert_array_equal(w, [1, -1, -1, 1])
    assert_array_equal(state.latent, np.float32([0, -2.25, 0, 2.25]))
    w, state = double_well_sgd_step(
        w, np.zeros(4, np.float32), state, **hyper
    )  # a quarter of the way back
    assert_array_equal(state.latent, np.float32([0.25, -1.9375, -0.25, 1.9375]))


@pytest.mark.parametrize(
    ("deadband", "threshold", "longer", "higher"),
    [
        ("step:8:0.5:10", "step:2:0.5:10", "step:8:0.5:40", "step:2:0.5:40"),
        ("linear:0:8:32", "linear:0:2:32", "linear:0:8:64", "linear:0:2:64"),
    ],
)
def test_twins_are_bop_while_the_threshold_changes(
    deadband, threshold, longer, higher, each_backend
):
    """Integers and powers of two, so nothing rounds: the wells carry their weights along."""
    lam, rng = 0.25, np.random.default_rng(0)
    twins = {"lr": 0.5, "weight_decay": lam, "deadband": deadband}
    optimizers = [
        optim.Bop(gamma=0.5 * lam, threshold=threshold),
        optim.SchmittSGD(**twins),
        optim.DoubleWellSGD(**twins),
    ]
    start, flips = rng.choice([-1, 1], (50, 1)), 0
    kernels = [Parameter("kernel", start, True) for _ in optimizers]
    for step in range(40):
        if step == 20:  # taken up by a longer run
            optimizers[0].threshold, twins["deadband"] = higher, longer
            states = [o.state_dict() for o in optimizers[1:]]
            optimizers[1:] = optim.SchmittSGD(**twins), optim.DoubleWellSGD(**twins)
            for optimizer, state in zip(optimizers[1:], states, strict=True):
                optimizer.load_state_dict(state)
        g = rng.integers(-12, 13, (50, 1)).astype(np.float32)
        for optimizer, kernel in zip(optimizers, kernels, strict=True):
            kernel.grad = g
            flips += optimizer.step([kernel])["kernel"]
        assert_array_equal(kernels[1].value, kernels[0].value)
        assert_array_equal(kernels[2].value, kernels[0].value)
    assert flips > 100
