"""Runs in a process that dies by SIGKILL at a chosen moment, between or within writes; for
test_kills. A moment is before and after every batch, every sync and every rename, and in the
middle of every write.
"""

import os
import signal
import sys

from small_runs import compare, fit

from minibnn.files import atomic
from minibnn.training import metrics, run

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
        for module in (atomic, metrics):
            module.open = self.open
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

    def open(self, *arguments, **options):
        file = open(*arguments, **options)
        if file.writable():
            write = file.write

            def halves(data):
                write(data[: len(data) // 2])
                file.flush()
                self.now()
                write(data[len(data) // 2 :])

            file = Writing(file, halves)
        return file


class Writing:
    """A file with another ``write``."""

    def __init__(self, file, write):
        self.file, self.write = file, write

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


if __name__ == "__main__":
    start(*sys.argv[1:3], *map(int, sys.argv[3:5]), sys.argv[5] == "True")
