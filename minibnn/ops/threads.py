"""How many threads compute, and what they share: of Numba, of BLAS, and at a fork.

Any number of Python threads may compute at once. Numba keeps the number of its threads for each
Python thread, BLAS one for the process: here the former is made to hold for all, and the latter
stays limited until the last who asked for it is done.
"""

import contextlib
import os
from functools import cache
from threading import RLock, local

from minibnn.errors import InputError

VARIABLE = "MINIBNN_NUM_THREADS"
_ALL = object()  # nothing was asked for yet
_asked, _own = _ALL, local()  # by ``use_threads`` or the environment; what a thread knows of it


def shared_lock():
    """A lock of all threads. It is never held across a fork, where nobody could release it."""
    lock = RLock()
    if hasattr(os, "register_at_fork"):
        release = dict.fromkeys(("after_in_parent", "after_in_child"), lock.release)
        os.register_at_fork(before=lock.acquire, **release)
    return lock


def cores():
    """Numbers of the cores this process may use; of all, where the system does not tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def thread_count(threads=None):
    """The number asked for by argument or environment variable; None if by neither.

    Raises InputError unless it is an integer from 1 to what Numba started with.
    """
    asked_by = "threads"
    if threads is None:
        threads, asked_by = os.environ.get(VARIABLE) or None, VARIABLE
        if threads is None:
            return None
    import numba  # loads slowly

    most = numba.config.NUMBA_NUM_THREADS
    with contextlib.suppress(ValueError, TypeError):
        if 1 <= int(str(threads)) <= most:
            return int(threads)
    words = f"an integer from 1 to {most} (what this machine offers)"
    raise InputError(f"{asked_by} must be {words}, found {threads!r}")


def use_threads(threads=None):
    """From now on ``thread_count(threads)`` threads compute, whichever Python thread calls."""
    global _asked
    _asked = thread_count(threads)
    _own.asked = None
    apply_threads()


def apply_threads():
    """Have this Python thread compute with as many threads as were asked for."""
    if _asked is _ALL:
        use_threads()
    elif _asked is not None and getattr(_own, "asked", None) != _asked:
        import numba

        numba.set_num_threads(_asked)
        _own.asked = _asked


@contextlib.contextmanager
def compute_threads(threads=None):
    """Inside, this Python thread computes with ``thread_count(threads)``, and BLAS with one."""
    count = thread_count(threads)
    with one_blas_thread():
        if count is None:
            yield
            return
        import numba

        apply_threads()  # not later, over what is set here
        before = numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before)


@cache
def _blas():
    import scipy.linalg.cython_blas  # noqa: F401  the library that Numba's np.dot calls
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_lock, _inside, _limit = shared_lock(), 0, None


@contextlib.contextmanager
def one_blas_thread():
    """Inside, BLAS uses one thread.

    With more it sums in another order, and results would depend on the number of threads.
    """
    global _inside, _limit
    with _lock:
        if not _inside:
            _limit = _blas().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.restore_original_limits()
