"""Passes over single numbers that NumPy makes too slowly, over all threads."""

import numpy as np
from numba import prange

from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.normalisation import PART, integer_sums
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.reference import fixed as reference


def add(a, b):
    y = empty(a.shape, np.result_type(a, b))
    _add(*(np.ascontiguousarray(x).reshape(-1) for x in (a, b)), y.reshape(-1))
    return y


def approx_sign_grad(dy, x):
    dx = empty(dy.shape, dy.dtype)
    _approx(*(np.ascontiguousarray(z).reshape(-1) for z in (dy, x)), dx.reshape(-1))
    return dx


def centred(dw, dy, x, count, fixed=False):
    if fixed:
        return reference.centred(dw, dy, x, count, fixed)
    outputs, unit = dy.shape[-1], Fixed(None, dw.exponent, dw.divisor * count).unit
    flat, rows = dy.integers.reshape(-1, outputs), dw.integers.reshape(-1, outputs)
    sums = np.empty((-(-len(flat) // PART), 2, outputs), np.int64)
    integer_sums(np.ascontiguousarray(flat), sums)
    out = empty(dw.shape, np.float32)
    _centred(rows, x.reshape(-1), sums.sum(0)[0], count, np.float32(unit), out.reshape(rows.shape))
    return out


@kernel(parallel=True)
def _centred(dw, x, total, count, unit, out):
    for i in prange(len(dw)):
        for o in range(dw.shape[1]):
            out[i, o] = np.float32(np.int64(dw[i, o]) * count - x[i] * total[o]) * unit


@kernel(parallel=True)
def _add(a, b, y):
    for k in prange(len(y)):
        y[k] = a[k] + b[k]


@kernel(parallel=True)
def _approx(dy, x, dx):
    zero, two = dy.dtype.type(0), dy.dtype.type(2)
    for k in prange(len(dx)):
        slope = two - two * abs(dy.dtype.type(x[k]))
        dx[k] = (zero if slope < zero else slope) * dy[k]
