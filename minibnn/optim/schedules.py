"""Hyperparameters that change over a run: ``schedule(step) -> float``, step 0 at the first update.

On the command line: ``step:1e-4:0.1:100ep`` times 0.1 at every 100th epoch, ``exp:...`` the same
smoothly, ``linear:1e-4:1e-6`` and ``cosine:1e-3:0`` over the whole run, or over a span given as a
last part, ``:50ep`` in epochs, ``:20%`` as a share of the run or ``:5000`` in steps;
``poly:1e-4:0:2`` has a power. A span in epochs, in percent or over the whole run gets its length in
steps from ``bind``. Schedules in percent keep their form when a run is made shorter or longer:
``step:1e-4:0.1:20%`` over 500 epochs is ``step:1e-4:0.1:100ep``.
"""

import math
from dataclasses import dataclass, replace
from numbers import Real

from minibnn.errors import InputError
from minibnn.ops.rounding import cos_pi, power

SYNTAX = (
    "a number, step:VALUE:FACTOR:SPAN, exp:VALUE:FACTOR:SPAN, linear:FROM:TO[:SPAN], "
    "cosine:FROM:TO[:SPAN] or poly:FROM:TO:POWER[:SPAN], with a SPAN like 100ep, 20% (of the run) "
    "or 5000 (steps)"
)
_UNITS = ("ep", "%")


@dataclass(frozen=True)
class Schedule:
    """What schedules share; their ``steps`` are an int, "100ep", "20%" or None, the whole run."""

    def __post_init__(self):
        for name in [name for name in vars(self) if name not in ("steps", "staircase")]:
            if not (isinstance(value := getattr(self, name), Real) and math.isfinite(value)):
                raise InputError(f"schedule {self}: {name} must be finite, found {value!r:.60}")
            object.__setattr__(self, name, float(value))  # such as NumPy's, which reads otherwise
        length, unit = _read_span(self.steps, self)
        if not unit:
            object.__setattr__(self, "steps", length)  # an int, whatever kind of number it was

    @property
    def over_whole_run(self):
        """Whether the span depends on how long the run is."""
        return self.steps is None or str(self.steps).endswith("%")

    def bind(self, steps_per_epoch, total_steps):
        """This schedule with its span in steps, for a run of so many and epochs of so many."""
        length, unit = _read_span(self.steps, self)
        if not unit:
            return self
        steps = length * total_steps / 100 if unit == "%" else length * steps_per_epoch
        return replace(self, steps=max(1, round(steps)))

    def _progress(self, step):
        """Spans gone by since step 0, a real number."""
        if not isinstance(self.steps, int):
            words = "counts epochs or the run: call bind(steps_per_epoch, total)"
            raise InputError(f"schedule {self} {words}")
        return step / self.steps


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """initial * rate^(step / steps); with ``staircase`` the exponent is rounded down.

    The rate is in (0, 1]; ``steps`` is a number of steps, "100ep" or "20%" of the run.

    >>> decay = ExponentialDecay(1.0, 0.5, steps=10, staircase=True)
    >>> decay(9), decay(10), decay(20)
    (1.0, 0.5, 0.25)
    """

    initial: float
    rate: float
    steps: int | str
    staircase: bool = False

    def __post_init__(self):
        if self.steps is None:
            raise InputError("an exponential decay needs steps, such as 1000, '100ep' or '20%'")
        super().__post_init__()
        if not 0 < self.rate <= 1:
            raise InputError(f"schedule {self}: the factor must be in (0, 1], found {self.rate}")

    @property
    def final(self):
        """The value it tends to."""
        return self.initial if self.rate == 1 else 0.0

    def __call__(self, step):
        spans = self._progress(step)
        if self.staircase:
            spans = step // self.steps
        return self.initial * power(self.rate, spans)

    def __str__(self):
        return f"{'step' if self.staircase else 'exp'}:{self.initial!r}:{self.rate!r}:{self.steps}"


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """(initial - final) * (1 - step / steps)^power + final, and final from step ``steps`` on.

    ``steps`` is a number of steps, "100ep", "20%" of the run or None for all of it. The power is
    above 0; 1 is a straight line.
    """

    initial: float
    final: float = 0.0
    steps: int | str | None = None
    power: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        if self.power <= 0:
            raise InputError(f"schedule {self}: the power must be positive, found {self.power}")

    def __call__(self, step):
        left = 1.0 - min(self._progress(step), 1.0)
        return (self.initial - self.final) * power(left, self.power) + self.final

    def __str__(self):
        name, power = ("linear", "") if self.power == 1 else ("poly", f":{self.power!r}")
        return f"{name}:{self.initial!r}:{self.final!r}{power}{_write_span(self.steps)}"


def linear(initial: float, final: float = 0.0, steps: int | str | None = None):
    """A straight line from ``initial`` to ``final``; ``steps`` as in ``PolynomialDecay``.

    >>> linear(1.0, 0.0, steps=4)(1)
    0.75
    """
    return PolynomialDecay(initial, final, steps)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """final + (initial - final) * (1 + cos(pi * step / steps)) / 2, and final from then on.

    ``steps`` as in ``PolynomialDecay``.
    """

    initial: float
    final: float = 0.0
    steps: int | str | None = None

    def __call__(self, step):
        wave = cos_pi(min(self._progress(step), 1.0))
        return self.final + (self.initial - self.final) * 0.5 * (1.0 + wave)

    def __str__(self):
        return f"cosine:{self.initial!r}:{self.final!r}{_write_span(self.steps)}"


FORMS = {  # of the numbers in a text and a span
    "step": lambda start, rate, span: ExponentialDecay(start, rate, span, staircase=True),
    "exp": lambda start, rate, span: ExponentialDecay(start, rate, span),
    "linear": lambda start, end, span=None: PolynomialDecay(start, end, span),
    "cosine": lambda start, end, span=None: CosineDecay(start, end, span),
    "poly": lambda start, end, power, span=None: PolynomialDecay(start, end, span, power),
}
NAMES = tuple(f"{name}:" for name in FORMS)  # how the text of a schedule begins


def parse(text):
    """The number (a float) or the schedule that ``text`` describes; InputError says what is valid.

    >>> parse("1e-4"), parse("step:1e-4:0.1:100ep")
    (0.0001, ExponentialDecay(initial=0.0001, rate=0.1, steps='100ep', staircase=True))
    """
    name, *parts = text.strip().split(":")
    numbers = 3 if name == "poly" else 2
    try:
        if not parts:
            return float(name)
        spans = (x if x.endswith(_UNITS) else int(x) for x in parts[numbers:])
        return FORMS[name](*map(float, parts[:numbers]), *spans)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError):  # no such name, too many parts, no number
        raise InputError(f"expected {SYNTAX}; found {text!r}") from None


def _read_span(steps, schedule):
    """Length and unit of a span: (100.0, "ep"), (20.0, "%") or (5000, ""); None is (100.0, "%")."""
    text = "100%" if steps is None else str(steps)
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    try:
        length = float(text.removesuffix(unit))
    except ValueError:
        length = math.nan
    number = isinstance(steps, Real) and length.is_integer()
    if not 0 < length < 2**63 or (unit == "%" and length > 100) or not (unit or number):
        raise InputError(
            f"schedule {schedule}: a span is a positive number of steps, such as 5000, of epochs, "
            f"such as '100ep', or a share of the run up to '100%'; found {steps!r}"
        )
    return (length, unit) if unit else (int(steps), "")


def _write_span(steps):
    return "" if steps is None else f":{steps}"
