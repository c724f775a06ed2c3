"""Memory that is used again: buffers of the kernels, and arrays nobody holds any more.

A fresh large array costs a page fault for each 4 kB, as much as computing what goes into it. In a
training step the same sizes come again and again, so ``empty`` hands out memory that it got back:
an array is its owner's for as long as any reference to it, or to a view of it, exists.
"""

import sys
from math import prod
from threading import local

import numpy as np

from minibnn.ops.threads import shared_lock

_LINE = 64  # bytes of a cache line, to which buffers are aligned
_SMALL = 1 << 16  # bytes below which NumPy's own allocation is as good
_KEPT = 1 << 28  # bytes of unused memory that are kept at most
_buffers = local()  # by name, each thread its own
_pool, _lock = [], shared_lock()

# References to a block that only its list knows; every array made of it keeps it as its base.
_probe = [np.empty(1)]
_UNUSED = sys.getrefcount(_probe[0])


def scratch(name, shape, dtype, fill=None):
    """A kernel's buffer of ``shape`` and ``dtype``, with arbitrary content or filled.

    A name belongs to one use, so that in one thread no two live at once under it. Nothing that
    is returned to a caller lives here.
    """
    size, buffers = prod(shape) * np.dtype(dtype).itemsize, vars(_buffers)
    if name not in buffers or buffers[name].nbytes < size:
        buffers[name] = _aligned(np.empty(size + _LINE, np.uint8), size)
    array = buffers[name][:size].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def empty(shape, dtype):
    """Like ``numpy.empty``, in memory that an earlier array gave back if there is some."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(shape, dtype)
    with _lock:
        return _aligned(_take(size + _LINE), size).view(dtype).reshape(shape)


def _take(size):
    """An unused block of at least ``size`` bytes and at most twice that, or a new one."""
    unused = [k for k in range(len(_pool)) if sys.getrefcount(_pool[k]) == _UNUSED]
    fitting = [k for k in unused if size <= _pool[k].nbytes <= 2 * size]
    if fitting:
        best = min(fitting, key=lambda k: _pool[k].nbytes)
        _pool.append(_pool.pop(best))  # the most recently used stand last
    else:
        spare = sum(_pool[k].nbytes for k in unused) + size - _KEPT
        for gone, k in enumerate(unused):
            if spare > 0:
                spare -= _pool.pop(k - gone).nbytes
            else:
                break
        _pool.append(np.empty(size, np.uint8))
    return _pool[-1]


def _aligned(block, size):
    start = -block.ctypes.data % _LINE
    return block[start : start + size]


def release():
    """Give all memory that nobody uses back; of the buffers, those of this thread."""
    vars(_buffers).clear()
    with _lock:
        _pool[:] = [_pool[k] for k in range(len(_pool)) if sys.getrefcount(_pool[k]) > _UNUSED]
