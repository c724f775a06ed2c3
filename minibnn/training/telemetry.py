"""Flip telemetry: per binary layer and epoch, how many weights flip, which never did, and how near
the others are to it.

``telemetry.npz`` in the run folder holds it as plain arrays (no pickles), with E epochs, L binary
layers in network order and B bins:

================  ==============  =================================================================
layers            (L,) str        names of the kernels
weights           (L,) int64      how many each has
symbol            () str          what the histogram is of: "|m|", "|latent|", ...; "" for nothing
edges             (B + 1,) float  of the bins, in units of ``unit``: 0, 10^(k/8), infinity
epoch             (E,) int64      epochs present, counted from 1
steps             (E,) int64      steps of each
flips             (E, L) int64    flips in the epoch, every step's added up
pi                (E, L) float    the paper's pi_t (Eq. 7) of the mean step, see ``pi_t``
never_flipped     (E, L) float    share of weights without any flip since the run's start, at the
                                  epoch's end; NaN in a run whose start was not recorded
threshold         (E, L) float    of the epoch's last step; NaN for an optimizer without one
unit              (E, L) float    the threshold where there is one above 0, else 1
histogram         (E, L, B) int   weights per bin at the epoch's end; bin b holds
                                  edges[b] * unit <= inertia < edges[b + 1] * unit
================  ==============  =================================================================

An edge lies at 1, so with a threshold the bins from there on hold what is at or beyond it.
"""

import io

import numpy as np

from minibnn.errors import InputError
from minibnn.files.atomic import staged, write_atomic
from minibnn.files.npz import read_arrays
from minibnn.training.errors import TrainingError

BINS_PER_DECADE = 8
# Wide enough for |m| in itself and for |m| / threshold; the ends take what is beyond.
EDGES = np.array([0.0, *(10.0 ** (k / BINS_PER_DECADE) for k in range(-12 * 8, 6 * 8 + 1)), np.inf])
_PER_EPOCH = {
    "epoch": (np.int64, ""),
    "steps": (np.int64, ""),
    "flips": (np.int64, "L"),
    "pi": (np.float64, "L"),
    "never_flipped": (np.float64, "L"),
    "threshold": (np.float64, "L"),
    "unit": (np.float64, "L"),
    "histogram": (np.int64, "LB"),
}


def pi_t(flips, weights, steps=1):
    """The paper's flip rate (Eq. 7), ln(flips / weights + e^-9), of one step.

    Of several steps it is that of the mean step: the logarithm of the mean share of weights that
    flip, not the mean of logarithms. Without any flip it is -9; ln(1 + e^-9) is the most.

    >>> pi_t(flips=[0, 100], weights=[100, 100]).round(6).tolist()
    [-9.0, 0.000123]
    """
    return np.log(np.asarray(flips) / (np.asarray(weights) * steps) + np.exp(-9.0))


class FlippedWeights:
    """A bit per binary weight: whether any step has flipped it yet.

    Signs are compared as packed words, which the next forward product needs in any case, so that
    a step costs two passes over a bit per weight. Only ``step`` counts: values that somebody
    assigns between steps are no flips.

    Parameters
    ----------
    parameters : list of binary Parameter
    """

    def __init__(self, parameters):
        self._parameters = list(parameters)
        self._flipped = [np.zeros_like(p.signs.words) for p in self._parameters]
        self.known = True

    def before(self):
        """The words of all signs, to be given to ``after``; call it before an optimizer's step."""
        return [p.signs.words for p in self._parameters]

    def after(self, before):
        """Note what the step changed."""
        for p, flipped, old in zip(self._parameters, self._flipped, before, strict=True):
            np.bitwise_or(flipped, old ^ p.signs.words, out=flipped)

    def never(self):
        """Share of weights without a flip, per parameter; NaN if the start is not known."""
        if not self.known:
            return np.full(len(self._parameters), np.nan)
        flipped = [int(np.bitwise_count(words).sum()) for words in self._flipped]
        sizes = [p.size for p in self._parameters]
        return np.array([1 - n / size for n, size in zip(flipped, sizes, strict=True)], np.float64)

    def state_dict(self):
        """uint32 words per parameter, packed as its signs; nothing if the start is not known."""
        if not self.known:
            return {}
        names = (p.name for p in self._parameters)
        return {name: words.copy() for name, words in zip(names, self._flipped, strict=True)}

    def load_state_dict(self, arrays):
        """Take over what ``state_dict`` gave; without arrays the start is not known."""
        self.known = bool(arrays) or not self._parameters
        if not arrays:
            return
        for p, flipped in zip(self._parameters, self._flipped, strict=True):
            words = arrays[p.name]
            if words.shape != flipped.shape or words.dtype != flipped.dtype:
                raise InputError(f"the flipped weights of {p.name} do not fit")
            flipped[...] = words


class Telemetry:
    """What the binary layers of a run did, epoch by epoch.

    Attributes
    ----------
    layers : list of str
    weights : (L,) int64
    symbol : str
    rows : list of dict
        One per epoch, with the arrays of ``telemetry.npz`` less their first axis.
    """

    def __init__(self, parameters=()):
        self.layers = [p.name for p in parameters]
        self.weights = np.array([p.size for p in parameters], np.int64)
        self.symbol = ""
        self.rows = []

    def __len__(self):
        return len(self.rows)

    def measure(self, epoch, steps, flips, never_flipped, parameters, optimizer):
        """Add the row of an epoch just done.

        Returns
        -------
        dict of the columns of metrics.csv: pi:LAYER and never_flipped:LAYER (None if not known).
        """
        flips = np.array(flips, np.int64)
        found = [histogram(optimizer, p) for p in parameters]
        self.symbol = next((symbol for symbol, *_ in found if symbol), self.symbol)
        row = {
            "epoch": epoch,
            "steps": steps,
            "flips": flips,
            "pi": pi_t(flips, self.weights, steps),
            "never_flipped": never_flipped,
            "threshold": [threshold for _, threshold, *_ in found],
            "unit": [unit for *_, unit, _ in found],
            "histogram": [counts for *_, counts in found],
        }
        self.rows.append(self._typed(row))
        columns = {f"pi:{n}": float(pi) for n, pi in zip(self.layers, row["pi"], strict=True)}
        for name, share in zip(self.layers, never_flipped, strict=True):
            columns[f"never_flipped:{name}"] = None if np.isnan(share) else float(share)
        return columns

    def arrays(self):
        """The arrays of ``telemetry.npz``, by name."""
        rows = {
            name: np.array([row[name] for row in self.rows], dtype).reshape(
                len(self), *self._shape(axes)
            )
            for name, (dtype, axes) in _PER_EPOCH.items()
        }
        return {
            "layers": np.array(self.layers, np.str_),
            "weights": self.weights,
            "symbol": np.array(self.symbol, np.str_),
            "edges": EDGES,
            **rows,
        }

    def write(self, path):
        """Write ``telemetry.npz``, whole or not at all; TrainingError if that fails."""
        file = io.BytesIO()
        np.savez_compressed(file, **self.arrays())  # without dates: the same rows, the same bytes
        try:
            write_atomic(path, file.getvalue())
        except OSError as error:
            raise TrainingError(f"writing {path} failed: {error.strerror or error}") from error

    def resume(self, path, epochs):
        """Take the rows of the first ``epochs`` epochs from ``path``, and cut the file to them.

        A missing file is that of a run whose telemetry was not written: it has no rows then.
        InputError if the file is damaged or another network's.
        """
        staged(path).unlink(missing_ok=True)
        self.rows.clear()
        if not path.exists():
            return
        if epochs == 0:
            path.unlink()
            return
        arrays = read_telemetry(path)
        if list(arrays["layers"]) != self.layers or list(arrays["weights"]) != list(self.weights):
            raise InputError(f"{path} is from another network")
        self.symbol = str(arrays["symbol"])
        for k in np.flatnonzero(arrays["epoch"] <= epochs):
            self.rows.append(self._typed({name: arrays[name][k] for name in _PER_EPOCH}))
        if len(self.rows) < len(arrays["epoch"]):
            self.write(path)

    def _typed(self, row):
        return {
            name: np.array(row[name], dtype).reshape(self._shape(axes))
            for name, (dtype, axes) in _PER_EPOCH.items()
        }

    def _shape(self, axes):
        return tuple({"L": len(self.layers), "B": len(EDGES) - 1}[axis] for axis in axes)


def histogram(optimizer, parameter):
    """How many weights of ``parameter`` have which inertia, as ``optimizer`` sees it.

    Returns
    -------
    symbol : str
    threshold : float, NaN without one
    unit : float
        The threshold if above 0, else 1.
    counts : (B,) int64
        Between ``EDGES`` times the unit. All 0, and no symbol, for an optimizer that has no
        method ``inertia``.
    """
    ask = getattr(optimizer, "inertia", None)
    found = ask(parameter) if ask else None
    if found is None:
        return "", np.nan, 1.0, np.zeros(len(EDGES) - 1, np.int64)
    threshold = np.nan if found.threshold is None else float(found.threshold)
    unit = threshold if threshold > 0 else 1.0
    counts, _ = np.histogram(found.values, EDGES * unit)
    return found.symbol, threshold, unit, counts


def read_telemetry(path):
    """The arrays of a ``telemetry.npz``, by name; see the top of this module.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to array

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    arrays = read_arrays(path, ("layers", "weights", "symbol", "edges", *_PER_EPOCH))
    axes = {"E": arrays["epoch"].size, "L": arrays["layers"].size, "B": arrays["edges"].size - 1}
    wanted = {name: (np.dtype(dtype), "E" + names) for name, (dtype, names) in _PER_EPOCH.items()}
    text = np.dtype(np.str_)
    for name, (dtype, names) in (
        wanted | {"layers": (text, "L"), "symbol": (text, ""), "weights": (np.dtype(np.int64), "L")}
    ).items():
        found, expected = arrays[name], tuple(axes[axis] for axis in names)
        if found.shape != expected or found.dtype.type is not dtype.type:
            raise InputError(
                f"{path} is damaged: {name} must be {dtype.name} {expected}, "
                f"found {found.dtype.name} {found.shape}"
            )
    edges = arrays["edges"]
    if edges.ndim != 1 or edges.dtype != np.float64 or not (edges[1:] > edges[:-1]).all():
        raise InputError(f"{path} is damaged: edges must be ascending float64")
    return arrays
