"""The two latent twins of Bop with a threshold while it changes; their steps are E8's."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import optim
from minibnn.nn.layers.layer import Parameter


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
