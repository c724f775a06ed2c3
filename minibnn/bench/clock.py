"""Medians of repeated runs, and what compiling took meanwhile."""

import time
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple


class Effort(NamedTuple):
    """How often to repeat: at least ``least`` times, then until ``seconds`` or ``most``."""

    least: int
    most: int
    seconds: float


FULL = Effort(3, 50, 0.25)
QUICK = Effort(3, 10, 0.05)
LEAST = Effort(1, 1, 0.0)  # one run, to try things out


class Timing(NamedTuple):
    """Seconds of one run: the median, the least and the most of ``runs``."""

    median: float
    low: float
    high: float
    runs: int


def measure(call, effort=FULL, warm=1):
    """The Timing of ``call()``; ``warm`` runs before it do not count (they may compile)."""
    for _ in range(warm):
        call()
    seconds, start = [], time.perf_counter()
    while len(seconds) < effort.least or (
        len(seconds) < effort.most and time.perf_counter() - start < effort.seconds
    ):
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    return Timing(median(seconds), min(seconds), max(seconds), len(seconds))


class Compiling:
    """``seconds`` that Numba has compiled for."""

    seconds = 0.0


@contextmanager
def compiling():
    """A Compiling that counts inside; code found in the cache on disk is not compiled."""
    from numba.core import event

    spent, listener = Compiling(), event.TimingListener()
    with event.install_listener("numba:compile", listener):
        yield spent
    if listener.done:
        spent.seconds = listener.duration
