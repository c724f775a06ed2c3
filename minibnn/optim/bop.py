"""Bop, the paper's Algorithm 2: weights are bits, and a moving average decides when they flip.

In integers the average is an accumulator that leaks by a shift.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.rounding import constant, constants
from minibnn.optim.arguments import Choice, Natural, NotNegative, PowerOfTwo, Rate, SignedStart
from minibnn.optim.optimizer import StepOptimizer

RULES = ("strict", "inclusive", "larq")
AVERAGES = ("convex", "lerp")
ROUNDINGS = ("zero", "nearest")  # both odd, as negating a network has to negate its accumulators
MOST = 127  # of a gradient's quanta
Rule = Annotated[str, Choice(RULES)]
Average = Annotated[str, Choice(AVERAGES)]


class BopState(NamedTuple):
    """What Bop keeps of a weight."""

    m: np.ndarray  # like w: moving average of gradients (Eq. 5)


def moving_average(m, g, gamma, average="convex"):
    """Moving average, in exact arithmetic the same in both forms; gamma is of m's number type."""
    if average == "convex":
        return (1 - gamma) * m + gamma * g  # Eq. 5
    if average == "lerp":
        return m + gamma * (g - m)  # Larq
    return one_of(average, "average", AVERAGES)  # none of them


def flip_signs(w, m, threshold, rule="strict"):
    """w with the entries negated whose m is large and has their sign."""
    agreement = w * m  # |m| where the signs agree, -|m| where not
    if rule == "inclusive":  # Eq. 6: |m| >= tau; sgn(0) = 0 agrees with none
        return np.where((agreement >= threshold) & (agreement > 0), -w, w)
    flipped = np.where(agreement > threshold, -w, w)  # Algorithm 2: |m| > tau; a tie keeps w
    if rule == "strict":
        return flipped
    if rule == "larq":  # sign(-sgn(w m - tau) w): a tie sets +1, whatever w was
        return np.where(agreement == threshold, constant(1, w.dtype), flipped)
    return one_of(rule, "rule", RULES)  # none of them


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


class IntegerBopState(NamedTuple):
    """What integer Bop keeps of a weight."""

    a: np.ndarray  # int16 or int32 like w: m / gamma in quanta of the gradient


def leak(a, shift, rounding="zero"):
    """a / 2^shift as an integer, toward zero, or to nearest with ties away from zero."""
    one_of(rounding, "rounding", ROUNDINGS)
    half = 1 << (shift - 1) if rounding == "nearest" and shift else 0
    size = (np.abs(a.astype(np.int64)) + half) >> shift
    return np.where(a < 0, -size, size).astype(a.dtype)


def integer_bop_step(w, q, state, *, shift, threshold, rounding="zero"):
    """One step of Bop in integers: a <- a - R(a / 2^shift) + q, flip iff w a > threshold.

    R rounds as ``rounding`` says: toward "zero", or to "nearest" with ties away from zero. w is ±1,
    int8; q and a are integers of one shape, q the gradient in quanta, threshold an integer.
    gamma is 2^-shift, and threshold 2^shift times Bop's tau in quanta. |a| stays at most
    2^shift times the largest |q|: with 8-bit q, shift 8 fits into int16. Returns (w, state).

    >>> state = IntegerBopState(np.int16([6, -6]))
    >>> integer_bop_step(np.int8([1, 1]), np.int16([3, 3]), state, shift=2, threshold=7)
    (array([-1,  1], dtype=int8), IntegerBopState(a=array([ 8, -2], dtype=int16)))
    """
    a = state.a - leak(state.a, shift, rounding) + q.astype(state.a.dtype)
    return np.where(w * a.astype(np.int64) > threshold, -w, w), IntegerBopState(a)


def quanta(g, unit):
    """A float gradient in integer quanta of ``unit``, at most 127 of them, as int16."""
    return np.clip(np.rint(g / np.float64(unit)), -MOST, MOST).astype(np.int16)


@dataclass(eq=False)
class IntegerBop(StepOptimizer):
    """Bop in integers for binary parameters: 2 bytes of state per weight; see ``integer_bop_step``.

    Gradients are counted in quanta of ``unit``, a power of two, at most 127 of them; ``shift`` at
    most 8 keeps the accumulator, which starts at 0, in int16.
    """

    shift: Annotated[int, Natural(8)] = 8
    threshold: Annotated[int, Natural()] = 0
    unit: Annotated[float, PowerOfTwo("(0, inf)")] = 2.0**-20
    rounding: Annotated[str, Choice(ROUNDINGS)] = "zero"

    kind = "integer-bop"
    state_class, dtype = IntegerBopState, np.int16
    step_function = integer_bop_step
    inert = "a", "threshold", "|a|"

    def _move(self, p, g, hyper, kernels):
        return super()._move(p, quanta(g, self.unit), hyper, kernels)
