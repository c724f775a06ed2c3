"""Medians of repeated runs, and what compiling took meanwhile."""

import time
from contextlib import contextmanager
from typing import NamedTuple

FULL, QUICK, ONCE = 0.25, 0.05, 0.0  # seconds for which a measurement is repeated
GRADIENTS = ("float32", "int8")


class Setting(NamedTuple):
    """What to measure, and how long."""

    threads: int | None = None  # MINIBNN_NUM_THREADS, else all
    filters: int = 128  # of the BinaryNet measured
    batch_size: int = 50
    gradients: tuple = GRADIENTS
    effort: float = FULL
    cold: bool = False  # whether to time compiling everything anew, too

    @property
    def quick(self):
        """Whether fewer sizes do, too."""
        return self.effort < FULL

    @property
    def steps(self):
        """How many training steps to take apart."""
        return {FULL: 9, QUICK: 3}.get(self.effort, 1)


def measure(call, effort=FULL):
    """Seconds of ``call()`` as a dict: their median, the least and the most of ``runs``.

    These are 3 to 50, as many as ``effort`` seconds allow, or one for ONCE, after one other.
    """
    from statistics import median

    call()
    seconds, start = [], time.perf_counter()
    least = 1 if effort == ONCE else 3
    while len(seconds) < least or (len(seconds) < 50 and time.perf_counter() - start < effort):
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    low, high = min(seconds), max(seconds)
    return {"seconds": median(seconds), "low": low, "high": high, "runs": len(seconds)}


def rate(images, call, effort):
    """``measure``, with images per second."""
    found = measure(call, effort)
    return {"images_per_s": images / found["seconds"], **found}


@contextmanager
def compiling():
    """A dict whose "seconds" Numba has compiled for inside, known at the end."""
    from numba.core import event

    spent, listener = {"seconds": 0.0}, event.TimingListener()
    with event.install_listener("numba:compile", listener):
        yield spent
    if listener.done:
        spent["seconds"] = listener.duration
