"""The catalogue's checks can fail: wrong steps of the library, put in its place, are caught.

Those of Bop and latent SGD are in test_mutants.py; here are the others.
"""

from dataclasses import replace

import numpy as np
import pytest

from minibnn import optim
from minibnn.equivalences import CATALOGUE, layers
from minibnn.equivalences.steps import Steps
from minibnn.equivalences.verify import verify_entry
from minibnn.ops.thresholds import Thresholds, sign_thresholds
from minibnn.optim import AdamState, Bop2ndState, CEMAState, InertiaSGDState


def inertia(flips):
    def step(w, g, state, *, lr, **hyper):
        right, new = optim.inertia_sgd_step(w, g, state, lr=lr, **hyper)
        return np.where(flips(new.inertia, right != w), -w, w), new

    return step


def inertia_not_turned(w, g, state, **hyper):
    new, after = optim.inertia_sgd_step(w, g, state, **hyper)
    return new, after._replace(inertia=np.where(new != w, state.inertia, after.inertia))


def inertia_velocity_not_turned(w, g, state, **hyper):
    new, after = optim.inertia_sgd_step(w, g, state, **hyper)
    return new, InertiaSGDState(after.inertia, after.velocity if new is w else w * after.velocity)


def cema_late(w, g, state, *, gamma, alpha):
    """The second average takes the first one from before the step."""
    _, new = optim.cema_step(w, g, state, gamma=gamma, alpha=alpha)
    late = (1 - alpha) * state.inertia + alpha * state.momentum
    return np.where(w * late > 0, -w, w), CEMAState(new.momentum, late)


def cema_exchanged(w, g, state, *, gamma, alpha):
    return optim.cema_step(w, g, state, gamma=alpha, alpha=gamma)


def schmitt_inclusive(w, g, state, **hyper):
    _, new = optim.schmitt_sgd_step(w, g, state, **hyper)
    flip = (w * new.latent <= -hyper["deadband"]) & (new.latent != 0)
    return np.where(flip, -w, w), new


def schmitt_without_decay(w, g, state, **hyper):
    return optim.schmitt_sgd_step(w, g, state, **hyper | {"weight_decay": 0})


def well_half_jump(w, g, state, **hyper):
    new, after = optim.double_well_sgd_step(w, g, state, **hyper)
    back = np.where(new != w, hyper["deadband"] * w, 0 * w)
    return new, after._replace(latent=after.latent + back)


def second(change):
    def step(w, g, state, **hyper):
        return optim.bop2nd_step(w, *change(g, state), **hyper)

    return step


def second_without_root(w, g, state, *, gamma, sigma, threshold, epsilon, **dialect):
    _, new = optim.bop2nd_step(
        w, g, state, gamma=gamma, sigma=sigma, threshold=threshold, epsilon=epsilon
    )
    with np.errstate(all="ignore"):
        return np.where(w * new.m / (new.v + epsilon) > threshold, -w, w), new


def adam_epsilon_inside(latent, g, state, *, lr, epsilon=1e-7, clip=None, ste_clip=None):
    m, v = 0.9 * state.m + 0.1 * g, 0.999 * state.v + 0.001 * g * g
    m, v = m.astype(g.dtype), v.astype(g.dtype)
    return (latent - lr * m / np.sqrt(v + epsilon)).astype(g.dtype), AdamState(m, v, state.t + 1)


def adam_without_clip(latent, g, state, *, clip=None, **hyper):
    return optim.latent_adam_step(latent, g, state, **hyper, clip=clip and 1.0)


def latent(change):
    """Latent SGD with its arguments changed: ``change(latent, g, hyper)`` returns all three."""

    def step(w, g, state, **hyper):
        w, g, hyper = change(w, g, hyper)
        return optim.latent_sgd_step(w, g, state, **hyper)

    return step


def strict_mask(w, g, hyper):
    wide = hyper.get("ste_clip")
    return (
        w,
        g if wide is None else np.where(np.abs(w) < wide, g, 0 * g),
        hyper | {"ste_clip": None},
    )


def clip_before(w, g, state, *, clip=None, **hyper):
    """Clips the weights that come, not those that go."""
    if clip:
        w = np.minimum(np.maximum(w, -np.float32(clip)), np.float32(clip))
    return optim.latent_sgd_step(w, g, state, **hyper)


def average_of_clipped(w, g, state, **hyper):
    one = g.dtype.type(1) if g.dtype != object else 1
    return optim.bop_step(w, np.minimum(np.maximum(g, -one), one), state, **hyper)


WRONG = {
    ("E9", "latent_sgd_step", "strict mask"): latent(strict_mask),
    ("E9", "latent_sgd_step", "no mask"): latent(lambda w, g, h: (w, g, h | {"ste_clip": None})),
    ("E9", "latent_sgd_step", "clip before the step"): clip_before,
    ("E9", "latent_sgd_step", "sign descent"): latent(lambda w, g, h: (w, 8 * np.sign(g), h)),
    ("E10", "latent_sgd_step", "half the rate"): latent(
        lambda w, g, h: (w, g, h | {"lr": h["lr"] / 2})
    ),
    ("E13", "bop_step", "clipped gradients"): average_of_clipped,
    ("E18", "latent_sgd_step", "sign descent"): latent(lambda w, g, h: (w, np.sign(g), h)),
    ("E3", "inertia_sgd_step", "flips at s = 0 whatever the bit"): inertia(
        lambda m, flip: flip | (m == 0)
    ),
    ("E3", "inertia_sgd_step", "keeps at s = 0 whatever the bit"): inertia(
        lambda m, flip: flip & (m != 0)
    ),
    ("E3", "inertia_sgd_step", "inertia is not turned round"): inertia_not_turned,
    ("E3", "inertia_sgd_step", "velocity is kept along the bit"): inertia_velocity_not_turned,
    ("E7", "cema_step", "second average a step late"): cema_late,
    ("E7", "cema_step", "rates exchanged"): cema_exchanged,
    ("E8", "schmitt_sgd_step", "flips at the edge"): schmitt_inclusive,
    ("E8", "schmitt_sgd_step", "no decay"): schmitt_without_decay,
    ("E8", "double_well_sgd_step", "half the jump"): well_half_jump,
    ("E14", "bop2nd_step", "variance of the old step"): second(
        lambda g, s: (g, Bop2ndState(s.m, s.v * np.float32(1.5)))
    ),
    ("E14", "bop2nd_step", "gradient's sign"): second(lambda g, s: (-g, s)),
    ("E14", "bop2nd_step", "no root"): second_without_root,
    ("E2", "latent_adam_step", "epsilon inside the root"): adam_epsilon_inside,
    ("E1", "latent_adam_step", "clip at 1 for any clip"): adam_without_clip,
}


@pytest.mark.parametrize(
    ("id", "name", "step"),
    [(id, name, step) for (id, name, _), step in WRONG.items()],
    ids=[f"{id} {words}" for id, _, words in WRONG],
)
def test_wrong_steps_are_caught(id, name, step):
    row = verify_entry(CATALOGUE[id], replace(Steps(), **{name: step}), examples=300, seed=0)
    assert row.verdict == "FAILS"
    assert row.case is not None


def off_by_one(*arguments):
    right = sign_thresholds(*arguments)
    return Thresholds(right.level + np.int32(1), right.rising)


def always_rising(*arguments):
    level = sign_thresholds(*arguments).level
    return Thresholds(level, np.ones(level.shape, bool))


@pytest.mark.parametrize("wrong", [off_by_one, always_rising])
def test_wrong_thresholds_are_caught(wrong, monkeypatch):
    monkeypatch.setattr(layers, "sign_thresholds", wrong)
    row = verify_entry(CATALOGUE["E16"], Steps(), examples=100, seed=0)
    assert row.verdict == "FAILS"


def epsilon_outside_the_root(x, mean, variance, beta, epsilon, gamma=None):
    return (x - mean) / (np.sqrt(variance) + mean.dtype.type(epsilon)) + beta


def test_wrong_batch_norm_is_caught(monkeypatch):
    from minibnn.ops import reference

    monkeypatch.setattr(reference, "batch_norm", epsilon_outside_the_root)
    assert verify_entry(CATALOGUE["E15"], Steps(), examples=60, seed=0).verdict == "FAILS"


def only_downwards(w, g, state, **hyper):
    new, state = optim.bop_step(w, g, state, **hyper)
    return np.where(w > 0, new, w), state


def test_a_step_without_mirror_image_is_caught(monkeypatch):
    monkeypatch.setattr(optim.Bop, "step_function", only_downwards)
    assert verify_entry(CATALOGUE["E17"], Steps(), examples=60, seed=0).verdict == "FAILS"


def test_wrong_count_of_bytes_is_caught(monkeypatch):
    from minibnn.equivalences import resources

    monkeypatch.setitem(resources.STORED, "Bop", (2, True, resources.STORED["Bop"][2]))
    row = verify_entry(CATALOGUE["E12"], Steps(), examples=100, seed=0)
    assert row.verdict == "FAILS"
    assert "Bop" in row.why
