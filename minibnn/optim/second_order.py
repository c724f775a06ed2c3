"""Bop with a second average: Bop2ndOrder normalises the first one, CEMA averages it again."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.rounding import constants
from minibnn.optim.arguments import Choice, Divisor, NotNegative, Rate, RateDivisor
from minibnn.optim.bop import Average, Rule, flip_signs, moving_average
from minibnn.optim.optimizer import Inertia, StepOptimizer

FORMS = ("biased", "unbiased")


class Bop2ndState(NamedTuple):
    """What Bop2ndOrder keeps of a weight."""

    m: np.ndarray  # like w: moving average of gradients
    v: np.ndarray  # like w: moving average of their squares


def bop2nd_step(
    w, g, state, *, gamma, sigma, threshold, epsilon=1e-10, form="biased", rule="strict",
    average="convex",
):  # fmt: skip
    """One step of Bop2ndOrder (Suarez-Ramirez et al., "Bop and Beyond", 2021).

    w, g, rule, average and what it returns, (w, state), are as in ``bop_step``; the published code
    has "lerp" and Larq's tie. gamma and sigma are the rates of m and v in (0, 1], threshold >= 0 is
    for |m| / (sqrt(v) + epsilon). The form "unbiased" is the published code's m / gamma and
    v / sigma, which is a rescaled threshold and not Adam's bias correction.

    >>> state = Bop2ndState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> hyper = {"gamma": 0.5, "sigma": 0.25, "epsilon": 0}  # m / sqrt(v) = 1 / 1
    >>> [bop2nd_step(np.int8([1]), np.float32([2]), state, threshold=t, **hyper)[0].item()
    ...     for t in (0.5, 1)]
    [-1, 1]
    """
    gamma, sigma, threshold, epsilon = constants(state.m.dtype, gamma, sigma, threshold, epsilon)
    m = moving_average(state.m, g, gamma, average)
    v = moving_average(state.v, g * g, sigma, average)
    ratio = evidence(m, v, gamma, sigma, epsilon, form)
    return flip_signs(w, ratio, threshold, rule), Bop2ndState(m, v)


def evidence(m, v, gamma, sigma, epsilon, form):
    """What Bop2ndOrder holds against its threshold; the constants are of m's number type."""
    if one_of(form, "form", FORMS) == "unbiased":
        m, v = m / gamma, v / sigma
    return m / (np.sqrt(v) + epsilon)


class CEMAState(NamedTuple):
    """What the cascaded average keeps of a weight."""

    momentum: np.ndarray  # like w: moving average of gradients
    inertia: np.ndarray  # like w: moving average of that


def cema_step(w, g, state, *, gamma, alpha):
    """One step of the cascaded average of Quist, Li and van Gemert (2023); it has no threshold.

    w, g and what it returns, (w, state), are as in ``bop_step``. gamma and alpha are the rates of
    the first and the second average, in (0, 1]. Also exact on Fractions.

    >>> state = CEMAState(np.zeros(2, np.float32), np.zeros(2, np.float32))
    >>> w, state = cema_step(np.int8([1, -1]), np.float32([4, 4]), state, gamma=0.5, alpha=0.25)
    >>> w, state.inertia
    (array([-1, -1], dtype=int8), array([0.5, 0.5], dtype=float32))
    """
    gamma, alpha = constants(state.momentum.dtype, gamma, alpha)
    momentum = (1 - gamma) * state.momentum + gamma * g
    inertia = (1 - alpha) * state.inertia + alpha * momentum
    return np.where(w * inertia > 0, -w, w), CEMAState(momentum, inertia)


@dataclass(eq=False)
class Bop2ndOrder(StepOptimizer):
    """Bop2ndOrder for binary parameters; see ``bop2nd_step``.

    Its averages start at 0: the first step compares gamma / sqrt(sigma), or 1 if "unbiased", with
    the threshold (epsilon aside), so small ones flip every weight that agrees with its gradient.
    """

    gamma: RateDivisor = 1e-6  # by form="unbiased"
    sigma: RateDivisor = 1e-2
    threshold: NotNegative = 1e-6
    epsilon: Divisor = 1e-10
    form: Annotated[str, Choice(FORMS)] = "biased"
    rule: Rule = "strict"
    average: Average = "convex"

    kind = "bop2nd"
    state_class = Bop2ndState
    step_function = bop2nd_step

    def inertia(self, parameter):
        rates = map(self.in_force, ("gamma", "sigma", "epsilon"))
        ratio = evidence(*self._states[parameter.name], *rates, self.form)
        return Inertia(np.abs(ratio), self.in_force("threshold"), "|m| / sqrt(v)")


@dataclass(eq=False)
class CEMA(StepOptimizer):
    """The cascaded average for binary parameters, from 0; see ``cema_step``."""

    gamma: Rate = 0.1
    alpha: Rate = 1e-3

    kind = "cema"
    state_class = CEMAState
    step_function = cema_step
    inert = "inertia", None, "|inertia|"
