"""Which settings a sweep tries: every combination, one key at a time, or some at random."""

import itertools
import math
import random
from dataclasses import dataclass

from minibnn.errors import InputError
from minibnn.training.sweep.keys import (
    PREFIXES,
    WHOLE,
    apply,
    base_value,
    canonical,
    key_name,
    text_of,
)

MOST = 10_000  # cells; more is a slip of the hand
_DIGITS = 3  # of a number drawn at random: enough, and names stay short


@dataclass(frozen=True)
class Range:
    """Where random values are drawn from: evenly, or evenly in the logarithm."""

    kind: str
    low: float
    high: float

    def draw(self, rng, whole):
        """A value, rounded to three digits."""
        if self.kind == "log":
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = rng.uniform(self.low, self.high)
        if whole:
            return round(value)
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def __str__(self):
        return f"{self.kind}:{text_of(self.low)}:{text_of(self.high)}"


def read_texts(texts, option="--grid"):
    """``{key: [values]}`` of texts like ``gamma=1e-2,1e-3``.

    An optimizer's settings belong to the optimizer before them.

    >>> read_texts(["gamma=1e-2,1e-3", "optimizer=bop:gamma=1,threshold=0,cema"])
    {'gamma': ['1e-2', '1e-3'], 'optimizer': ['bop:gamma=1,threshold=0', 'cema']}
    """
    found = {}
    for text in texts:
        key, equals, rest = text.partition("=")
        key = key_name(key.strip())
        values = [value.strip() for value in rest.split(",")]
        if not equals or not key or not all(values):
            raise InputError(f"{option}: expected KEY=VALUE,VALUE,..., found {text!r}")
        if key in found:
            raise InputError(f"{option}: {key} is given twice")
        if key in PREFIXES.values():
            values = _whole_specs(values)
        found[key] = values
    return found


def _whole_specs(pieces):
    """Put ``NAME=VALUE`` pieces behind the optimizer they belong to."""
    specs = []
    for piece in pieces:
        setting = "=" in piece.partition(":")[0]
        if setting and specs:
            specs[-1] += ("," if ":" in specs[-1] else ":") + piece
        else:
            specs.append(piece)
    return specs


def points(grid, scan, options, count=None, seed=0):
    """The settings to try, each once, in order.

    Parameters
    ----------
    grid : dict of str to sequence
        Every combination of these values.
    scan : dict of str to sequence
        One key at a time takes these values, the others keep those of ``options``; around every
        combination of ``grid``.
    options : dict
        What all cells share.
    count : int, optional
        That many of the grid at random, without repeating one. A key whose only value is
        ``log:LOW:HIGH`` or ``uniform:LOW:HIGH`` draws from that range.
    seed : int
        Of the draws.

    Returns
    -------
    points : list of dict of str to str
    grid, scan : the values checked and in their one form, lists of str

    Raises
    ------
    InputError for a key or value that is unknown or out of range, or a grid that makes no sense.
    """
    grid, scan = ({key_name(key): v for key, v in part.items()} for part in (grid, scan))
    for key in grid.keys() & scan.keys():
        raise InputError(f"{key} is in the grid and in the scan: choose one")
    if not grid and not scan:
        raise InputError("a sweep needs something to vary: a grid or a scan")
    if count is not None:
        if scan:
            raise InputError("random cells are drawn from the grid: leave the scan out")
        if isinstance(count, bool) or not hasattr(count, "__index__") or count < 1:
            raise InputError(f"random must be a whole number from 1 on, found {count!r}")
        check_size(count)
    grid = {key: _values(key, v, grid, options, count) for key, v in grid.items()}
    scan = {key: _values(key, v, grid, options, None) for key, v in scan.items()}
    if count is not None:
        found = _drawn(grid, count, seed)
    else:
        check_size(math.prod(map(len, grid.values())) * max(1, sum(map(len, scan.values()))))
        found = [dict(zip(grid, v, strict=True)) for v in itertools.product(*grid.values())]
    if scan:
        found = [line for point in found for line in _lines(point, scan, options)]
    for point in found:
        apply(point, options)  # an optimizer of the grid may not know another key of it
    return found, *({k: [str(v) for v in values] for k, values in p.items()} for p in (grid, scan))


def check_size(size):
    """InputError for more cells than a sweep can have."""
    if size > MOST:
        raise InputError(f"a sweep of {size:,} cells: {MOST:,} are the most")


def _values(key, values, grid, options, count):
    """The checked values of a key, or the range it is drawn from."""
    values = [values] if isinstance(values, str) or not hasattr(values, "__iter__") else values
    values = list(values)
    if not values:
        raise InputError(f"{key} has no values")
    if key == "seed":
        raise InputError("seed is no key of a sweep: seeds are given by --seeds")
    others = dict(options)
    for option in PREFIXES.values():  # a key may belong to an optimizer of the grid
        if option in grid and option != key:
            others[option] = str(_first(grid[option]))
    if (span := _range(key, values)) is not None:
        if count is None:
            raise InputError(f"{key}={span} is a range to draw from: it needs --random N")
        for end in (span.low, span.high):
            canonical(key, int(end) if key in WHOLE else end, others)
        return [span]
    checked = [canonical(key, value, others) for value in values]
    for value in checked:
        if checked.count(value) > 1:
            raise InputError(f"{key} has the value {value} twice")
    return checked


def _first(values):
    return values if isinstance(values, str) else next(iter(values))


def _range(key, values):
    kind, *ends = str(values[0]).split(":")
    if len(values) > 1 or kind not in ("log", "uniform"):
        return None
    try:
        low, high = map(float, ends)
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)) or (kind == "log" and low <= 0):
        raise InputError(
            f"{key}: a range is log:LOW:HIGH with 0 < LOW < HIGH, or uniform:LOW:HIGH with LOW < "
            f"HIGH, found {values[0]!r}"
        )
    return Range(kind, low, high)


def _drawn(grid, count, seed):
    rng = random.Random(seed)
    spans = {key: values[0] for key, values in grid.items() if isinstance(values[0], Range)}
    if not spans:
        size = math.prod(map(len, grid.values()))
        if count > size:
            raise InputError(f"random must be at most {size}, the size of the grid, found {count}")
        return [_numbered(grid, number) for number in rng.sample(range(size), count)]
    found, seen = [], set()
    for _ in range(100 * count):  # rounded values may repeat
        point = {
            key: text_of(spans[key].draw(rng, key in WHOLE)) if key in spans else rng.choice(values)
            for key, values in grid.items()
        }
        if (values := tuple(point.values())) not in seen:
            seen.add(values)
            found.append(point)
        if len(found) == count:
            return found
    raise InputError(f"random: there are hardly {count} different cells in these ranges")


def _numbered(grid, number):
    """The combination of that number, as itertools.product counts them."""
    point = {}
    for key, values in reversed(grid.items()):
        number, place = divmod(number, len(values))
        point[key] = values[place]
    return {key: point[key] for key in grid}


def _lines(point, scan, options):
    """The points of a scan around one point, the middle only once."""
    fixed = apply(point, options)
    middle = {key: base_value(key, fixed) for key in scan}
    found = []
    for key, values in scan.items():
        for value in values:
            settings = {k: v for k, v in (middle | {key: value}).items() if v is not None}
            settings = point | settings
            if settings not in found:
                found.append(settings)
    return found
