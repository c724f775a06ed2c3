"""Obvious implementations to hold minibnn against: loops in float64, nothing from minibnn."""

import math
from itertools import product

import numpy as np


def sign(x):
    """-1 where x < 0, else +1."""
    return np.array([-1 if value < 0 else 1 for value in np.ravel(x)]).reshape(np.shape(x))


def pack(x, axis):
    """uint32 words of the signs of x: bit j of word k is entry 32 k + j, set where x < 0."""
    x = np.moveaxis(np.asarray(x), axis, 0)
    words = np.zeros((-(-x.shape[0] // 32), *x.shape[1:]), np.uint32)
    for place in np.ndindex(x.shape):
        if x[place] < 0:
            words[place[0] // 32, *place[1:]] += np.uint32(2 ** (place[0] % 32))
    return np.moveaxis(words, 0, axis)


def padding_before(size, kernel, stride, padding):
    """(number of windows, padding before) along one axis; TensorFlow's rule."""
    if padding == "valid":
        return len(range(0, size - kernel + 1, stride)), 0
    count = math.ceil(size / stride)
    return count, max((count - 1) * stride + kernel - size, 0) // 2


def places(shape, kernel, strides, padding):
    """Every (output row, column, kernel row, column, image row, column); the image's may miss."""
    rows, top = padding_before(shape[1], kernel[0], strides[0], padding)
    columns, left = padding_before(shape[2], kernel[1], strides[1], padding)
    for r, c, i, j in product(range(rows), range(columns), range(kernel[0]), range(kernel[1])):
        yield r, c, i, j, r * strides[0] + i - top, c * strides[1] + j - left


def output_size(shape, kernel, strides, padding):
    rows, _ = padding_before(shape[1], kernel[0], strides[0], padding)
    columns, _ = padding_before(shape[2], kernel[1], strides[1], padding)
    return rows, columns


def inside(shape, row, column):
    return 0 <= row < shape[1] and 0 <= column < shape[2]


def conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    """NHWC by HWIO."""
    y = np.zeros((len(x), *output_size(x.shape, w.shape, strides, padding), w.shape[3]))
    for r, c, i, j, row, column in places(x.shape, w.shape, strides, padding):
        for n, inputs, outputs in np.ndindex(len(x), *w.shape[2:]):
            seen = x[n, row, column, inputs] if inside(x.shape, row, column) else pad_value
            y[n, r, c, outputs] += float(seen) * float(w[i, j, inputs, outputs])
    return y


def conv2d_grads(x, w, dy, strides=(1, 1), padding="same", pad_value=0):
    """(dx, dw) of ``conv2d``."""
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for r, c, i, j, row, column in places(x.shape, w.shape, strides, padding):
        for n, inputs, outputs in np.ndindex(len(x), *w.shape[2:]):
            seen = pad_value
            if inside(x.shape, row, column):
                seen = x[n, row, column, inputs]
                dx[n, row, column, inputs] += dy[n, r, c, outputs] * w[i, j, inputs, outputs]
            dw[i, j, inputs, outputs] += float(seen) * dy[n, r, c, outputs]
    return dx, dw


def dense(x, w):
    y = np.zeros((x.shape[0], w.shape[1]))
    for b, i, o in np.ndindex(*x.shape, w.shape[1]):
        y[b, o] += float(x[b, i]) * float(w[i, o])
    return y


def max_pool2d(x, pool_size, strides, padding):
    """(y, where): where counts the window's pixels row by row; the first of equals."""
    shape = (len(x), *output_size(x.shape, pool_size, strides, padding), x.shape[3])
    y, where = np.full(shape, -np.inf), np.zeros(shape, int)
    for r, c, i, j, row, column in places(x.shape, pool_size, strides, padding):
        for n, channel in np.ndindex(len(x), x.shape[3]):
            if inside(x.shape, row, column) and x[n, row, column, channel] > y[n, r, c, channel]:
                y[n, r, c, channel] = x[n, row, column, channel]
                where[n, r, c, channel] = i * pool_size[1] + j
    return y, where


def max_pool2d_grad(dy, where, shape, pool_size, strides, padding):
    dx = np.zeros(shape)
    for r, c, i, j, row, column in places(shape, pool_size, strides, padding):
        for n, channel in np.ndindex(shape[0], shape[3]):
            if where[n, r, c, channel] == i * pool_size[1] + j:
                dx[n, row, column, channel] += dy[n, r, c, channel]
    return dx


def avg_pool2d(x, pool_size, strides, padding):
    """Mean over the pixels that exist."""
    seen = {}
    for r, c, _, _, row, column in places(x.shape, pool_size, strides, padding):
        if inside(x.shape, row, column):
            seen.setdefault((r, c), []).append(x[:, row, column].astype(float))
    y = np.zeros((len(x), *output_size(x.shape, pool_size, strides, padding), x.shape[3]))
    for (r, c), pixels in seen.items():
        y[:, r, c] = sum(pixels) / len(pixels)
    return y


def central_differences(f, x, h=1e-6):
    """df/dx of a scalar function at every entry of the float64 array x."""
    grad = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] += h
        below[place] -= h
        grad[place] = (f(above) - f(below)) / (2 * h)
    return grad
