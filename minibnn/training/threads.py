"""How many threads compute: ours as asked for, BLAS always one."""

import contextlib

from minibnn.ops.threads import thread_count


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
