"""Latent-weight methods that are Bop with a threshold, in other clothes, and their relatives.

Bop's weight holds while |m| <= threshold and else follows -sign(m): a Schmitt trigger. Let
m = -weight_decay * latent and gamma = lr * weight_decay; then the band of latent weights in which
the bit holds has the half width deadband = threshold / weight_decay.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.hyperparameters import constants
from minibnn.optim.arguments import Choice, NotNegative, Positive, SignedStart
from minibnn.optim.optimizer import StepOptimizer

JUMPS = ("none", "wells", "bottom")


class SchmittSGDState(NamedTuple):
    """What the Schmitt form keeps of a weight."""

    latent: np.ndarray  # like w, of either sign within the deadband


def schmitt_sgd_step(w, g, state, *, lr, weight_decay, deadband):
    """Latent SGD with weight decay whose bit holds while |latent| <= deadband.

    w, g and what it returns, (w, state), are as in ``bop_step``. lr and weight_decay are epsilon
    and lambda, deadband >= 0 is half the width of the band.

    >>> state = SchmittSGDState(np.float32([0.5, 0.5]))
    >>> hyper = {"lr": 0.5, "weight_decay": 0, "deadband": 1}
    >>> schmitt_sgd_step(np.int8([1, 1]), np.float32([2, 4]), state, **hyper)
    (array([ 1, -1], dtype=int8), SchmittSGDState(latent=array([-0.5, -1.5], dtype=float32)))
    """
    lr, lam, theta = constants(state.latent.dtype, lr, weight_decay, deadband)
    latent = (1 - lr * lam) * state.latent - lr * g
    flip = np.where(w > 0, latent < -theta, latent > theta)
    return np.where(flip, -w, w), SchmittSGDState(latent)


class DoubleWellSGDState(NamedTuple):
    """What the double well keeps of a weight."""

    latent: np.ndarray  # like w, with its sign: the Schmitt form's latent + deadband * w


def double_well_sgd_step(w, g, state, *, lr, weight_decay, deadband, jump="wells"):
    """Latent SGD in a potential with two wells, which jumps when its sign changes.

    The loss gains weight_decay / 2 * (|latent| - deadband)^2, so the wells stand at -deadband and
    deadband. Where the latent weight changes sign, 2 * deadband * (the new sign) is added; at 0
    the bit holds. That is jump="wells", which is Bop; with "none" the latent weight stays where it
    is (ReBNN), with "bottom" it falls to the bottom of the other well, and flips at 0 too (BOLD).
    w, g and (w, state) are as in ``bop_step``.

    >>> state = DoubleWellSGDState(np.float32([1.5, 1.5]))
    >>> hyper = {"lr": 0.5, "weight_decay": 0, "deadband": 1}
    >>> double_well_sgd_step(np.int8([1, 1]), np.float32([2, 4]), state, **hyper)
    (array([ 1, -1], dtype=int8), DoubleWellSGDState(latent=array([ 0.5, -2.5], dtype=float32)))
    """
    lr, lam, theta = constants(state.latent.dtype, lr, weight_decay, deadband)
    bottom = theta * w  # of the well of this sign
    latent = state.latent - lr * (g + lam * (state.latent - bottom))
    flip = w * latent < 0
    if one_of(jump, "jump", JUMPS) == "wells":
        latent = np.where(flip, latent - 2 * bottom, latent)
    elif jump == "bottom":
        flip = w * latent <= 0
        latent = np.where(flip, -bottom, latent)
    return np.where(flip, -w, w), DoubleWellSGDState(latent)


class BoldState(NamedTuple):
    """What BOLD keeps of a weight, and of its tensor."""

    a: np.ndarray  # like w: what gradients have gathered since the last flip
    kept: int = 0  # weights of the tensor that did not flip at the last step


def bold_step(w, g, state, *, lr):
    """One step of BOLD: a <- beta a + lr g; where w a >= 1 the weight flips and a falls to 0.

    beta is the share of the tensor's weights that did not flip at the last step. w, g and
    (w, state) are as in ``bop_step``.

    >>> state = BoldState(np.zeros(2, np.float32))
    >>> bold_step(np.int8([1, 1]), np.float32([2, 1]), state, lr=0.5)
    (array([-1,  1], dtype=int8), BoldState(a=array([0. , 0.5], dtype=float32), kept=1))
    """
    lr, kept, size = constants(state.a.dtype, lr, state.kept, w.size)
    a = (kept / size) * state.a + lr * g
    flip = w * a >= 1
    return np.where(flip, -w, w), BoldState(np.where(flip, a - a, a), int(np.count_nonzero(~flip)))


@dataclass(eq=False)
class _Hysteresis(StepOptimizer):
    lr: Positive = 1.0
    weight_decay: NotNegative = 1e-3
    deadband: NotNegative = 1e-3
    initial: SignedStart = 0.0

    starts = "latent"

    def start_values(self, p):
        start = super().start_values(p)
        return start * p.value if isinstance(self.initial, float) else start

    def edge(self):
        """How far a latent weight may be on the other side of 0."""
        return 0

    def _assigned(self, p):
        latent = self._states[p.name].latent
        latent[p.value * latent < -self.edge()] *= -1


@dataclass(eq=False)
class SchmittSGD(_Hysteresis):
    """Bop's first latent twin, for binary parameters; see ``schmitt_sgd_step``.

    ``initial`` is the start of the latent weight, a number or a dict of arrays by parameter name.
    A number gets the network's sign, and so does an entry of an array that is outside the band on
    the other side, where Bop would flip at once. Bop's start m0 is -weight_decay times it.
    """

    kind = "schmitt-sgd"
    state_class = SchmittSGDState
    step_function = schmitt_sgd_step
    inert = "latent", "deadband", "|latent|"

    def edge(self):
        return self.in_force("deadband")


@dataclass(eq=False)
class DoubleWellSGD(_Hysteresis):
    """Bop's second latent twin, for binary parameters; see ``double_well_sgd_step``.

    ``initial`` is as in ``SchmittSGD``: of the latent weight less deadband times the bit.
    """

    jump: Annotated[str, Choice(JUMPS)] = "wells"

    kind = "double-well-sgd"
    state_class = DoubleWellSGDState
    step_function = double_well_sgd_step
    inert = "latent", None, "|latent|"

    def start_values(self, p):
        return super().start_values(p) + self.in_force("deadband") * p.value

    def _move(self, p, hyper, kernels):
        before, now = self.in_force("deadband"), np.float32(hyper["deadband"])
        if now != before:  # the wells move, and with them what is in them
            latent = self._states[p.name].latent
            latent += (now - before) * p.value
        return super()._move(p, hyper, kernels)


@dataclass(eq=False)
class Bold(StepOptimizer):
    """BOLD for binary parameters, from accumulators of 0; see ``bold_step``."""

    lr: Positive = 1.0

    kind = "bold"
    state_class, counters = BoldState, ("kept",)
    step_function = bold_step
    inert = "a", 1.0, "|a|"
