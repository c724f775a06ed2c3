"""Operations on each number by itself, over all threads: sums, ReLU, channels, pseudo-gradients."""

import math

import numpy as np
from numba import prange

from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.packing import pack_signs
from minibnn.ops.kernels.scratch import empty


def add(a, b):
    return _each(_add, np.result_type(a, b), (a, b))


def relu(x):
    return _each(_relu, x.dtype, [x])


def relu_grad(dy, x):
    return _each(_relu_grad, dy.dtype, (dy, x))


def scale_channels(x, factor):
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
    y = empty(x.shape, dtype)
    rows = -1, x.shape[-1]
    _scale(np.ascontiguousarray(x).reshape(rows), factor.astype(dtype, copy=False), y.reshape(rows))
    return y


def sign(x):
    return pack_signs(x, -1)


def ste_sign_grad(dy, x, clip_value=1.0):
    if isinstance(dy, Fixed):
        return dy.like(ste_sign_grad(dy.integers, x, clip_value))
    if clip_value is None:
        return dy.copy()
    return _each(_ste, dy.dtype, (dy, x), np.result_type(x, np.float32).type(clip_value))


def approx_sign_grad(dy, x):
    return _each(_approx, dy.dtype, (dy, x), dy.dtype.type(0))


def swish_sign_grad(dy, x, beta=5.0):
    return _each(_swish, dy.dtype, (dy, x), dy.dtype.type(beta))


def _each(loop, dtype, arrays, *number):
    """A new array like the others, of ``dtype``, as the loop fills it."""
    out = empty(arrays[0].shape, dtype)
    loop(*(np.ascontiguousarray(a).reshape(-1) for a in arrays), *number, out.reshape(-1))
    return out


@kernel(parallel=True)
def _add(a, b, y):
    for k in prange(len(y)):
        y[k] = a[k] + b[k]


@kernel(parallel=True)
def _relu(x, y):
    for k in prange(len(y)):
        y[k] = y.dtype.type(0) if x[k] <= 0 else x[k]


@kernel(parallel=True)
def _relu_grad(dy, x, dx):
    for k in prange(len(dx)):
        dx[k] = dy[k] if x[k] > 0 else dx.dtype.type(0)


@kernel(parallel=True)
def _scale(x, factor, y):
    for r in prange(len(y)):
        for c in range(y.shape[1]):
            y[r, c] = y.dtype.type(x[r, c]) * factor[c]


@kernel(parallel=True)
def _ste(dy, x, clip_value, dx):
    for k in prange(len(dx)):
        dx[k] = dy[k] if abs(x[k]) <= clip_value else dy.dtype.type(0)


@kernel(parallel=True)
def _approx(dy, x, zero, dx):
    two = dy.dtype.type(2)
    for k in prange(len(dx)):
        slope = two - two * abs(dy.dtype.type(x[k]))
        dx[k] = (slope if slope > zero else zero) * dy[k]


@kernel(parallel=True)
def _swish(dy, x, beta, dx):
    one, two = dy.dtype.type(1), dy.dtype.type(2)
    for k in prange(len(dx)):
        z = beta * dy.dtype.type(x[k])
        e = math.exp(-abs(z))
        slope = beta * (two - z * math.tanh(z / two)) * (two * e / ((one + e) * (one + e)))
        dx[k] = slope * dy[k]
