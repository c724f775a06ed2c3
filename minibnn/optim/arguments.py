"""What an optimizer's arguments may be.

A class declares each argument once, as a field of a dataclass with what it may be and a default::

    gamma: Rate = 1e-4

It is checked whenever it is set: ``check(name, value)`` returns the value to keep, made from text
where it is text, or raises an InputError with the name, what is allowed and what was found.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Annotated

import numpy as np

from minibnn.errors import InputError, integer, one_of
from minibnn.optim.schedules import ExponentialDecay, Schedule, parse


class Number:
    """A number or a schedule in an interval like "(0, 1]", or none where ``optional``.

    A schedule may end at a low end that is left out, after which nothing changes any more. Where
    the number ``divides`` it may only come near. No schedule touches a high end that is left out.
    """

    def __init__(self, interval, optional=False, divides=False):
        self.interval, self.optional, self.divides = interval, optional, divides
        self.low, self.high = map(float, interval[1:-1].split(","))

    def __str__(self):
        return f"a number in {self.interval} or a schedule" + ", or none" * self.optional

    def check(self, name, value):
        found = value
        if self.optional and is_none(value):
            return None
        if isinstance(value, str):
            try:
                value = parse(value)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
        if isinstance(value, Schedule):
            start, end = value.initial, value.final
            nears = isinstance(value, ExponentialDecay) or not self.divides
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


class PowerOfTwo(Number):
    """A number like ... 1/4, 1/2, 1, 2, 4 ... in an interval, and no schedule."""

    def check(self, name, value):
        number = super().check(name, value)
        if not isinstance(number, float) or math.frexp(number)[0] != 0.5:
            raise InputError(f"{name} must be a power of two; found {value!r}")
        return number


def is_none(value):
    return str(value).lower() == "none"


def _float32(value):
    try:
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    except OverflowError:  # of a long int
        return math.inf


Rate = Annotated[float | Schedule, Number("(0, 1]")]
Share = Annotated[float | Schedule, Number("[0, 1)")]
Positive = Annotated[float | Schedule, Number("(0, inf)")]
NotNegative = Annotated[float | Schedule, Number("[0, inf)")]
Divisor = Annotated[float | Schedule, Number("(0, inf)", divides=True)]
RateDivisor = Annotated[float | Schedule, Number("(0, 1]", divides=True)]
Bound = Annotated[float | Schedule | None, Number("(0, inf)", optional=True)]


@dataclass(frozen=True)
class Choice:
    """One of a few words, or none where ``optional``."""

    words: tuple
    optional: bool = False

    def check(self, name, value):
        if self.optional and is_none(value):
            return None
        return one_of(value, name, (*self.words, "none") if self.optional else self.words)


@dataclass(frozen=True)
class Natural:
    """An integer from 0 on, or from 0 to ``high``."""

    high: int | None = None

    def check(self, name, value):
        text = isinstance(value, str) and value.isdecimal() and len(value) < 300
        return integer(int(value) if text else value, name, high=self.high)


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
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isfinite(_float32(number)) and (self.signed or number >= 0):
            return number
        raise InputError(f"{name} must be {self}; found {value!r}")


Seed = Annotated[int, Natural()]
SignedStart = Annotated[float | dict, Start(signed=True)]
