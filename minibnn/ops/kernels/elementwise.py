"""Sums of two branches, ReLU and factors of channels, entry by entry over all threads."""

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
        for k in range(part * PART, min((part + 1) * PART, len(y))):
            y[k] = a[k] + b[k]


@kernel(parallel=True)
def _relu(x, y):
    for part in prange(-(-len(y) // PART)):
        for k in range(part * PART, min((part + 1) * PART, len(y))):
            y[k] = y.dtype.type(0) if x[k] <= 0 else x[k]


@kernel(parallel=True)
def _relu_grad(dy, x, dx):
    for part in prange(-(-len(dx) // PART)):
        for k in range(part * PART, min((part + 1) * PART, len(dx))):
            dx[k] = dy[k] if x[k] > 0 else dx.dtype.type(0)


@kernel(parallel=True)
def _scale(x, factor, y):
    for part in prange(-(-len(y) // ROWS)):
        for r in range(part * ROWS, min((part + 1) * ROWS, len(y))):
            for c in range(y.shape[1]):
                y[r, c] = y.dtype.type(x[r, c]) * factor[c]
