"""Descent by hand: where decay and momentum stand, clip, the inclusive mask, ties.

That the inertia form is the latent form is E3 of the catalogue, that dead bands are Bop's E8.
"""

import numpy as np
import pytest
from cases import both_forms
from numpy.testing import assert_array_equal

from minibnn.optim import (
    AdamState,
    DoubleWellSGDState,
    InertiaSGDState,
    LatentSGDState,
    SchmittSGDState,
    SGDState,
    adam_step,
    double_well_sgd_step,
    inertia_sgd_step,
    latent_adam_step,
    latent_sgd_step,
    schmitt_sgd_step,
    sgd_step,
)

SGD, ADAM = both_forms("latent_sgd_step"), both_forms("latent_adam_step")


@SGD
def test_plain_descent_without_a_state(step):
    latent, state = step(np.float32([0.5, -0.25]), np.float32([2, -4]), None, lr=0.25)
    assert_array_equal(latent, np.float32([0, 0.75]))
    assert state is None


@SGD
@pytest.mark.parametrize(
    "decay, first, second",
    [
        ("shrink", [-0.0625, -1.21875], [-0.3046875, 0.43359375]),
        ("decoupled", [-0.0625, -1.21875], [-0.3046875, 0.43359375]),
        ("coupled", [-0.0625, -1.21875], [-0.3359375, 0.44921875]),
    ],
)
def test_two_steps_with_momentum_and_decay(step, decay, first, second):
    """Without history the three forms agree; then the coupled velocity remembers the decay."""
    hyper = {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.25, "decay": decay}
    latent, state = np.float32([0.5, -0.25]), LatentSGDState(np.zeros(2, np.float32))
    latent, state = step(latent, np.float32([1, 2]), state, **hyper)
    assert_array_equal(latent, np.float32(first))
    latent, state = step(latent, np.float32([0, -4]), state, **hyper)
    assert_array_equal(latent, np.float32(second))
    velocity = [0.546875, -3.3359375] if decay == "coupled" else [0.5, -3]
    assert_array_equal(state.velocity, np.float32(velocity))


@SGD
def test_forms_of_decay_round_differently(step):
    """Shrink multiplies by 1 - lr * lambda; the others subtract lr * (g + lambda * w)."""
    random = np.random.default_rng(0)
    latent, g = random.normal(size=(2, 1000)).astype(np.float32)
    results = {
        decay: step(latent, g, None, lr=0.1, weight_decay=0.3, decay=decay)[0]
        for decay in ("shrink", "coupled", "decoupled")
    }
    assert_array_equal(results["coupled"], results["decoupled"])
    assert 0.05 < np.mean(results["shrink"] != results["coupled"]) < 0.95
    np.testing.assert_allclose(results["shrink"], results["coupled"], rtol=1e-4, atol=1e-6)


@SGD
def test_clip_comes_after_the_update(step):
    latent, g = np.float32([0.75, -0.75, 0.5]), np.float32([-4, 4, 2])
    latent, state = step(latent, g, LatentSGDState(None), lr=0.25, clip=1.0)
    assert_array_equal(latent, np.float32([1, -1, 0]))
    assert state == LatentSGDState(None)


@SGD
def test_mask_is_inclusive_and_stops_the_gradient_but_not_the_velocity(step):
    latent = np.float32([1, -1, 1.5, 0.5])
    state = LatentSGDState(np.float32([0, 0, 2, 0]))
    hyper = {"lr": 1, "momentum": 0.5, "ste_clip": 1.0}
    latent, state = step(latent, np.ones(4, np.float32), state, **hyper)
    assert_array_equal(latent, np.float32([0, -2, 0.5, -0.5]))
    assert_array_equal(state.velocity, np.float32([1, 1, 1, 1]))


@SGD
def test_a_momentum_that_is_0_now_keeps_the_gradient_for_later(step):
    velocity = np.float32([7])
    latent, state = step(np.float32([1]), np.float32([2]), LatentSGDState(velocity), lr=0.5)
    assert latent == 0 and state.velocity == 2
    value, g, w = np.float32([1]), np.float32([2]), np.int8([1])
    assert sgd_step(value, g, SGDState(velocity), lr=0.5)[1].velocity == 2
    along = InertiaSGDState(value, velocity)
    assert inertia_sgd_step(w, g, along, lr=0.25)[1].velocity == 2


@ADAM
def test_adam_by_hand(step):
    """Betas 1/2 and 3/4: first m = v = 1, rate = sqrt(1/4) / (1/2) = 1."""
    hyper = {"lr": 1, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0}
    state = AdamState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    latent, state = step(np.float32([1]), np.float32([2]), state, **hyper)
    assert (latent, state.m, state.v, state.t) == (0, 1, 1, 1)
    latent, state = step(latent, np.float32([0]), state, **hyper)
    assert (state.m, state.v, state.t) == (0.5, 0.75, 2)
    # sqrt(1 - 9/16) / (1 - 1/4) * 0.5 / sqrt(0.75)
    assert latent == pytest.approx(-0.5091750772173156, rel=1e-6)


@ADAM
def test_adams_epsilon_stands_outside_the_bias_correction(step):
    """Keras: 1 * 1 / (1 + 1); inside, as in torch, it would be 2 / (2 + 1)."""
    hyper = {"lr": 1, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 1}
    state = AdamState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    assert step(np.float32([1]), np.float32([2]), state, **hyper)[0] == 0.5


@ADAM
def test_adam_masks_and_clips(step):
    zeros = np.zeros(3, np.float32)
    hyper = {"lr": 1, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 1, "clip": 1.5, "ste_clip": 1}
    latent, state = step(np.float32([1, 1.25, -1]), zeros + 2, AdamState(zeros, zeros), **hyper)
    assert_array_equal(latent, np.float32([0.5, 1.25, -1.5]))
    assert_array_equal(state.m, np.float32([1, 0, 1]))


@ADAM
def test_first_step_of_adam_is_the_rate_whatever_the_gradient(step):
    """The correction uses the rounded betas, so that it cancels them."""
    g = np.float32([1e-3, 0.1, 1, 10, 1e3])
    zeros = np.zeros(5, np.float32)
    latent, _ = step(zeros, g, AdamState(zeros, zeros), lr=0.125, epsilon=0)
    np.testing.assert_allclose(latent, -0.125, rtol=3e-7)


@pytest.mark.parametrize("decay", ["shrink", "coupled", "decoupled"])
def test_hyperparameters_of_every_weight_its_own_and_theorem_1(decay):
    """NumPy form: rates, decays, clips and starts scaled weight by weight leave every sign."""
    random = np.random.default_rng(0)
    scale = np.float32(2) ** random.integers(-5, 6, 200).astype(np.float32)
    hyper = {"momentum": 0.5, "decay": decay}
    start = random.normal(size=200).astype(np.float32)
    state = LatentSGDState(np.zeros(200, np.float32))
    plain, scaled = (start, state), (scale * start, state)
    for _ in range(20):
        g = random.normal(size=200).astype(np.float32)
        plain = latent_sgd_step(
            *plain[:1], g, plain[1], lr=0.3, weight_decay=0.2, clip=1.0, **hyper
        )
        scaled = latent_sgd_step(
            scaled[0], g, scaled[1], lr=0.3 * scale, weight_decay=0.2 / scale, clip=scale, **hyper
        )
        assert_array_equal(scaled[0], scale * plain[0])


def test_adam_takes_a_rate_for_every_weight():
    random = np.random.default_rng(0)
    scale = np.float32([0.25, 1, 8])
    zeros = np.zeros(3, np.float32)
    plain, scaled = (zeros, AdamState(zeros, zeros)), (zeros, AdamState(zeros, zeros))
    for _ in range(5):
        g = random.normal(size=3).astype(np.float32)
        plain = latent_adam_step(plain[0], g, plain[1], lr=0.1)
        scaled = latent_adam_step(scaled[0], g, scaled[1], lr=np.float32(0.1) * scale)
        assert_array_equal(scaled[0], scale * plain[0])


def test_inertia_by_hand():
    """s = 1/2 - 1/2 * w * g is 0, 0, 1, -3/2: at s = 0 the latent weight's sign is +1."""
    w, g = np.int8([1, -1, 1, -1]), np.float32([1, -1, -1, -4])
    w, state = inertia_sgd_step(w, g, InertiaSGDState(np.float32([0.5] * 4)), lr=0.5, clip=1.0)
    assert_array_equal(w, [1, 1, 1, 1])
    assert_array_equal(state.inertia, np.float32([0, 0, 1, 1]))


def test_schmitt_holds_up_to_the_edge_of_its_band():
    w, g = np.int8([1, 1, -1, -1]), np.float32([2, 2.5, -2, -2.5])
    state, hyper = SchmittSGDState(np.zeros(4, np.float32)), {"lr": 0.5, "weight_decay": 0.5}
    w, state = schmitt_sgd_step(w, g, state, deadband=1, **hyper)
    assert_array_equal(state.latent, np.float32([-1, -1.25, 1, 1.25]))
    assert_array_equal(w, [1, -1, -1, 1])
    w, state = schmitt_sgd_step(w, 0 * g, state, deadband=0.5, **hyper)
    assert_array_equal(state.latent, np.float32([-0.75, -0.9375, 0.75, 0.9375]))
    assert_array_equal(w, [-1, -1, 1, 1])


def test_double_well_jumps_and_holds_at_zero():
    """From the bottom 1 of its well: 1 - g / 2 = 0 holds, -1/4 jumps by -2; the mirror likewise."""
    w, g = np.int8([1, 1, -1, -1]), np.float32([2, 2.5, -2, -2.5])
    state, hyper = (
        DoubleWellSGDState(np.float32(w)),
        {"lr": 0.5, "weight_decay": 0.5, "deadband": 1},
    )
    w, state = double_well_sgd_step(w, g, state, **hyper)
    assert_array_equal(w, [1, -1, -1, 1])
    assert_array_equal(state.latent, np.float32([0, -2.25, 0, 2.25]))
    w, state = double_well_sgd_step(w, 0 * g, state, **hyper)  # a quarter of the way back
    assert_array_equal(state.latent, np.float32([0.25, -1.9375, -0.25, 1.9375]))


def test_sgd_of_reals_by_hand():
    value, state = np.float32([1, -1]), SGDState(np.zeros(2, np.float32))
    for g, expected in (([1, 2], [0.5, -2]), ([1, 0], [-0.25, -2.5])):
        value, state = sgd_step(value, np.float32(g), state, lr=0.5, momentum=0.5)
        assert_array_equal(value, np.float32(expected))
    assert_array_equal(state.velocity, np.float32([1.5, 1]))


def test_adam_of_reals_in_double_precision_follows_the_formula():
    lr, b1, b2, eps = 0.01, 0.9, 0.999, 1e-7
    value, state = np.array([1.0]), AdamState(np.zeros(1), np.zeros(1))
    x, m, v = 1.0, 0.0, 0.0
    for t, g in enumerate([0.3, -1.0, 0.0, 2.5], start=1):
        value, state = adam_step(value, np.array([g]), state, lr=lr)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x -= lr * (1 - b2**t) ** 0.5 / (1 - b1**t) * m / (v**0.5 + eps)
        assert value[0] == pytest.approx(x, rel=1e-13)
    assert state.t == 4
