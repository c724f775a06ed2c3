"""The inertia form: by hand at s = 0, and in lockstep with the latent form."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn.ops.bits import binarize
from minibnn.ops.kernels import optim as kernels
from minibnn.optim import InertiaSGDState, LatentSGDState, inertia_sgd_step, latent_sgd_step

STEPS = [inertia_sgd_step, kernels.inertia_sgd_step]


@pytest.mark.parametrize("step", STEPS, ids=["numpy", "compiled"])
def test_by_hand(step):
    """s = 1/2 - 1/2 * w * g is 0, 0, 1, -1/2: at s = 0 the latent weight's sign is +1."""
    w, g = np.int8([1, -1, 1, -1]), np.float32([1, -1, -1, -2])
    w, state = step(w, g, InertiaSGDState(np.float32([0.5] * 4)), lr=0.5)
    assert_array_equal(w, [1, 1, 1, 1])
    assert_array_equal(state.inertia, np.float32([0, 0, 1, 0.5]))


@pytest.mark.parametrize("step", STEPS, ids=["numpy", "compiled"])
def test_clip_bounds_the_inertia(step):
    state = InertiaSGDState(np.float32([0.5, 0.5]))
    w, state = step(np.int8([1, -1]), np.float32([-4, -4]), state, lr=1, clip=1.0)
    assert_array_equal(w, [1, 1])
    assert_array_equal(state.inertia, np.float32([1, 1]))


@given(
    seed=st.integers(0, 2**32 - 1),
    lr=st.sampled_from([1.0, 0.5, 0.3, 0.01]),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    weight_decay=st.sampled_from([0.0, 0.5, 0.1]),
    decay=st.sampled_from(["shrink", "coupled", "decoupled"]),
    clip=st.sampled_from([None, 1.0, 0.7]),
    ste_clip=st.sampled_from([None, 1.0, 0.5]),
    whole=st.booleans(),
    step=st.sampled_from(STEPS),
)
@example(
    seed=0, lr=0.5, momentum=0.0, weight_decay=0.0, decay="shrink", clip=None, ste_clip=None,
    whole=True, step=inertia_sgd_step,
)  # fmt: skip
def test_equals_the_latent_form_bit_for_bit(seed, step, whole, momentum, **hyper):
    """Whole gradients and halves meet the tie s = 0; the gradient is a function of the bits."""
    random = np.random.default_rng(seed)
    hyper["momentum"] = momentum
    latent = random.choice(np.float32([-1, -0.5, 0, 0.5, 1]), 16)
    v = np.zeros(16, np.float32) if momentum else None
    state, inertia_state = LatentSGDState(v), InertiaSGDState(np.abs(latent), v)
    w = binarize(latent)
    for _ in range(12):
        field = random.integers(-3, 4, (3, 16)) if whole else random.normal(size=(3, 16))
        g = (field[0] + field[1] * w + field[2] * w.sum()).astype(np.float32)
        latent, state = latent_sgd_step(latent, g, state, **hyper)
        w, inertia_state = step(w, g, inertia_state, **hyper)
        assert_array_equal(w, binarize(latent))
        assert_array_equal(inertia_state.inertia, np.abs(latent))
        if momentum:
            assert_array_equal(inertia_state.velocity, state.velocity)
