"""What an optimizer's arguments may be: each kind checks a value, or the text of one.

``check(name, value)`` returns the value to keep or raises an InputError with the name, what is
allowed and what was found.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from minibnn.errors import InputError
from minibnn.optim import schedules


@dataclass(frozen=True)
class Number:
    """A number or a schedule between ``low`` and ``high``, written as an interval like "(0, 1]".

    A schedule may end at a low end that is left out, after which nothing changes any more; not
    where the number ``divides``, unless it only comes near. The high end is never touched.
    """

    interval: str
    optional: bool = False
    divides: bool = False

    def __post_init__(self):
        low, high = self.interval[1:-1].split(",")
        object.__setattr__(self, "low", float(low))
        object.__setattr__(self, "high", float(high))

    def __str__(self):
        return f"a number in {self.interval} or a schedule" + ", or none" * self.optional

    def check(self, name, value):
        found = value
        if isinstance(value, str):
            if self.optional and value.lower() == "none":
                return None
            try:
                value = schedules.parse(value)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
        if value is None and self.optional:
            return None
        if isinstance(value, schedules.SCHEDULES):
            start, end = value.bounds
            nears = isinstance(value, schedules.ExponentialDecay) or not self.divides
            if self._holds(start) and (self._holds(end) or (end == self.low and nears)):
                return value
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and self._holds(value):
            return float(value)
        rounded = number and self._between(value)
        what = f", in float32 {_float32(value)}" if rounded else ""
        raise InputError(f"{name} must be {self}; found {found!r}{what}")

    def _holds(self, value):
        """Whether a number and the float32 that is computed with lie in the interval."""
        return self._between(value) and self._between(_float32(value))

    def _between(self, value):
        above = value > self.low or (self.interval[0] == "[" and value == self.low)
        below = value < self.high or (self.interval[-1] == "]" and value == self.high)
        return above and below


def _float32(value):
    try:
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    except OverflowError:  # of a long int
        return math.inf


@dataclass(frozen=True)
class Choice:
    """One of a few words, or none where ``optional``."""

    words: tuple
    optional: bool = False

    def __str__(self):
        return f"one of {', '.join(self.words)}" + " or none" * self.optional

    def check(self, name, value):
        if isinstance(value, str) and value in self.words:
            return value
        if self.optional and (value is None or str(value).lower() == "none"):
            return None
        raise InputError(f"{name} must be {self}; found {value!r}")


@dataclass(frozen=True)
class Whole:
    """A whole number from 0 on."""

    def __str__(self):
        return "a whole number from 0 on"

    def check(self, name, value):
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, Integral) and not isinstance(value, bool) and value >= 0:
            return int(value)
        raise InputError(f"{name} must be {self}; found {value!r}")


ARRAYS = "arrays"  # stands in a configuration for {name: array}: the arrays are in the state


@dataclass(frozen=True)
class Start:
    """Start values of a state: a number, one of ``words``, or a dict of arrays by parameter."""

    words: tuple = ()
    signed: bool = False

    def __str__(self):
        numbers = "a number" if self.signed else "a number >= 0"
        return f"{', '.join((numbers, *self.words))} or a dict of arrays by parameter name"

    def check(self, name, value):
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, str) and value in (*self.words, ARRAYS):
            return value
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number) and (self.signed or number >= 0):
            return number
        raise InputError(f"{name} must be {self}; found {value!r}")
