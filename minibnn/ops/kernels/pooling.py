"""Max pooling; a task owns one row of outputs, or one image of gradients."""

import numpy as np
from numba import prange

from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.shapes import windows


def max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    seen = windows(x.shape[1:3], pool_size, strides, padding)
    y = empty((len(x), *seen.output, x.shape[3]), x.dtype)
    where = empty(y.shape, np.uint8)
    _max(np.ascontiguousarray(x), pool_size, strides, (seen.top, seen.left), y, where)
    return y, where


def max_pool2d_grad(dy, where, input_shape, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    if isinstance(dy, Fixed):  # windows that overlap may add up to more than dy's type holds
        wide = dy.integers if strides == pool_size else dy.integers.astype(np.int32)
        return dy.like(max_pool2d_grad(wide, where, input_shape, pool_size, strides, padding))
    seen = windows(tuple(input_shape[1:3]), pool_size, strides, padding)
    dx = empty(tuple(input_shape), dy.dtype)
    _max_grad(np.ascontiguousarray(dy), where, pool_size, strides, (seen.top, seen.left), dx)
    return dx


@kernel(inner=True)
def _span(output, stride, before, pool, size):
    """First and last entry + 1 of a window, and of those that exist."""
    first = output * stride - before
    return first, max(first, 0), min(first + pool, size)


@kernel(parallel=True)
def _max(x, pool, strides, before, y, where):
    images, height, width, channels = y.shape
    for task in prange(images * height):
        n, row = task // height, task % height
        top, y0, y1 = _span(row, strides[0], before[0], pool[0], x.shape[1])
        for column in range(width):
            left, x0, x1 = _span(column, strides[1], before[1], pool[1], x.shape[2])
            entry = np.uint8((y0 - top) * pool[1] + x0 - left)
            for c in range(channels):
                y[n, row, column, c] = x[n, y0, x0, c]
                where[n, row, column, c] = entry
            for i in range(y0, y1):
                for j in range(x0, x1):
                    entry = np.uint8((i - top) * pool[1] + j - left)
                    for c in range(channels):
                        best = y[n, row, column, c]
                        if best == best and not x[n, i, j, c] <= best:
                            y[n, row, column, c] = x[n, i, j, c]
                            where[n, row, column, c] = entry


@kernel(parallel=True)
def _max_grad(dy, where, pool, strides, before, dx):
    images, height, width, channels = dy.shape
    for n in prange(images):
        dx[n] = 0
        for row in range(height):
            for column in range(width):
                top, left = row * strides[0] - before[0], column * strides[1] - before[1]
                for k in range(pool[0] * pool[1]):
                    i, j = top + k // pool[1], left + k % pool[1]
                    if 0 <= i < dx.shape[1] and 0 <= j < dx.shape[2]:
                        for c in range(channels):
                            mine = where[n, row, column, c] == k
                            dx[n, i, j, c] += dy[n, row, column, c] if mine else dy.dtype.type(0)
