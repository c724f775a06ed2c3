"""The folder of a sweep: which sweep it holds, and that only one process works on it.

::

    sweep.json     the grid, the options and the names of all cells
    summary.csv    a row per cell
    *.png          heat map and curves
    CELL/          the run folder of each cell, and its log.txt
"""

import uuid
from pathlib import Path

from minibnn.errors import InputError
from minibnn.files.text import read_json
from minibnn.training.config import differences
from minibnn.training.run_folder import SWEEP, RunFolder
from minibnn.training.sweep.worker import LOG

SUMMARY = "summary.csv"
FIGURES = ("heatmap.png", "curves.png")
PARTS = ("grid", "scan", "random", "seed", "seeds", "options", "cells")  # of sweep.json
# Options that change no result: with others of these it is the same sweep.
_FREE = ("epochs", "data-dir", "checkpoint-every", "checkpoint-minutes", "tensorboard")


class SweepFolder(RunFolder):
    """A locked sweep folder; use as a context manager.

    Entering it refuses a folder with another sweep or an ordinary run in it, unless ``force``
    replaces that sweep. ``description`` is sweep.json. Workers look for ``stop_file``.
    """

    def __init__(self, path, description, force=False):
        super().__init__(path, force=force)
        self.config, self.description = self.path / SWEEP, description
        self.stop_file = self.path.absolute() / f".stop-{uuid.uuid4().hex[:12]}"

    def check(self):
        """Raise InputError if this start may not use the folder; change nothing."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"out must be a folder, and {self.path} is a file")
        if RunFolder(self.path).holds_run():
            raise InputError(f"{self.path} holds a run, not a sweep: name another folder")
        found, asked = read_sweep(self.path, missing_ok=True), self.description
        if found is None or self.force:
            return
        was, now = (description["options"].get("epochs") or 0 for description in (found, asked))
        if was > now:
            words = f"{self.path} was started for {was}, now {now}"
            raise InputError(f"epochs may only be raised: {words}")
        for key, was, now in differences(_identity(found), _identity(asked)):
            how = "name another folder, or replace that sweep (force)"
            raise InputError(f"{self.path} holds another sweep: {key} was {was}, now {now}; {how}")

    def _begin(self):
        for left in self.path.glob(".stop-*"):  # of a start that was killed
            left.unlink()
        found = read_sweep(self.path, missing_ok=True)
        if self.force and found is not None:
            for name in found["cells"]:
                cell = RunFolder(self.path / name, force=True)
                inside = cell.path.parent == self.path and name != ".."  # not edited
                if inside and cell.path.is_dir():
                    cell.remove(LOG)
            self._unlink(SWEEP, SUMMARY, *FIGURES)
        elif found is not None:
            was, now = (one["options"].get("epochs") for one in (found, self.description))
            if earlier := [*found.get("earlier", ()), *[{"epochs": was}] * (was != now)]:
                self.description["earlier"] = earlier
        if self.force or found != self.description:
            self.write_config(self.description)


def read_sweep(folder, missing_ok=False):
    """sweep.json of a folder, a dict; if it is missing None (``missing_ok``) or InputError."""
    path = Path(folder) / SWEEP
    if not path.exists():
        if missing_ok:
            return None
        raise InputError(f"{folder} is no sweep's folder: it has no {SWEEP}")
    found = read_json(path)
    try:
        _check_parts(**found)
    except (ValueError, TypeError, AttributeError):
        raise InputError(f"{path} is damaged: not the description of a sweep") from None
    return found


def _check_parts(grid, scan, seeds, options, cells, random, seed, earlier=()):
    """ValueError unless the parts of a description are of the kinds they are written as."""
    lists = [*grid.values(), *scan.values(), seeds, cells]
    plain = [random, seed, *options.values(), *(value for values in lists for value in values)]
    kinds = [(lists, list), (plain, str | int | float | None), (cells, str)]
    kinds.append(([one.get("epochs") for one in (options, *earlier)], int | None))
    if not all(isinstance(one, kind) for several, kind in kinds for one in several):
        raise ValueError


def _identity(description):
    options = {k: v for k, v in description["options"].items() if k not in _FREE}
    return {**description, "options": options, "cells": None, "earlier": None}
