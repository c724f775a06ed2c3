"""One cell of a sweep: its name, the command that trains it, and how far that got."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from minibnn.errors import InputError
from minibnn.training import checkpoint
from minibnn.training.metrics import History, read_rows
from minibnn.training.run_folder import CHECKPOINT, METRICS, read_config

_LONGEST = 120  # of a folder's name; file systems allow 255 bytes


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes
    ----------
    name : str
        Of its folder: ``gamma=0.001_threshold=1e-06_seed=0``.
    settings : dict of str to str
        The keys varied and their values here.
    seed : int
    options : dict
        Options of ``minibnn train`` by name, with hyphens.
    """

    name: str
    settings: dict
    seed: int
    options: dict

    def arguments(self, folder):
        """The command line after ``minibnn train``, to start or to go on in ``folder``."""
        words = []
        for name, value in self.options.items():
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
            elif value is not None:
                words.append(f"--{name}={value}")
        return [*words, f"--seed={self.seed}", f"--out={folder}", "--resume"]

    def progress(self, sweep_folder):
        """A Progress: what the folder of this cell says."""
        folder = Path(sweep_folder) / self.name
        try:
            rows = read_rows(folder / METRICS)
            epochs = self.options.get("epochs")
            if epochs is None:
                epochs = (read_config(folder, missing_ok=True) or {}).get("epochs")
            return Progress(History(self.name, rows), epochs)
        except InputError:  # half a file, or not ours: the run itself will say it
            return Progress(History(self.name), self.options.get("epochs"))

    def finished(self, sweep_folder):
        """Whether its checkpoint holds the end of the run."""
        file = Path(sweep_folder) / self.name / CHECKPOINT
        if not file.exists():
            return False
        try:
            meta, _ = checkpoint.read(file)
        except InputError:
            return False
        epochs = self.progress(sweep_folder).epochs
        return meta["stopped"] or (epochs is not None and meta["epoch"] >= epochs)


@dataclass(frozen=True)
class Progress:
    """The epochs of a cell so far, and how many it will have (None: not known yet)."""

    history: History
    epochs: int | None


def make_cells(points, seeds, apply):
    """A Cell for every seed and point, seeds outermost: the whole grid is seen early.

    Parameters
    ----------
    points : list of dict of str to str
    seeds : list of int
    apply : callable (settings) -> options
    """
    cells, taken = [], set()
    for seed in seeds:
        for settings in points:
            name = cell_name({**settings, "seed": str(seed)})
            if name.casefold() in taken:
                name = _with_digest(name, settings)
            taken.add(name.casefold())
            cells.append(Cell(name, settings, seed, apply(settings)))
    return cells


def cell_name(settings):
    """A folder's name of ``key=value`` pairs.

    >>> cell_name({"gamma": "step:0.001:0.1:20%", "seed": "0"})
    'gamma=step-0.001-0.1-20_seed=0'
    """
    parts = (f"{key}={re.sub(r'[^A-Za-z0-9.+=,-]+', '-', v)}" for key, v in settings.items())
    name = "_".join(part.strip("-") for part in parts)
    return name if len(name) <= _LONGEST else _with_digest(name, settings)


def _with_digest(name, settings):
    """The name, cut if it is long, and what tells it from others."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
    return f"{name[: _LONGEST - 9]}_{digest}"
