"""Memory that is used again: buffers of the kernels, and arrays nobody holds any more.

A fresh large array costs a page fault for each 4 kB, as much as computing what goes into it. In a
training step the same sizes come again and again, so ``empty`` hands out memory that it got back:
an array is its owner's for as long as any reference to it, or to a view of it, exists.
"""

import sys
from itertools import accumulate
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
        block = np.empty(size + _LINE, np.uint8)
        buffers[name] = block[-block.ctypes.data % _LINE :][:size]
    array = buffers[name][:size].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def workspace(name, shapes, dtypes):
    """Several buffers side by side under one name, each as ``scratch`` makes it."""
    sizes = [prod(s) * np.dtype(t).itemsize for s, t in zip(shapes, dtypes, strict=True)]
    starts = [0, *accumulate(-(-size // _LINE) * _LINE for size in sizes)]
    block, each = scratch(name, starts[-1:], np.uint8), zip(starts[:-1], sizes, strict=True)
    parts = [block[start : start + size] for start, size in each]
    return [part.view(t).reshape(s) for part, t, s in zip(parts, dtypes, shapes, strict=True)]


def empty(shape, dtype):
    """Like ``numpy.empty``, in memory that an earlier array gave back if there is some."""
    used = prod(shape) * np.dtype(dtype).itemsize
    if used < _SMALL:
        return np.empty(shape, dtype)
    size = used + _LINE
    with _lock:
        unused = [k for k in range(len(_pool)) if sys.getrefcount(_pool[k]) == _UNUSED]
        fitting = [k for k in unused if size <= _pool[k].nbytes <= 1.5 * size]
        if fitting:
            best = min(fitting, key=lambda k: _pool[k].nbytes)
            _pool.append(_pool.pop(best))  # the most recently used stand last
        else:
            spare = sum(_pool[k].nbytes for k in unused) + size - _KEPT
            for gone, k in enumerate(unused):
                if spare > 0:
                    spare -= _pool.pop(k - gone).nbytes
            _pool.append(np.empty(size, np.uint8))
        block = _pool[-1]
        return block[-block.ctypes.data % _LINE :][:used].view(dtype).reshape(shape)
