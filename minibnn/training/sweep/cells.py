"""One cell of a sweep: its name, the options that train it, and how far that got."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from minibnn.errors import InputError
from minibnn.files import checkpoint
from minibnn.training.metrics import History, read_rows
from minibnn.training.run_folder import CHECKPOINT, METRICS, read_config
from minibnn.training.sweep.grid import cell_options, text_of

_LONGEST = 120  # of a folder's name; file systems allow 255 bytes


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
                name = _with_digest(name, settings)
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
