"""Bop, the paper's Algorithm 2: weights are bits, and a moving average decides when they flip."""

from typing import ClassVar, NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.hyperparameters import constant
from minibnn.optim.arguments import Choice, Number, Start
from minibnn.optim.optimizer import Inertia, Optimizer, start_array

RULES = ("strict", "inclusive", "larq")
AVERAGES = ("convex", "lerp")


class BopState(NamedTuple):
    """What Bop keeps of a weight.

    Parameters
    ----------
    m : float array like w
        Moving average of gradients (Eq. 5).
    """

    m: np.ndarray


def moving_average(m, g, gamma, average="convex"):
    """Exponential moving average; gamma is of m's number type.

    Both forms are the same in exact arithmetic and round differently: in float32 about a third
    of single updates differ in the last bit.
    """
    if average == "convex":
        return (1 - gamma) * m + gamma * g  # Eq. 5
    if average == "lerp":
        return m + gamma * (g - m)  # Larq
    raise InputError(f"average must be one of {', '.join(AVERAGES)}; found {average!r}")


def flip_signs(w, m, threshold, rule="strict"):
    """w with the entries negated whose m is large and has their sign."""
    agreement = w * m  # |m| where the signs agree, -|m| where not
    if rule == "strict":  # Algorithm 2: |m| > tau; a tie keeps w
        return np.where(agreement > threshold, -w, w)
    if rule == "inclusive":  # Eq. 6: |m| >= tau; sgn(0) = 0 agrees with no sign
        return np.where((agreement >= threshold) & (agreement > 0), -w, w)
    if rule == "larq":  # sign(-sgn(w m - tau) w): a tie sets +1, whatever w was
        flipped = np.where(agreement > threshold, -w, w)
        return np.where(agreement == threshold, constant(1, w.dtype), flipped)
    raise InputError(f"rule must be one of {', '.join(RULES)}; found {rule!r}")


def bop_step(w, g, state, *, gamma, threshold, rule="strict", average="convex"):
    """One step of Bop (Algorithm 2).

    Parameters
    ----------
    w : array of ±1, int8 or float
    g : float array like w, dL/dw
    state : BopState
        m of g's number type; any start value, usually 0.
    gamma : float
        Adaptivity rate in (0, 1].
    threshold : float
        tau >= 0.
    rule : "strict", "inclusive" or "larq"
        What happens at a tie w * m == threshold: w stays (Algorithm 2), flips unless m = 0
        (Eq. 6), or becomes +1 (Larq).
    average : "convex" or "lerp"
        (1 - gamma) m + gamma g (Eq. 5), or m + gamma (g - m) (Larq), which rounds differently.

    Returns
    -------
    w : of the same type
    state : BopState

    Raises
    ------
    InputError
        For another rule or average.

    Notes
    -----
    The inputs are untouched. Also exact on object arrays of ``fractions.Fraction``.

    Examples
    --------
    >>> w, s = np.float32([1, -1]), BopState(np.zeros(2, np.float32))
    >>> for _ in range(2):  # m = 0.5, then 0.75
    ...     w, s = bop_step(w, np.float32([1, 1]), s, gamma=0.5, threshold=0.6)
    >>> w
    array([-1., -1.], dtype=float32)
    """
    gamma, threshold = (constant(value, state.m.dtype) for value in (gamma, threshold))
    m = moving_average(state.m, g, gamma, average)
    return flip_signs(w, m, threshold, rule), BopState(m)


class Bop(Optimizer):
    """Bop for binary parameters.

    Parameters
    ----------
    gamma, threshold : float or schedule
        In (0, 1], and from 0 on; rounded to float32 at each step.
    rule, average : str
        See ``bop_step``.
    initial : float or dict of arrays by parameter name
        The start m0 of the average.

    Raises
    ------
    InputError
        For a value out of range.
    """

    kind = "bop"
    arguments: ClassVar = {
        "gamma": Number("(0, 1]"),
        "threshold": Number("[0, inf)"),
        "rule": Choice(RULES),
        "average": Choice(AVERAGES),
        "initial": Start(signed=True),
    }
    state_class = BopState
    step_function = bop_step
    update = "bop_update"

    def __init__(self, gamma=1e-4, threshold=1e-8, rule="strict", average="convex", initial=0.0):
        super().__init__(
            gamma=gamma, threshold=threshold, rule=rule, average=average, initial=initial
        )

    def _start(self, p):
        if isinstance(self.initial, float):
            return BopState(np.full(p.shape, self.initial, np.float32))
        return BopState(start_array(self, self.initial, p))

    def inertia(self, parameter):
        """|m| against the threshold.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        m = self._states[parameter.name].m
        return Inertia(np.abs(m), self._in_force(self.threshold), "|m|")
