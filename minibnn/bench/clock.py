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


class Setting(NamedTuple):
    """What to measure: BinaryNet of that size, on so many threads."""

    threads: int
    filters: int = 128
    batch_size: int = 50
    gradients: tuple = ("float32", "int8")
    effort: Effort = FULL
    quick: bool = False
    cold: bool = False


def measure(call, effort=FULL, warm=1):
    """Seconds of ``call()`` as a dict: their median, the least and the most of ``runs``.

    ``warm`` runs before do not count (they may compile).
    """
    for _ in range(warm):
        call()
    seconds, start = [], time.perf_counter()
    while len(seconds) < effort.least or (
        len(seconds) < effort.most and time.perf_counter() - start < effort.seconds
    ):
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    low, high = min(seconds), max(seconds)
    return {"seconds": median(seconds), "low": low, "high": high, "runs": len(seconds)}


def rate(images, call, effort):
    """``measure``, with images per second."""
    found = measure(call, effort)
    return {"images_per_s": images / found["seconds"], **found}


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
