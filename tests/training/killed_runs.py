"""Runs in a process that dies by SIGKILL at a chosen moment, between or within writes; for
test_kills. A moment is before and after every batch, every sync and every rename, and in the
middle of every write.
"""

import io
import os
import signal

from small_runs import compare, fit

from minibnn.files import atomic
from minibnn.training import run

SETTINGS = {"augment": "paper", "validation": 10}  # 10 steps per epoch
KINDS = {"fit": fit, "compare": compare}


def start(kind, out, epochs, moment, resume):
    """Train until the given moment (0: to the end); prints the steps done, each when it is.

    Every batch is followed by a checkpoint.
    """
    Moments(moment)
    KINDS[kind](out, epochs=epochs, resume=resume, checkpoint_minutes=1e-9, **SETTINGS)


class Moments:
    """Counts them, and ends the process at the one given."""

    def __init__(self, last):
        self.left = last
        atomic.open = self.open
        for name in ("fsync", "replace"):
            setattr(os, name, self.around(getattr(os, name)))
        step = self.around(run.Run.train_step)

        def train_step(one, *batch):
            step(one, *batch)
            print(one.epoch * 10 + one.step, flush=True)

        run.Run.train_step = train_step

    def now(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function):
        def around(*arguments):
            self.now()
            result = function(*arguments)
            self.now()
            return result

        return around

    def open(self, path, mode):
        return Halves(io.FileIO(path, mode), self.now)


class Halves(io.BufferedWriter):
    """A file that is written in two halves, with a call between them."""

    def __init__(self, raw, between):
        super().__init__(raw)
        self.between = between

    def write(self, data):
        half = len(data) // 2
        super().write(data[:half])
        self.flush()
        self.between()
        super().write(data[half:])
