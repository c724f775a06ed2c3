"""Buffers that products use while they run, kept between calls.

A name belongs to one use, so no two live at once under it; kernels are called from one thread.
Nothing that is returned to a caller lives here.
"""

from math import prod

import numpy as np

_LINE = 64  # bytes of a cache line, to which buffers are aligned
_buffers = {}


def scratch(name, shape, dtype, fill=None):
    """An array of ``shape`` and ``dtype`` with arbitrary content, or filled with ``fill``."""
    size = prod(shape) * np.dtype(dtype).itemsize
    buffer = _buffers.get(name)
    if buffer is None or buffer.nbytes < size + _LINE:
        _buffers[name] = buffer = np.empty(size + _LINE, np.uint8)
    start = -buffer.ctypes.data % _LINE
    array = buffer[start : start + size].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def release():
    """Give the memory of all buffers back."""
    _buffers.clear()
