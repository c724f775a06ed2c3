"""How tasks are dealt out: each to the first thread that is free.

``prange`` shares them out beforehand, and then all threads wait for the slowest. But cores differ,
and other programs take them for a while. So it only counts the threads, and each takes tasks:

    for _ in prange(len(queue)):
        for task in taken(queue, tasks):
"""

import numpy as np
from llvmlite import ir
from numba import get_num_threads, njit, types
from numba.extending import intrinsic


def new_queue():
    """A 0 for each thread, of which the first counts the tasks that were taken."""
    return np.zeros(get_num_threads(), np.int64)


@intrinsic
def _take(typingctx, queue):
    """A number from 0 on that no other thread gets."""

    def codegen(context, builder, signature, args):
        first = context.make_array(queue)(context, builder, args[0]).data
        return builder.atomic_rmw("add", first, ir.IntType(64)(1), "monotonic")

    return types.int64(queue), codegen


@njit(no_cpython_wrapper=True)  # not a kernel: Numba does not find a generator from its cache
def taken(queue, tasks):
    """The tasks that fall to this thread, of 0 to ``tasks`` - 1."""
    task = _take(queue)
    while task < tasks:
        yield task
        task = _take(queue)
