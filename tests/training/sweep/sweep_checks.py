"""What tests of real cells share."""

import os
import signal
from pathlib import Path

import numpy as np
from small_runs import without_seconds

from minibnn.cli import main
from minibnn.training import checkpoint
from minibnn.training.metrics import read_rows
from minibnn.training.sweep.progress import Silent


def assert_as_alone(folder, cells, alone):
    """Every cell's checkpoint and metrics equal those of ``minibnn train``, bit for bit."""
    for cell in cells:
        out = alone / cell.name
        words = [w for w in cell.arguments(out) if w != "--resume"]
        assert main(["train", *words, "--threads=1"]) == 0
        meta, arrays = checkpoint.read(out / "checkpoint.npz")
        found_meta, found = checkpoint.read(folder / cell.name / "checkpoint.npz")
        assert found_meta == meta
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array, err_msg=f"{cell.name} {name}")
            assert found[name].dtype == array.dtype
        rows, expected = (read_rows(f / "metrics.csv") for f in (folder / cell.name, out))
        assert without_seconds(rows) == without_seconds(expected)
        telemetry = [(f / "telemetry.npz").read_bytes() for f in (folder / cell.name, out)]
        assert telemetry[0] == telemetry[1]


class Killer(Silent):
    """Kills the process of a cell, once, as soon as it has an epoch behind it."""

    def __init__(self, folder, name):
        self.folder, self.name = Path(folder) / name, name
        self.killed, self.notes = None, []

    def look(self, running, remaining):
        if self.killed or self.name not in running or not len(running[self.name].history):
            return
        self.killed = int((self.folder / ".lock").read_text())
        os.kill(self.killed, signal.SIGKILL)

    def note(self, text):
        self.notes.append(text)
