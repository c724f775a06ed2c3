"""How many threads compute, as asked for by an argument or the environment."""

import contextlib
import os

from minibnn.errors import InputError

VARIABLE = "MINIBNN_NUM_THREADS"


def cores():
    """Numbers of the cores this process may use; of all, where the system does not tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def thread_count(threads=None):
    """The number asked for by argument or environment variable; None if by neither.

    Raises InputError unless it is a whole number from 1 to what Numba started with.
    """
    asked_by = "threads"
    if threads is None:
        threads, asked_by = os.environ.get(VARIABLE) or None, VARIABLE
        if threads is None:
            return None
    import numba  # loads slowly

    most = numba.config.NUMBA_NUM_THREADS
    with contextlib.suppress(ValueError, TypeError):
        if 1 <= int(threads) <= most:
            return int(threads)
    raise InputError(
        f"{asked_by} must be a whole number from 1 to {most} (what this machine offers), "
        f"found {threads!r}"
    )


def use_threads(threads=None):
    """From now on ``thread_count(threads)`` threads compute; what it is already, if None."""
    if (count := thread_count(threads)) is not None:
        import numba

        numba.set_num_threads(count)
