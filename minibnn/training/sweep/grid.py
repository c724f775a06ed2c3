"""The cells of a sweep: every combination of what it varies, one key at a time, or draws.

A key is an argument of the binary optimizer (``gamma``), one of the real optimizer (``real.lr``) or
an option of ``minibnn train`` (``batch-size``). Its values are numbers, True, False or texts such
as schedules. They are read once, by ``value_of``.
"""

import hashlib
import itertools
import math
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from minibnn.errors import InputError, integer
from minibnn.files import checkpoint
from minibnn.nn import BatchNorm
from minibnn.optim import parse_optimizer
from minibnn.optim.parse import change_arguments
from minibnn.training.metrics import History, read_rows
from minibnn.training.run_folder import CHECKPOINT, METRICS, read_config
from minibnn.zoo.recipes import scaled

MOST = 10_000  # cells; more is a slip of the hand
OPTIMIZERS = {"": "optimizer", "real.": "real-optimizer"}  # prefix of a key -> option it changes
LEAST = {"batch-size": 1, "dense-units": 1, "epochs": 1, "filters": 1, "validation": 0}
OPTIONS = (
    *LEAST,
    *("augment", "bn-momentum", "cutout", "dataset", "gradients", "model", "optimizer"),
    *("real-optimizer", "recipe", "width"),
)
_LONGEST = 120  # of a folder's name; file systems allow 255 bytes
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


def value_of(value):
    """A value as a sweep keeps it: a number, True, False or a text.

    >>> [value_of(x) for x in ("1e-3", "50", 50.0, "yes", "cosine:1:0")]
    [0.001, 50, 50, True, 'cosine:1:0']
    """
    if isinstance(value, bool):
        return value
    text = text_of(value).strip()
    try:
        number = float(text)
    except ValueError:
        return _WORDS.get(text.lower(), text)
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def text_of(value):
    """A value as the command line and a table write it."""
    words = {True: "yes", False: "no", None: "none"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def key_name(name):
    """The name of a key: those of options have hyphens."""
    hyphens = name.replace("_", "-")
    return hyphens if hyphens in OPTIONS else name


def read_texts(texts, option="--grid"):
    """``{key: [texts]}`` of texts like ``gamma=1e-2,1e-3``.

    An optimizer's arguments belong to the optimizer before them.

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
        if key in OPTIMIZERS.values():
            specs = []
            for piece in values:
                if specs and "=" in piece.partition(":")[0]:
                    specs[-1] += ("," if ":" in specs[-1] else ":") + piece
                else:
                    specs.append(piece)
            values = specs
        found[key] = values
    return found


def cell_options(settings, options):
    """The options of ``minibnn train`` for one cell: those all share, with its settings in them."""
    options, changes = dict(options), {}
    for key, value in settings.items():
        if key in OPTIONS:
            options[key] = _checked(key, value)
        else:
            changes[key] = text_of(value)
    for key, text in changes.items():
        option, name = _argument(key, options)
        options[option] = change_arguments(options[option], {name: text})
        parse_optimizer(options[option])  # complains of values
    return options


def _checked(key, value):
    """The value of an option of ``minibnn train``; InputError if it cannot be one."""
    if key in LEAST:
        integer(value, key, LEAST[key])
    elif key == "width":
        scaled({}, value)  # complains of it
    elif key == "bn-momentum":
        BatchNorm(momentum=text_of(value) if isinstance(value, bool) else value)  # complains
    elif key in ("augment", "cutout"):
        if not isinstance(value, bool):
            raise InputError(f"{key} must be yes or no, found {value!r}")
    else:
        value = text_of(value)
        if key in OPTIMIZERS.values():
            parse_optimizer(value)
    return value


def _argument(key, options):
    """The option and the argument of it that ``key`` is; InputError if there is none."""
    known, words = {}, []
    for prefix, option in OPTIMIZERS.items():
        if not (spec := options.get(option)):
            words.append(f"no {option}")
            continue
        names = {prefix + name: (option, name) for name in parse_optimizer(spec).arguments}
        known |= names
        words.append(f"of {spec.partition(':')[0]}: {', '.join(names)}")
    if key not in known:
        words.append(f"options: {', '.join(OPTIONS)}")
        raise InputError(f"{key} is no key of a sweep; {'; '.join(words)}")
    return known[key]


def unvaried(key, options):
    """The value a key has where it is not varied; None for an option that nobody set."""
    if key in OPTIONS:
        return options.get(key)
    option, name = _argument(key, options)
    return value_of(getattr(parse_optimizer(options[option]), name))


def points(grid, scan, options, count=None, seed=0):
    """The settings to try, each once and in order, as ``{key: value}``; grid and scan as read.

    ``grid``, ``scan`` and ``count`` (random) are ``sweep``'s, ``options`` what all cells share.
    """
    grid, scan = ({key_name(k): _values(k, v) for k, v in part.items()} for part in (grid, scan))
    for key in grid.keys() & scan.keys():
        raise InputError(f"{key} is in the grid and in the scan: choose one")
    if not grid and not scan:
        raise InputError("a sweep needs something to vary: a grid or a scan")
    ranges = {k: span for k, v in (grid | scan).items() if (span := _range(k, v)) is not None}
    if count is None:
        for key in ranges:
            value = (grid | scan)[key][0]
            raise InputError(f"{key}={value} is a range to draw from: it needs --random N")
        check_size(math.prod(map(len, grid.values())) * max(1, sum(map(len, scan.values()))))
        found = [dict(zip(grid, v, strict=True)) for v in itertools.product(*grid.values())]
    elif scan:
        raise InputError("random cells are drawn from the grid: leave the scan out")
    else:
        found = _drawn(grid, ranges, count, seed)
        for key, span in ranges.items():  # what no draw has met may be out of range as well
            for end in (span.low, span.high):
                cell_options(found[0] | {key: value_of(end)}, options)
    if scan:
        found = [line for point in found for line in _lines(point, scan, options)]
    return found, grid, scan


def check_size(size):
    """InputError for more cells than a sweep can have."""
    if size > MOST:
        raise InputError(f"a sweep of {size:,} cells: {MOST:,} are the most")


def _values(key, values):
    """The values of a key, read; InputError for none or the same twice."""
    if key == "seed":
        raise InputError("seed is no key of a sweep: seeds are given by --seeds")
    values = [values] if isinstance(values, str) or not hasattr(values, "__iter__") else values
    values = [value_of(value) for value in values]
    if not values:
        raise InputError(f"{key} has no values")
    for value, times in Counter(values).items():
        if times > 1:
            raise InputError(f"{key} has the value {text_of(value)} twice")
    return values


class Range(NamedTuple):
    """Where values are drawn from: evenly, or evenly in the logarithm."""

    kind: str
    low: float
    high: float

    def draw(self, rng, integer):
        """A value, rounded to three digits or to an integer."""
        if self.kind == "log":
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = rng.uniform(self.low, self.high)
        if integer:
            return round(value)
        return value_of(min(max(float(f"{value:.3g}"), self.low), self.high))


def _range(key, values):
    """The Range that is the only value of a key, or None."""
    kind, *ends = text_of(values[0]).split(":")
    if len(values) > 1 or kind not in ("log", "uniform"):
        return None
    try:
        low, high = map(float, ends)
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)) or (kind == "log" and low <= 0):
        words = "log:LOW:HIGH with 0 < LOW < HIGH, or uniform:LOW:HIGH with LOW < HIGH"
        raise InputError(f"{key}: a range is {words}, found {values[0]!r}")
    return Range(kind, low, high)


def _drawn(grid, ranges, count, seed):
    """``count`` different points of the grid at random."""
    check_size(count := integer(count, "random", 1))
    size = math.prod(map(len, grid.values()))
    if not ranges and count > size:
        raise InputError(f"random must be at most {size}, the size of the grid, found {count}")
    rng, found = random.Random(seed), {}
    for _ in range(100 * count):  # draws may repeat
        point = {
            key: ranges[key].draw(rng, key in LEAST) if key in ranges else rng.choice(values)
            for key, values in grid.items()
        }
        found.setdefault(tuple(point.values()), point)
        if len(found) == count:
            return list(found.values())
    raise InputError(f"random: there are hardly {count} different cells in these ranges")


def _lines(point, scan, options):
    """The points of a scan around one point, the middle only once."""
    fixed = cell_options(point, options)
    middle = {key: value for key in scan if (value := unvaried(key, fixed)) is not None}
    found = []
    for key, values in scan.items():
        for value in values:
            settings = point | middle | {key: value}
            if settings not in found:
                found.append(settings)
    return found


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    ``name`` is that of its folder, such as ``gamma=0.001_threshold=1e-06_seed=0``; ``settings``
    are the keys varied, ``options`` all options of ``minibnn train``, what JSON can hold.
    """

    name: str
    settings: dict
    seed: int
    options: dict

    def history(self, sweep_folder):
        """The epochs in its folder so far."""
        try:
            return History(self.name, read_rows(Path(sweep_folder) / self.name / METRICS))
        except InputError:  # half a file, or not ours: the run itself will say it
            return History(self.name)

    def finished(self, sweep_folder):
        """Whether its checkpoint holds the end of the run; metrics.csv may be ahead of it."""
        folder = Path(sweep_folder) / self.name
        try:
            meta, _ = checkpoint.read(folder / CHECKPOINT)
            epochs = self.options.get("epochs") or read_config(folder)["epochs"]
            return meta["stopped"] or meta["epoch"] >= epochs
        except (InputError, KeyError):
            return False


def make_cells(points, seeds, options):
    """A Cell for every seed and point, seeds outermost: the whole grid is seen early."""
    made = [(settings, cell_options(settings, options)) for settings in points]
    cells, taken = [], set()
    for seed in seeds:
        for settings, own in made:
            name = cell_name({**settings, "seed": seed})
            if name.casefold() in taken:
                name = _with_digest(name, {**settings, "seed": seed})
            taken.add(name.casefold())
            cells.append(Cell(name, settings, seed, {**own, "seed": seed}))
    return cells


def cell_name(settings):
    """A folder's name of ``key=value`` pairs.

    >>> cell_name({"gamma": "step:0.001:0.1:20%", "seed": 0})
    'gamma=step-0.001-0.1-20_seed=0'
    """
    texts = {key: re.sub(r"[^A-Za-z0-9.+=,-]+", "-", text_of(v)) for key, v in settings.items()}
    name = "_".join(f"{key}={text}".strip("-") for key, text in texts.items())
    return name if len(name) <= _LONGEST else _with_digest(name, settings)


def _with_digest(name, settings):
    """The name, cut if it is long, and what tells it from others."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9]}_{digest}"
