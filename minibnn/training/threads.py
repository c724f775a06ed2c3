"""How many threads compute: ours as asked for, BLAS always one."""

import contextlib
import os

from minibnn.errors import InputError

VARIABLE = "MINIBNN_NUM_THREADS"


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


def one_blas_thread():
    """A context manager: inside, BLAS uses one thread.

    With more it sums in another order, and results would depend on the number of threads.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


@contextlib.contextmanager
def compute_threads(threads=None):
    """Inside, ``thread_count(threads)`` threads compute and BLAS uses one."""
    count = thread_count(threads)
    with one_blas_thread():
        if count is None:
            yield
            return
        import numba

        before = numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before)
