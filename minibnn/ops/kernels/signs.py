"""The sign and its pseudo-gradients, entry by entry."""

import math

import numpy as np
from numba import prange

from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.packing import pack_signs
from minibnn.ops.kernels.scratch import empty

PART = 1 << 14  # entries of one task


def sign(x):
    return pack_signs(x, -1)


def ste_sign_grad(dy, x, clip_value=1.0):
    if isinstance(dy, Fixed):
        return dy.like(ste_sign_grad(dy.integers, x, clip_value))
    if clip_value is None:
        return dy.copy()
    return _each(_ste, dy, x, np.result_type(x, np.float32).type(clip_value))


def approx_sign_grad(dy, x):
    return _each(_approx, dy, x, dy.dtype.type(0))


def swish_sign_grad(dy, x, beta=5.0):
    return _each(_swish, dy, x, dy.dtype.type(beta))


def _each(pass_, dy, x, number):
    dx = empty(dy.shape, dy.dtype)
    pass_(
        np.ascontiguousarray(dy).reshape(-1), np.ascontiguousarray(x).reshape(-1), number,
        dx.reshape(-1),
    )  # fmt: skip
    return dx


# Slices of a task's own start at 0: LLVM then knows that no index is negative, and vectorises.


@kernel(parallel=True)
def _ste(dy, x, clip_value, dx):
    for part in prange(-(-len(dy) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(dy)))
        mine, gradient, to = x[own], dy[own], dx[own]
        for k in range(len(to)):
            to[k] = gradient[k] if abs(mine[k]) <= clip_value else dy.dtype.type(0)


@kernel(parallel=True)
def _approx(dy, x, zero, dx):
    two = dy.dtype.type(2)
    for part in prange(-(-len(dy) // PART)):
        own = slice(part * PART, min((part + 1) * PART, len(dy)))
        mine, gradient, to = x[own], dy[own], dx[own]
        for k in range(len(to)):
            slope = two - two * abs(dy.dtype.type(mine[k]))
            to[k] = (slope if slope > zero else zero) * gradient[k]


@kernel(parallel=True)
def _swish(dy, x, beta, dx):
    one, two = dy.dtype.type(1), dy.dtype.type(2)
    for part in prange(-(-len(dy) // PART)):
        for k in range(part * PART, min((part + 1) * PART, len(dy))):
            z = beta * dy.dtype.type(x[k])
            e = math.exp(-abs(z))
            slope = beta * (two - z * math.tanh(z / two)) * (two * e / ((one + e) * (one + e)))
            dx[k] = slope * dy[k]
