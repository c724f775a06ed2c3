"""What tests of real cells share."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
from small_runs import without_seconds

from minibnn.cli.cell import train_cell
from minibnn.files import checkpoint
from minibnn.training.metrics import read_rows


def assert_as_alone(folder, cells, alone):
    """Every cell's checkpoint and metrics equal those of ``minibnn train``, bit for bit."""
    for cell in cells:
        out = alone / cell.name
        assert train_cell({**cell.options, "out": str(out), "threads": 1}) == 0
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


class Killer(threading.Thread):
    """Kills the process of a cell, once, as soon as it has an epoch behind it."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder = Path(folder)
        self.start()

    def run(self):
        while not read_rows(self.folder / "metrics.csv"):
            time.sleep(0.01)
        os.kill(int((self.folder / ".lock").read_text()), signal.SIGKILL)
