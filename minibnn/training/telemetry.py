"""Flip telemetry: per binary layer and epoch, how many weights flip, which never did, and how near
the others are to it.

``telemetry.npz`` in the run folder holds it as the plain arrays that are listed in ``ARRAYS``, of
E epochs and L binary layers in network order. An edge of the histogram's B bins lies at 1, so with
a threshold the bins from there on hold what is at or beyond it.
"""

import io

import numpy as np

from minibnn.errors import InputError
from minibnn.files.archive import read_arrays
from minibnn.files.atomic import write_atomic
from minibnn.ops.bits import Signs, packed_shape

BINS_PER_DECADE = 8
# Wide enough for |m| in itself and for |m| / threshold; the ends take what is beyond.
EDGES = np.array([0.0, *(10.0 ** (k / BINS_PER_DECADE) for k in range(-12 * 8, 6 * 8 + 1)), np.inf])
ARRAYS = {  # per array, its type and axes: E epochs, L layers, B bins and N of their edges
    "layers": (np.str_, "L"),  # names of the kernels
    "weights": (np.int64, "L"),  # how many each has
    "symbol": (np.str_, ""),  # what the histogram is of: "|m|", "|latent|", ...; "" for nothing
    # Of the bins: 0, 10^(k/8), infinity; in units of the threshold where there is one above 0.
    "edges": (np.float64, "N"),
    "epoch": (np.int64, "E"),  # epochs present, counted from 1
    "steps": (np.int64, "E"),  # steps of each
    "flips": (np.int64, "EL"),  # flips in the epoch, every step's added up
    "pi": (np.float64, "EL"),  # the paper's pi_t (Eq. 7) of the mean step, see ``pi_t``
    # Share of weights without any flip since the run's start, at the epoch's end.
    "never_flipped": (np.float64, "EL"),
    # Flips of the epoch's last step whose own gradient does not exceed Bop's threshold: none, but
    # for roundings of the convex average, unless the threshold falls (E23); -1: nobody counted.
    "against": (np.int64, "EL"),
    "threshold": (np.float64, "EL"),  # of the last step; NaN for an optimizer without one
    # Weights per bin at the epoch's end; bin b: edges[b] <= inertia in this unit < edges[b + 1].
    "histogram": (np.int64, "ELB"),
}
_OF_EPOCHS = [name for name, (_, axes) in ARRAYS.items() if axes.startswith("E")]


def pi_t(flips, weights, steps=1):
    """The paper's flip rate (Eq. 7), ln(flips / weights + e^-9), of the mean of several steps.

    Without any flip it is -9; ln(1 + e^-9) is the most.

    >>> pi_t(flips=[0, 100], weights=[100, 100]).round(6).tolist()
    [-9.0, 0.000123]
    """
    return np.log(np.asarray(flips) / (np.asarray(weights) * steps) + np.exp(-9.0))


class Telemetry:
    """What the binary layers of a run did: ``rows``, one per epoch, as in ``telemetry.npz``.

    It also keeps a bit per binary weight: whether any step has flipped it yet. Values that somebody
    assigns between steps are no flips.
    """

    def __init__(self, parameters=()):
        self.parameters = list(parameters)
        self.layers = [p.name for p in parameters]
        self.weights = np.array([p.size for p in parameters], np.int64)
        self.symbol = ""
        self.rows = []
        shapes = (packed_shape(p.shape, max(0, len(p.shape) - 2)) for p in parameters)
        self._flipped = [np.zeros(shape, np.uint32) for shape in shapes]
        self._before = None  # the last step; words, if there was one

    def signs(self):
        """The words of all signs, to be given to ``add_step`` after an optimizer's step."""
        return [p.signs.words for p in self.parameters]

    def add_step(self, before):
        """Note which signs a step changed."""
        for flipped, old, new in zip(self._flipped, before, self.signs(), strict=True):
            np.bitwise_or(flipped, old ^ new, out=flipped)
        self._before = before

    def state_dict(self):
        """Which weights have flipped: uint32 words per layer, packed as its signs."""
        return {name: words.copy() for name, words in zip(self.layers, self._flipped, strict=True)}

    def load_state_dict(self, arrays):
        """Take over what ``state_dict`` gave; InputError or KeyError if it does not fit."""
        for name, flipped in zip(self.layers, self._flipped, strict=True):
            words = arrays[name]
            if words.shape != flipped.shape or words.dtype != flipped.dtype:
                raise InputError(f"the flipped weights of {name} do not fit")
            flipped[...] = words

    def measure(self, epoch, steps, flips, optimizer):
        """Add the row of an epoch just done; returns its columns of metrics.csv by layer."""
        flips = np.array(flips, np.int64)
        flipped = np.array([np.bitwise_count(words).sum() for words in self._flipped], np.int64)
        tell = getattr(optimizer, "inertia", lambda parameter: None)
        inertias = [tell(p) if p.trainable else None for p in self.parameters]
        found = [histogram(inertia) for inertia in inertias]
        each = zip(inertias, self.parameters, self._before or [None] * len(found), strict=True)
        symbols, thresholds, counts = zip(*found, strict=True) if found else ((), (), ())
        self.symbol = next(filter(None, symbols), self.symbol)
        row = {
            "epoch": epoch,
            "steps": steps,
            "flips": flips,
            "pi": pi_t(flips, self.weights, steps),
            "never_flipped": 1 - flipped / self.weights,
            "against": [flips_against(*one) for one in each],
            "threshold": thresholds,
            "histogram": np.reshape(counts, (len(found), len(EDGES) - 1)),
        }
        self.rows.append(row)
        return {
            f"{name}:{layer}": value
            for name in ("pi", "never_flipped")
            for layer, value in zip(self.layers, row[name].tolist(), strict=True)
        }

    def arrays(self):
        """The arrays of ``telemetry.npz``, by name."""
        sizes = {"E": len(self.rows), "L": len(self.layers), "B": len(EDGES) - 1, "N": len(EDGES)}
        values = {name: [row[name] for row in self.rows] for name in _OF_EPOCHS}
        values |= {"layers": self.layers, "weights": self.weights}
        values |= {"symbol": self.symbol, "edges": EDGES}
        return {
            name: np.array(values[name], dtype).reshape([sizes[axis] for axis in axes])
            for name, (dtype, axes) in ARRAYS.items()
        }

    def write(self, path):
        """Write ``telemetry.npz``, whole or not at all."""
        file = io.BytesIO()
        np.savez_compressed(file, **self.arrays())  # without dates: the same rows, the same bytes
        write_atomic(path, file.getvalue())

    def resume(self, path, epochs):
        """Take the rows of the first ``epochs`` epochs from ``path``, and cut the file to them."""
        self.rows.clear()
        if not path.exists():
            return
        arrays = read_telemetry(path)
        if list(arrays["layers"]) != self.layers or list(arrays["weights"]) != list(self.weights):
            raise InputError(f"{path} is from another network")
        self.symbol = str(arrays["symbol"])
        for k in np.flatnonzero(arrays["epoch"] <= epochs):
            self.rows.append({name: arrays[name][k] for name in _OF_EPOCHS})
        if len(self.rows) < len(arrays["epoch"]):
            self.write(path)


def flips_against(inertia, parameter, before):
    """Flips since the words ``before`` at which b g <= threshold, for b before and Bop; else -1."""
    if before is None or inertia is None or inertia.threshold is None or inertia.symbol != "|m|":
        return -1
    now = parameter.signs
    flipped = Signs(before ^ now.words, now.shape, now.axis).unpack() < 0
    along = -parameter.value * np.asarray(parameter.grad, np.float32)  # g times the bit before
    return int(np.count_nonzero(flipped & (along <= inertia.threshold)))


def histogram(inertia):
    """(symbol, threshold or NaN, counts (B,) int64) of an Inertia; empty ones and zeros of None."""
    if inertia is None:
        return "", np.nan, np.zeros(len(EDGES) - 1, np.int64)
    threshold = np.nan if inertia.threshold is None else float(inertia.threshold)
    counts, _ = np.histogram(inertia.values, EDGES * threshold if threshold > 0 else EDGES)
    return inertia.symbol, threshold, counts


def read_telemetry(path):
    """The arrays of the ``telemetry.npz`` at ``path`` by name, as ``ARRAYS`` lists them."""
    arrays = read_arrays(path, tuple(ARRAYS))
    sizes = {"E": arrays["epoch"].size, "L": arrays["layers"].size, "N": arrays["edges"].size}
    sizes["B"] = sizes["N"] - 1
    for name, (dtype, axes) in ARRAYS.items():
        found, shape = arrays[name], tuple(sizes[axis] for axis in axes)
        if found.shape != shape or found.dtype.type is not dtype:
            words = f"{np.dtype(dtype).name} {shape}, found {found.dtype.name} {found.shape}"
            raise InputError(f"{path} is damaged: {name} must be {words}")
    if not (arrays["edges"][1:] > arrays["edges"][:-1]).all():
        raise InputError(f"{path} is damaged: edges must be ascending float64")
    return arrays
