"""How tasks are dealt out: each to the first thread that is free.

``prange`` shares them out beforehand, and then all threads wait for the slowest. But cores differ,
and other programs take them for a while. So a kernel gives each thread a 0, of which the first
counts the tasks that were taken:

    for _ in prange(len(queue)):
        for task in taken(queue, tasks):
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


@intrinsic
def _take(typingctx, queue):
    """A number from 0 on that no other thread gets."""

    def codegen(context, builder, signature, args):
        first = context.make_array(queue)(context, builder, args[0]).data
        return builder.atomic_rmw("add", first, ir.IntType(64)(1), "monotonic")

    return types.int64(queue), codegen


@njit(nogil=True)  # not a kernel: Numba does not find a generator in a cache
def taken(queue, tasks):
    """The tasks that fall to this thread, of 0 to ``tasks`` - 1."""
    task = _take(queue)
    while task < tasks:
        yield task
        task = _take(queue)
