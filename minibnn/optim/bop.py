"""Bop, the paper's Algorithm 2: weights are bits, and a moving average decides when they flip."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.hyperparameters import constant, constants
from minibnn.optim.arguments import Choice, NotNegative, Rate, SignedStart
from minibnn.optim.optimizer import StepOptimizer

RULES = ("strict", "inclusive", "larq")
AVERAGES = ("convex", "lerp")
Rule = Annotated[str, Choice(RULES)]
Average = Annotated[str, Choice(AVERAGES)]


class BopState(NamedTuple):
    """What Bop keeps of a weight."""

    m: np.ndarray  # like w: moving average of gradients (Eq. 5)


def moving_average(m, g, gamma, average="convex"):
    """Exponential moving average; gamma is of m's number type.

    Both forms are the same in exact arithmetic and round differently: in float32 about a third
    of single updates differ in the last bit.
    """
    if one_of(average, "average", AVERAGES) == "lerp":
        return m + gamma * (g - m)  # Larq
    return (1 - gamma) * m + gamma * g  # Eq. 5


def flip_signs(w, m, threshold, rule="strict"):
    """w with the entries negated whose m is large and has their sign."""
    agreement = w * m  # |m| where the signs agree, -|m| where not
    if one_of(rule, "rule", RULES) == "inclusive":  # Eq. 6: |m| >= tau; sgn(0) = 0 agrees with none
        return np.where((agreement >= threshold) & (agreement > 0), -w, w)
    flipped = np.where(agreement > threshold, -w, w)  # Algorithm 2: |m| > tau; a tie keeps w
    if rule == "larq":  # sign(-sgn(w m - tau) w): a tie sets +1, whatever w was
        return np.where(agreement == threshold, constant(1, w.dtype), flipped)
    return flipped


def bop_step(w, g, state, *, gamma, threshold, rule="strict", average="convex"):
    """One step of Bop (Algorithm 2): returns the new (w, state), the inputs are untouched.

    w is ±1, int8 or float; g = dL/dw and state.m are floats of one type, all of one shape. gamma
    is the adaptivity rate in (0, 1], threshold is tau >= 0. At a tie w * m == threshold, the rule
    "strict" keeps w (Algorithm 2), "inclusive" flips it unless m = 0 (Eq. 6), "larq" makes it +1.
    The average is "convex", (1 - gamma) m + gamma g (Eq. 5), or Larq's "lerp", m + gamma (g - m),
    which rounds differently. Also exact on object arrays of ``fractions.Fraction``.

    >>> w, s = np.float32([1, -1]), BopState(np.zeros(2, np.float32))
    >>> for _ in range(2):  # m = 0.5, then 0.75
    ...     w, s = bop_step(w, np.float32([1, 1]), s, gamma=0.5, threshold=0.6)
    >>> w
    array([-1., -1.], dtype=float32)
    """
    gamma, threshold = constants(state.m.dtype, gamma, threshold)
    m = moving_average(state.m, g, gamma, average)  # Eq. 5
    return flip_signs(w, m, threshold, rule), BopState(m)  # Algorithm 2


def majority_vote_step(w, g, state, *, threshold):
    """One step of a majority vote of workers: flip iff w V > threshold, V the sum of their signs.

    g is (workers, *w.shape), the gradients or averages of each; sgn(0) = 0. It is ``bop_step`` on
    the integer V with gamma = 1, in any order. Returns (w, state), the state as it came.

    >>> g = np.float32([[3, 1], [1, -1], [0, -2]])
    >>> majority_vote_step(np.int8([1, 1]), g, None, threshold=1)
    (array([-1,  1], dtype=int8), None)
    """
    votes = np.sum(g > 0, axis=0) - np.sum(g < 0, axis=0)
    return np.where(w * votes > threshold, -w, w), state


@dataclass(eq=False)
class Bop(StepOptimizer):
    """Bop for binary parameters; see ``bop_step``.

    ``initial`` is the start m0 of the average, a number or a dict of arrays by parameter name.
    """

    gamma: Rate = 1e-4
    threshold: NotNegative = 1e-8
    rule: Rule = "strict"
    average: Average = "convex"
    initial: SignedStart = 0.0

    kind = "bop"
    state_class = BopState
    step_function = bop_step
    starts = "m"
    inert = "m", "threshold", "|m|"
