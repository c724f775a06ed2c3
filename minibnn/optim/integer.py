"""Bop in integers: the average is an integer accumulator that leaks by a shift."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from minibnn.errors import InputError, one_of
from minibnn.optim.arguments import Choice, Natural, Positive
from minibnn.optim.optimizer import StepOptimizer

ROUNDINGS = ("zero", "nearest")  # both odd, as negating a network has to negate its accumulators
MOST = 127  # of a gradient's quanta


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


def quanta(g, unit, most=MOST):
    """A float gradient in integer quanta of ``unit``, clipped to ``most`` of them, as int16."""
    return np.clip(np.rint(g * g.dtype.type(1 / unit)), -most, most).astype(np.int16)


@dataclass(eq=False)
class IntegerBop(StepOptimizer):
    """Bop in integers for binary parameters: 2 bytes of state per weight; see ``integer_bop_step``.

    Gradients are counted in quanta of ``unit``, a power of two, at most 127 of them; ``shift`` at
    most 8 keeps the accumulator, which starts at 0, in int16.
    """

    shift: Annotated[int, Natural()] = 8
    threshold: Annotated[int, Natural()] = 0
    unit: Positive = 2.0**-20
    rounding: Annotated[str, Choice(ROUNDINGS)] = "zero"

    kind = "integer-bop"
    state_class = IntegerBopState
    step_function = integer_bop_step
    inert = "a", "threshold", "|a|"

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "shift" and self.shift > 8:
            raise InputError(f"{self.kind}: shift must be an integer from 0 to 8; found {value!r}")
        if name == "unit" and np.frexp(self.unit)[0] != 0.5:
            raise InputError(f"{self.kind}: unit must be a power of two; found {value!r}")

    def _start(self, p):
        return IntegerBopState(np.zeros(p.shape, np.int16))

    def load_state_dict(self, arrays):
        for key, value in arrays.items():
            if "/" in key and (np.abs(np.asarray(value)) > 2**15 - 1).any():
                raise InputError(f"{self.kind}: state {key} must fit into 16 bits")
        super().load_state_dict(arrays)
        kept = self._states.items()
        self._states = {name: IntegerBopState(state.a.astype(np.int16)) for name, state in kept}

    def _gradient(self, p):
        return quanta(super()._gradient(p), self.unit)
