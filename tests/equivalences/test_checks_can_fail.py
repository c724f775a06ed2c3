"""The catalogue's checks can fail: wrong steps of the library, put in its place, are caught.

Those of Bop and latent SGD are in test_mutants.py; here are the others.
"""

import numpy as np
import pytest

from minibnn import optim
from minibnn.equivalences import CATALOGUE, layers, search
from minibnn.equivalences.layers import thresholds_of
from minibnn.equivalences.steps import Steps
from minibnn.equivalences.verify import verify_entry
from minibnn.ops import backend
from minibnn.ops.thresholds import Thresholds
from minibnn.optim import AdamState, Bop2ndState, CEMAState, InertiaSGDState
from minibnn.optim.bop import bop_step
from minibnn.optim.latent import latent_adam_step, latent_sgd_step
from minibnn.optim.twins import schmitt_sgd_step


def changed(right, **changes):
    """A right step with some arguments changed, each by a function of what came."""

    def step(w, g, state, **hyper):
        given = {"g": g, "state": state} | hyper
        given |= {name: change(given.get(name)) for name, change in changes.items()}
        return right(w, given.pop("g"), given.pop("state"), **given)

    return step


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
    _, new = schmitt_sgd_step(w, g, state, **hyper)
    flip = (w * new.latent <= -hyper["deadband"]) & (new.latent != 0)
    return np.where(flip, -w, w), new


def well_half_jump(w, g, state, **hyper):
    new, after = optim.double_well_sgd_step(w, g, state, **hyper)
    back = np.where(new != w, hyper["deadband"] * w, 0 * w)
    return new, after._replace(latent=after.latent + back)


def second_without_root(w, g, state, *, gamma, sigma, threshold, epsilon, **dialect):
    _, new = optim.bop2nd_step(
        w, g, state, gamma=gamma, sigma=sigma, threshold=threshold, epsilon=epsilon
    )
    with np.errstate(all="ignore"):
        return np.where(w * new.m / (new.v + epsilon) > threshold, -w, w), new


def adam(step):
    """Latent Adam with another step: ``step(m, v, epsilon)``."""

    def adam_step(latent, g, state, *, lr, epsilon=1e-7, clip=None, ste_clip=None):
        m, v = 0.9 * state.m + 0.1 * g, 0.999 * state.v + 0.001 * g * g
        m, v = m.astype(g.dtype), v.astype(g.dtype)
        return (latent - lr * step(m, v, epsilon)).astype(g.dtype), AdamState(m, v, state.t + 1)

    return adam_step


def strict_mask(w, g, state, *, ste_clip=None, **hyper):
    g = g if ste_clip is None else np.where(np.abs(w) < ste_clip, g, 0 * g)
    return latent_sgd_step(w, g, state, **hyper)


def clip_before(w, g, state, *, clip=None, **hyper):
    """Clips the weights that come, not those that go."""
    if clip:
        w = np.minimum(np.maximum(w, -np.float32(clip)), np.float32(clip))
    return latent_sgd_step(w, g, state, **hyper)


def clipped_above(w, g, state, *, clip, **hyper):
    return np.minimum(latent_sgd_step(w, g, state, **hyper)[0], np.float32(clip)), state


def average_of_clipped(w, g, state, **hyper):
    one = g.dtype.type(1) if g.dtype != object else 1
    return bop_step(w, np.minimum(np.maximum(g, -one), one), state, **hyper)


NO_MASK = changed(latent_sgd_step, ste_clip=lambda _: None)
SIGN_DESCENT = changed(latent_sgd_step, g=np.sign)
HALF_RATE = changed(latent_sgd_step, lr=lambda lr: lr / 2)
HALF_THRESHOLD = changed(bop_step, threshold=lambda threshold: threshold / 2)
START_IGNORED = changed(bop_step, state=lambda s: s._replace(m=0 * s.m))

WRONG = {
    ("E9", "latent_sgd_step", "strict mask"): strict_mask,
    ("E9", "latent_sgd_step", "no mask"): NO_MASK,
    ("E9", "latent_sgd_step", "clip before the step"): clip_before,
    ("E9", "latent_sgd_step", "sign descent"): changed(latent_sgd_step, g=lambda g: 8 * np.sign(g)),
    ("E10", "latent_sgd_step", "half the rate"): HALF_RATE,
    ("E13", "bop_step", "clipped gradients"): average_of_clipped,
    ("E18", "latent_sgd_step", "sign descent"): SIGN_DESCENT,
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
    ("E8", "schmitt_sgd_step", "no decay"): changed(schmitt_sgd_step, weight_decay=lambda _: 0),
    ("E8", "double_well_sgd_step", "half the jump"): well_half_jump,
    ("E14", "bop2nd_step", "variance of the old step"): changed(
        optim.bop2nd_step, state=lambda s: Bop2ndState(s.m, s.v * np.float32(1.5))
    ),
    ("E14", "bop2nd_step", "gradient's sign"): changed(optim.bop2nd_step, g=np.negative),
    ("E14", "bop2nd_step", "no root"): second_without_root,
    ("E2", "latent_adam_step", "epsilon inside the root"): adam(
        lambda m, v, epsilon: m / np.sqrt(v + epsilon)
    ),
    ("E1", "latent_adam_step", "clip at 1"): changed(latent_adam_step, clip=lambda c: c and 1.0),
}


def any_sign(w, g, state, *, threshold, **hyper):
    _, state = bop_step(w, g, state, threshold=threshold, **hyper)
    return np.where(np.abs(state.m) > threshold, -w, w), state


def jump_held_at_zero(w, g, state, *, jump="wells", **hyper):
    new, after = optim.double_well_sgd_step(w, g, state, jump="none", **hyper)
    if jump == "bottom":
        after = after._replace(latent=np.where(new != w, hyper["deadband"] * new, after.latent))
    return new, after


def bold_without_reset(w, g, state, *, lr):
    new, after = optim.bold_step(w, g, state, lr=lr)
    a = optim.bold_step(0 * w, g, state, lr=lr)[1].a
    return new, after._replace(a=a)


def directed_by_gradient(w, g, state, *, direction, **hyper):
    w, bop = bop_step(w, g, optim.BopState(state.m), **hyper)
    return w, state._replace(m=bop.m)


def diode_holds(w, g, state, **hyper):
    new, after = optim.diode_step(w, g, state, **hyper)
    return np.where(after.inertia == 0, w, new), after


def integers(leak):
    """Integer Bop with another leak: ``leak(a, shift)``."""

    def step(w, q, state, *, shift, threshold, rounding):
        a = state.a - leak(state.a, shift) + q
        flips = w * a.astype(int) > threshold
        return np.where(flips, -w, w), state._replace(a=a.astype(state.a.dtype))

    return step


WRONG |= {
    ("E20", "bop_step", "any sign"): any_sign,
    ("E20", "bop_step", "half the threshold"): HALF_THRESHOLD,
    ("E21", "bop_step", "ascent"): changed(bop_step, g=np.negative),
    ("E21", "bop_step", "half the threshold"): HALF_THRESHOLD,
    ("E22", "double_well_sgd_step", "always Bop's jump"): changed(
        optim.double_well_sgd_step, jump=lambda _: "wells"
    ),
    ("E22", "double_well_sgd_step", "BOLD holds at 0"): jump_held_at_zero,
    ("E22", "bold_step", "no reset"): bold_without_reset,
    ("E22", "bold_step", "no damping"): changed(
        optim.bold_step, state=lambda s: s._replace(kept=s.a.size)
    ),
    ("E23", "bop_step", "half the threshold"): HALF_THRESHOLD,
    ("E23", "bop_step", "gradient twice"): changed(bop_step, g=lambda g: 2 * g),
    ("E24", "latent_direction_step", "Lion and Signum exchanged"): changed(
        optim.latent_direction_step,
        direction=lambda name: {"lion": "signum", "signum": "lion"}.get(name, name),
    ),
    ("E24", "directed_bop_step", "follows the gradient"): directed_by_gradient,
    ("E24", "diode_step", "holds at 0"): diode_holds,
    ("E25", "bop_step", "start ignored"): START_IGNORED,
    ("E26", "latent_sgd_step", "half the rate"): HALF_RATE,
    ("E27", "integer_bop_step", "arithmetic shift"): integers(lambda a, shift: a >> shift),
    ("E27", "integer_bop_step", "no leak"): integers(lambda a, shift: 0 * a),
    ("E28", "bop_step", "any sign"): any_sign,
    ("E29", "bop_step", "start ignored"): START_IGNORED,
    ("E29", "latent_sgd_step", "sign descent"): SIGN_DESCENT,
    ("E31", "latent_sgd_step", "a mask"): changed(latent_sgd_step, ste_clip=lambda _: 0.5),
    ("E31", "bop_step", "|m0|"): changed(bop_step, state=lambda s: s._replace(m=np.abs(s.m))),
    ("E32", "latent_adam_step", "no root"): adam(lambda m, v, _: m / (v + np.float32(1e-12))),
    ("E32", "latent_adam_step", "sign of the mean"): adam(lambda m, v, _: np.sign(m)),
    ("E32", "latent_sgd_step", "half the rate"): HALF_RATE,
    ("E32", "latent_sgd_step", "clipped from above alone"): clipped_above,
    ("E33", "latent_sgd_step", "clipped"): changed(latent_sgd_step, clip=lambda _: 1.0),
    ("E34", "latent_sgd_step", "strict mask"): strict_mask,
    ("E34", "latent_sgd_step", "no mask"): NO_MASK,
    ("E37", "latent_sgd_step", "sign descent"): SIGN_DESCENT,
    ("E37", "bop_step", "start ignored"): START_IGNORED,
}


@pytest.mark.parametrize(
    ("id", "name", "step"),
    [(id, name, step) for (id, name, _), step in WRONG.items()],
    ids=[f"{id} {words}" for id, _, words in WRONG],
)
def test_wrong_steps_are_caught(id, name, step, monkeypatch):
    monkeypatch.setattr(search, "SHRINKING", 10)  # what fails counts here, not the smallest case
    row = verify_entry(CATALOGUE[id], Steps({name: step}), examples=300, seed=0)
    assert row.verdict == "FAILS"
    assert row.case is not None


def off_by_one(*arguments):
    right = thresholds_of(*arguments)
    return Thresholds(right.level + np.int32(1), right.rising)


def always_rising(*arguments):
    level = thresholds_of(*arguments).level
    return Thresholds(level, np.ones(level.shape, bool))


@pytest.mark.parametrize("wrong", [off_by_one, always_rising])
def test_wrong_thresholds_are_caught(wrong, monkeypatch):
    monkeypatch.setattr(layers, "thresholds_of", wrong)
    row = verify_entry(CATALOGUE["E16"], Steps(), examples=100, seed=0)
    assert row.verdict == "FAILS"


def epsilon_outside_the_root(x, mean, variance, beta, epsilon, gamma=None):
    return (x - mean) / (np.sqrt(variance) + mean.dtype.type(epsilon)) + beta


def test_wrong_batch_norm_is_caught(monkeypatch):
    with backend.using("reference"), monkeypatch.context() as patch:
        patch.setattr(backend.ops, "batch_norm", epsilon_outside_the_root)
        row = verify_entry(CATALOGUE["E15"], Steps(), examples=60, seed=0)
    assert row.verdict == "FAILS"


def only_downwards(w, g, state, **hyper):
    new, state = bop_step(w, g, state, **hyper)
    return np.where(w > 0, new, w), state


@pytest.mark.parametrize("id", ["E17", "E30"])
def test_a_step_without_mirror_image_is_caught(id, monkeypatch):
    monkeypatch.setattr(optim.Bop, "step_function", only_downwards)
    assert "of the image" in verify_entry(CATALOGUE[id], Steps(), examples=60, seed=0).why


@pytest.mark.parametrize("id", ["E26", "E35", "E36"])
def test_a_wrong_library_is_caught(id, monkeypatch):
    """Where a claim is not about one step function."""
    from minibnn.equivalences import bayes, tiny

    monkeypatch.setattr(bayes, "bayes_step", lambda lam, *_: (lam, np.sign(lam)))
    monkeypatch.setattr(optim.Bop, "train", lambda self, ps, *_: {p.name: 1 for p in ps})
    monkeypatch.setattr(tiny, "group_orbit", lambda w, v: np.int8(sorted(w.tolist())))
    assert verify_entry(CATALOGUE[id], Steps(), examples=100, seed=0).verdict == "FAILS"


def test_wrong_count_of_bytes_is_caught(monkeypatch):
    from minibnn.equivalences import second_order

    monkeypatch.setitem(second_order.STORED, "Bop", (2, True, second_order.STORED["Bop"][2]))
    row = verify_entry(CATALOGUE["E12"], Steps(), examples=100, seed=0)
    assert row.verdict == "FAILS"
    assert "Bop" in row.why
