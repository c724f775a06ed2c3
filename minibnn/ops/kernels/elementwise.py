"""Sums of two branches, ReLU and factors of channels, entry by entry over all threads.

A task takes slices of its own: from index 0 on, LLVM can tell that no index is negative, and
works on whole vectors.
"""

import numpy as np
from numba import prange

from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.scratch import empty

PART = 1 << 14  # entries of one task
ROWS = 256  # rows of channels of one task


def add(a, b):
    y = empty(a.shape, np.result_type(a, b))
    _add(*map(_flat, (a, b)), y.reshape(-1))
    return y


def relu(x):
    y = empty(x.shape, x.dtype)
    _relu(_flat(x), y.reshape(-1))
    return y


def relu_grad(dy, x):
    dx = empty(dy.shape, dy.dtype)
    _relu_grad(_flat(dy), _flat(x), dx.reshape(-1))
    return dx


def scale_channels(x, factor):
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
    y = empty(x.shape, dtype)
    rows = -1, x.shape[-1]
    _scale(np.ascontiguousarray(x).reshape(rows), factor.astype(dtype, copy=False), y.reshape(rows))
    return y


def _flat(x):
    return np.ascontiguousarray(x).reshape(-1)


@kernel(parallel=True)
def _add(a, b, y):
    for part in prange(-(-len(y) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(y)))
        mine, other, to = a[own], b[own], y[own]
        for k in range(len(to)):
            to[k] = mine[k] + other[k]


@kernel(parallel=True)
def _relu(x, y):
    for part in prange(-(-len(y) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(y)))
        mine, to = x[own], y[own]
        for k in range(len(to)):
            to[k] = y.dtype.type(0) if mine[k] <= 0 else mine[k]


@kernel(parallel=True)
def _relu_grad(dy, x, dx):
    for part in prange(-(-len(dx) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(dx)))
        mine, gradient, to = x[own], dy[own], dx[own]
        for k in range(len(to)):
            to[k] = gradient[k] if mine[k] > 0 else dx.dtype.type(0)


@kernel(parallel=True)
def _scale(x, factor, y):
    for part in prange(-(-len(y) // ROWS)):
        for r in range(part * ROWS, min((part + 1) * ROWS, len(y))):
            for c in range(y.shape[1]):
                y[r, c] = y.dtype.type(x[r, c]) * factor[c]
