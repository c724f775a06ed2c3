"""Bop with a second average: Bop2ndOrder normalises the first one, CEMA averages it again."""

from typing import ClassVar, NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.hyperparameters import constant
from minibnn.optim.arguments import Choice, Number
from minibnn.optim.bop import AVERAGES, RULES, flip_signs, moving_average
from minibnn.optim.optimizer import Inertia, Optimizer

FORMS = ("biased", "unbiased")


class Bop2ndState(NamedTuple):
    """What Bop2ndOrder keeps of a weight.

    Parameters
    ----------
    m : float array like w
        Moving average of gradients.
    v : float array like w
        Moving average of their squares.
    """

    m: np.ndarray
    v: np.ndarray


def bop2nd_step(
    w,
    g,
    state,
    *,
    gamma,
    sigma,
    threshold,
    epsilon=1e-10,
    form="biased",
    rule="strict",
    average="convex",
):
    """One step of Bop2ndOrder (Suarez-Ramirez et al., "Bop and Beyond", 2021).

    Parameters
    ----------
    w : array of ±1, int8 or float
    g : float array like w, dL/dw
    state : Bop2ndState
    gamma, sigma : float
        Rates of m and v in (0, 1].
    threshold : float
        For |m| / (sqrt(v) + epsilon), from 0 on.
    epsilon : float
    form : "biased" or "unbiased"
        "unbiased" is the published code's m / gamma and v / sigma, which is a rescaled threshold
        and not Adam's bias correction.
    rule, average : as in ``bop_step``
        The published code has the averages as "lerp" and Larq's tie.

    Returns
    -------
    w : of the same type
    state : Bop2ndState

    Examples
    --------
    >>> state = Bop2ndState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> hyper = {"gamma": 0.5, "sigma": 0.25, "epsilon": 0}  # m / sqrt(v) = 1 / 1
    >>> [bop2nd_step(np.int8([1]), np.float32([2]), state, threshold=t, **hyper)[0].item()
    ...     for t in (0.5, 1)]
    [-1, 1]
    """
    dtype = state.m.dtype
    gamma, sigma, threshold = (constant(x, dtype) for x in (gamma, sigma, threshold))
    m = moving_average(state.m, g, gamma, average)
    v = moving_average(state.v, g * g, sigma, average)
    ratio = evidence(m, v, gamma, sigma, constant(epsilon, dtype), form)
    return flip_signs(w, ratio, threshold, rule), Bop2ndState(m, v)


def evidence(m, v, gamma, sigma, epsilon, form):
    """What Bop2ndOrder holds against its threshold; the constants are of m's number type."""
    if form == "biased":
        first, second = m, v
    elif form == "unbiased":
        first, second = m / gamma, v / sigma
    else:
        raise InputError(f"form must be one of {', '.join(FORMS)}; found {form!r}")
    return first / (np.sqrt(second) + epsilon)


class CEMAState(NamedTuple):
    """What the cascaded average keeps of a weight.

    Parameters
    ----------
    momentum : float array like w
        Moving average of gradients.
    inertia : float array like w
        Moving average of that.
    """

    momentum: np.ndarray
    inertia: np.ndarray


def cema_step(w, g, state, *, gamma, alpha):
    """One step of the cascaded average of Quist, Li and van Gemert (2023); it has no threshold.

    Parameters
    ----------
    w : array of ±1, int8 or float
    g : float array like w, dL/dw
    state : CEMAState
    gamma, alpha : float
        Rates of the first and the second average, in (0, 1].

    Returns
    -------
    w : of the same type
    state : CEMAState

    Notes
    -----
    Also exact on object arrays of ``fractions.Fraction``.

    Examples
    --------
    >>> state = CEMAState(np.zeros(2, np.float32), np.zeros(2, np.float32))
    >>> w, state = cema_step(np.int8([1, -1]), np.float32([4, 4]), state, gamma=0.5, alpha=0.25)
    >>> w, state.inertia
    (array([-1, -1], dtype=int8), array([0.5, 0.5], dtype=float32))
    """
    dtype = state.momentum.dtype
    gamma, alpha = constant(gamma, dtype), constant(alpha, dtype)
    momentum = (1 - gamma) * state.momentum + gamma * g
    inertia = (1 - alpha) * state.inertia + alpha * momentum
    return np.where(w * inertia > 0, -w, w), CEMAState(momentum, inertia)


class Bop2ndOrder(Optimizer):
    """Bop2ndOrder for binary parameters; averages start at 0. See ``bop2nd_step``.

    With a zero start the first step compares gamma / sqrt(sigma) with the threshold, so small
    thresholds flip every weight that agrees with its first gradient.

    Parameters
    ----------
    gamma, sigma, threshold, epsilon : float or schedule
    form, rule, average : str
    """

    kind = "bop2nd"
    arguments: ClassVar = {
        "gamma": Number("(0, 1]", divides=True),  # by form="unbiased"
        "sigma": Number("(0, 1]", divides=True),
        "threshold": Number("[0, inf)"),
        "epsilon": Number("(0, inf)", divides=True),
        "form": Choice(FORMS),
        "rule": Choice(RULES),
        "average": Choice(AVERAGES),
    }
    state_class = Bop2ndState
    step_function = bop2nd_step
    update = "bop2nd_update"

    def __init__(
        self,
        gamma=1e-6,
        sigma=1e-2,
        threshold=1e-6,
        epsilon=1e-10,
        form="biased",
        rule="strict",
        average="convex",
    ):
        super().__init__(
            gamma=gamma,
            sigma=sigma,
            threshold=threshold,
            epsilon=epsilon,
            form=form,
            rule=rule,
            average=average,
        )

    def _start(self, p):
        return Bop2ndState(np.zeros(p.shape, np.float32), np.zeros(p.shape, np.float32))

    def inertia(self, parameter):
        """|m| / (sqrt(v) + epsilon), or that of the unbiased form, against the threshold.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        rates = (np.float32(self._in_force(x)) for x in (self.gamma, self.sigma, self.epsilon))
        ratio = evidence(*self._states[parameter.name], *rates, self.form)
        return Inertia(np.abs(ratio), self._in_force(self.threshold), "|m| / sqrt(v)")


class CEMA(Optimizer):
    """The cascaded average for binary parameters; both averages start at 0. See ``cema_step``.

    Parameters
    ----------
    gamma, alpha : float or schedule
        In (0, 1].
    """

    kind = "cema"
    arguments: ClassVar = {"gamma": Number("(0, 1]"), "alpha": Number("(0, 1]")}
    state_class = CEMAState
    step_function = cema_step
    update = "cema_update"

    def __init__(self, gamma=0.1, alpha=1e-3):
        super().__init__(gamma=gamma, alpha=alpha)

    def _start(self, p):
        return CEMAState(np.zeros(p.shape, np.float32), np.zeros(p.shape, np.float32))

    def inertia(self, parameter):
        """The magnitude of the second average; a weight flips where it has the weight's sign.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        return Inertia(np.abs(self._states[parameter.name].inertia), None, "|inertia|")
