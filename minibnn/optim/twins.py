"""Latent-weight methods that are Bop in other clothes, and their relatives.

Bop's weight holds while |m| <= threshold and else follows -sign(m): a Schmitt trigger. Let
m = -weight_decay * latent and gamma = lr * weight_decay; then the band of latent weights in which
the bit holds has the half width deadband = threshold / weight_decay.
Without a threshold any direction of past gradients will do (E24 of ``minibnn.equivalences``).
"""

from collections import namedtuple
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.rounding import adam_rate, constants
from minibnn.optim import arguments
from minibnn.optim.bop import Average, BopState, Rule, bop_step
from minibnn.optim.latent import LatentOptimizer, clipped, masked
from minibnn.optim.optimizer import StepOptimizer, finite_array

JUMPS = ("none", "wells", "bottom")
DIRECTIONS = ("adamw", "lion", "signum", "nesterov")


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
    lr: arguments.Positive = 1.0
    weight_decay: arguments.NotNegative = 1e-3
    deadband: arguments.NotNegative = 1e-3
    initial: arguments.SignedStart = 0.0

    starts = "latent"
    shift = 0  # of the latent weight, in deadbands times the bit

    def start_values(self, p):
        start, theta = super().start_values(p), self.in_force("deadband")
        if isinstance(self.initial, float):
            start = start * p.value
        return np.where(p.value * start < -theta, -start, start) + self.shift * theta * p.value

    def state_dict(self):
        used = {"deadband": np.array(self._used["deadband"])} if self._used else {}
        return super().state_dict() | used  # where the bands stand

    def load_state_dict(self, arrays):
        arrays, used = dict(arrays), None
        if "deadband" in arrays:
            band = finite_array(arrays.pop("deadband"), "deadband", np.float64)
            found = band.item() if band.size == 1 else band.tolist()  # others' may have an axis
            used = {"deadband": self.arguments["deadband"].check(f"{self.kind}: deadband", found)}
        super().load_state_dict(arrays)
        self._used = used

    def _assigned(self, p):
        latent, theta = self._states[p.name].latent, self.in_force("deadband")
        w, shift = p.value * latent, self.shift
        there = np.where(w < -(1 + shift) * theta, -latent, latent + 2 * shift * theta * p.value)
        latent[...] = np.where(w < (shift - 1) * theta, there, latent)


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


@dataclass(eq=False)
class DoubleWellSGD(_Hysteresis):
    """Bop's second latent twin, for binary parameters; see ``double_well_sgd_step``.

    ``initial`` is as in ``SchmittSGD``: of the latent weight less deadband times the bit.
    """

    jump: Annotated[str, arguments.Choice(JUMPS)] = "wells"

    kind = "double-well-sgd"
    shift = 1
    state_class = DoubleWellSGDState
    step_function = double_well_sgd_step
    inert = "latent", None, "|latent|"

    def _move(self, p, g, hyper, kernels):
        before, now = self.in_force("deadband"), np.float32(hyper["deadband"])
        if now != before:  # the wells move, and with them what is in them
            latent = self._states[p.name].latent
            latent += (now - before) * p.value
        return super()._move(p, g, hyper, kernels)


@dataclass(eq=False)
class Bold(StepOptimizer):
    """BOLD for binary parameters, from accumulators of 0; see ``bold_step``."""

    lr: arguments.Positive = 1.0

    kind = "bold"
    state_class, counters = BoldState, ("kept",)
    step_function = bold_step
    inert = "a", 1.0, "|a|"


class DirectionState(NamedTuple):
    """What a direction keeps of a weight."""

    first: np.ndarray  # average of gradients; the velocity of "nesterov"
    second: np.ndarray  # average of their squares; only "adamw" moves it
    t: int = 0  # steps taken


LatentAndDirection = namedtuple("LatentAndDirection", "latent first second t")


def direction_of(g, state, direction, beta_1, beta_2, epsilon):
    """The direction A of a step, and the state; constants are of g's number type.

    AdamW's is that of ``adam_step`` at a rate of 1; Lion's sgn(beta_1 m + (1 - beta_1) g)
    with an average m of rate 1 - beta_2; Signum's sgn(m) with one of rate 1 - beta_1; Nesterov's
    g + beta_1 v with v <- beta_1 v + g.
    """
    m, v, t = state
    if one_of(direction, "direction", DIRECTIONS) == "adamw":
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * (g * g)
        rate = adam_rate(g.dtype.type(1), beta_1, beta_2, t + 1)
        return rate * m / (np.sqrt(v) + epsilon), DirectionState(m, v, t + 1)
    if direction == "lion":
        a, m = np.sign(beta_1 * m + (1 - beta_1) * g), beta_2 * m + (1 - beta_2) * g
    elif direction == "signum":
        m = beta_1 * m + (1 - beta_1) * g
        a = np.sign(m)
    else:
        m = beta_1 * m + g
        a = g + beta_1 * m
    return a, DirectionState(m, v, t + 1)


def latent_direction_step(
    latent, g, state, *, direction, lr, weight_decay=0.0, beta_1=0.9, beta_2=0.99, epsilon=1e-7,
    clip=None, ste_clip=None,
):  # fmt: skip
    """One step of latent weights along a direction of g, with decoupled decay: (latent, state).

    latent and g are floats of one shape, ``direction`` is one of ``DIRECTIONS`` with its constants
    beta_1, beta_2 and epsilon; lr, weight_decay, clip and ste_clip are as in ``latent_sgd_step``,
    state is a DirectionState. All but "adamw" also run on object arrays of Fraction.

    >>> state = DirectionState(np.zeros(2, np.float32), np.zeros(2, np.float32))
    >>> how = {"direction": "lion", "lr": 0.5, "weight_decay": 0.5}
    >>> latent_direction_step(np.float32([1, 1]), np.float32([3, 0]), state, **how)[0]
    array([0.25, 0.75], dtype=float32)
    """
    lr, lam, *rest = constants(latent.dtype, lr, weight_decay, beta_1, beta_2, epsilon)
    a, state = direction_of(masked(g, latent, ste_clip), state, direction, *rest)
    return clipped((1 - lr * lam) * latent - lr * a, clip), state


class DirectedBopState(NamedTuple):
    """What Bop on a direction keeps of a weight."""

    m: np.ndarray  # Bop's average of directions
    first: np.ndarray  # as in DirectionState
    second: np.ndarray
    t: int = 0


def directed_bop_step(
    w, g, state, *, direction, gamma, threshold=0.0, rule="strict", average="convex", beta_1=0.9,
    beta_2=0.99, epsilon=1e-7,
):  # fmt: skip
    """One step of Bop on a direction of g: returns (w, state).

    ``direction``, beta_1, beta_2 and epsilon are as in ``latent_direction_step``; w, gamma,
    threshold, rule and average as in ``bop_step``.

    >>> zero = np.zeros(2, np.float32)
    >>> how = {"direction": "signum", "gamma": 0.5, "threshold": 0.25}
    >>> state = DirectedBopState(zero, zero, zero)
    >>> directed_bop_step(np.int8([1, 1]), np.float32([3, 0]), state, **how)[0]
    array([-1,  1], dtype=int8)
    """
    rest = constants(state.m.dtype, beta_1, beta_2, epsilon)
    a, kept = direction_of(g, DirectionState(*state[1:]), direction, *rest)
    hyper = {"gamma": gamma, "threshold": threshold, "rule": rule, "average": average}
    w, bop = bop_step(w, a, BopState(state.m), **hyper)
    return w, DirectedBopState(bop.m, *kept)


class DiodeState(NamedTuple):
    """What Diode keeps of a weight."""

    momentum: np.ndarray  # average of gradients
    inertia: np.ndarray  # average of lr times its signs


def diode_step(w, g, state, *, lr, beta_1=0.9, beta_2=0.999):
    """One step of Diode: the bit is minus the sign of an average of signs; returns (w, state).

    beta_1 is the share of the old average of gradients g that stays, beta_2 that of the average of
    lr times its signs; at exactly 0 the weight w, ±1, becomes +1. A factor of both lr and the
    start changes nothing. Also exact on Fractions.

    >>> state = DiodeState(np.zeros(3, np.float32), np.zeros(3, np.float32))
    >>> diode_step(np.int8([1, -1, -1]), np.float32([3, -2, 0]), state, lr=1)[0]
    array([-1,  1,  1], dtype=int8)
    """
    lr, beta_1, beta_2 = constants(g.dtype, lr, beta_1, beta_2)
    momentum = state.momentum + (1 - beta_1) * (g - state.momentum)
    inertia = state.inertia + (1 - beta_2) * (lr * np.sign(momentum) - state.inertia)
    one = np.ones_like(w)
    return np.where(inertia > 0, -one, one), DiodeState(momentum, inertia)


@dataclass(eq=False, kw_only=True)
class _Directed(StepOptimizer):
    direction: Annotated[str, arguments.Choice(DIRECTIONS)] = "lion"
    beta_1: arguments.Share = 0.9
    beta_2: arguments.Share = 0.99
    epsilon: arguments.Divisor = 1e-7

    counters = ("t",)


@dataclass(eq=False, kw_only=True)
class LatentDirection(LatentOptimizer, _Directed):
    """AdamW, Lion, Signum or Nesterov on latent weights; see ``latent_direction_step``.

    ``initial`` and ``seed`` are as in ``LatentSGD``.
    """

    lr: arguments.Positive = 1.0
    weight_decay: arguments.NotNegative = 0.0
    clip: arguments.Bound = None

    kind = "latent-direction"
    inner_class = DirectionState
    state_class = LatentAndDirection
    step_function = latent_direction_step


@dataclass(eq=False, kw_only=True)
class DirectedBop(_Directed):
    """Bop on AdamW's, Lion's, Signum's or Nesterov's direction; see ``directed_bop_step``."""

    gamma: arguments.Rate = 1e-4
    threshold: arguments.NotNegative = 1e-8
    rule: Rule = "strict"
    average: Average = "convex"
    initial: arguments.SignedStart = 0.0

    kind = "directed-bop"
    state_class = DirectedBopState
    step_function = directed_bop_step
    starts = "m"
    inert = "m", "threshold", "|m| of directions"


@dataclass(eq=False)
class Diode(StepOptimizer):
    """Diode for binary parameters; both averages start at 0. See ``diode_step``."""

    lr: arguments.Positive = 1.0
    beta_1: arguments.Share = 0.9
    beta_2: arguments.Share = 0.999

    kind = "diode"
    state_class = DiodeState
    step_function = diode_step
    inert = "inertia", None, "|inertia|"
