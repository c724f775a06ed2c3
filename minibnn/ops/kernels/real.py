"""Products with floats or bytes on one side and floats or signs on the other, through BLAS.

BLAS runs on one thread, on some rows of one sample at a time, and these chunks are spread over our
own threads. Their size follows from the layer's shape alone: so neither the batch around a sample
nor the number of threads changes a bit of its result. Bytes are summed as the integers
2 b - 255, exactly, and scaled once.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.emit import I64, tile
from minibnn.ops.kernels.scratch import empty, scratch
from minibnn.ops.reference.products import of_bytes
from minibnn.ops.rounding import BYTE_SCALE, byte_sum_dtype, sum_dtype
from minibnn.ops.shapes import windows
from minibnn.ops.threads import one_blas_thread

PARTS = 8  # partial sums that a convolution kernel's gradient is added up from
CHUNK = 1 << 16  # numbers gathered for one product: a second-level cache holds them
VECTOR = (0,) * 16  # as many numbers are copied at once, on any vector path
LANES, ROWS = 128, 64  # a dense layer's outputs and samples that are summed side by side


# -- convolution ------------------------------------------------------------------------------


def conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    x, dtype = _floats(x, w.dtype)
    scale = 1 / 255 if x.dtype == np.uint8 else 1
    return _forward(x, w.astype(dtype, copy=False), strides, padding, pad_value, scale)


def binary_conv2d(x, w, strides, padding, pad_value, fixed):
    """The first layer: x uint8 or float, w Signs."""
    geometry = strides, padding, pad_value
    if x.dtype != np.uint8:
        return _forward(x, w.unpack(x.dtype), *geometry)
    n = math.prod(w.shape[:3])
    w = w.unpack(byte_sum_dtype(n))
    if fixed:
        return Fixed(_forward(x, w, *geometry, dtype=sum_dtype(255 * n)), divisor=255)
    return _forward(x, w, *geometry, BYTE_SCALE, np.float32)


def conv2d_grad_input(dy, w, input_shape, strides=(1, 1), padding="same"):
    seen = windows(tuple(input_shape[1:3]), w.shape[:2], strides, padding)
    dtype = np.result_type(dy, w)
    matrix = np.ascontiguousarray(w.reshape(-1, w.shape[3]).T, dtype)
    own = gathering(seen, matrix.shape[1], dtype)
    dx = empty(tuple(input_shape), dtype)
    pixels = seen.output[0] * seen.output[1]
    dy = np.ascontiguousarray(dy, dtype).reshape(len(dy), pixels, len(matrix))
    with one_blas_thread():
        _spread(dy, matrix, own, _buffers(own, matrix.shape[1], dtype), dx)
    return dx


def conv2d_grad_kernel(x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0):
    x, _ = _floats(x, dy.dtype)
    seen = windows(x.shape[1:3], tuple(kernel_size), strides, padding)
    size = (kernel_size[0] * kernel_size[1] * x.shape[3], dy.shape[3])
    own = gathering(seen, size[0], dy.dtype, x.dtype == np.uint8, pad_value)
    parts = np.zeros((min(PARTS, len(x) * own.rows), *size), dy.dtype)
    flat = np.ascontiguousarray(dy).reshape(-1, dy.shape[3])
    with one_blas_thread():
        _collect(np.ascontiguousarray(x), flat, own, _buffers(own, size[0], dy.dtype), parts)
    dw = parts.sum(axis=0).reshape(*kernel_size, x.shape[3], dy.shape[3])
    return dw * dy.dtype.type(1 / 255) if own.bytes_ else dw


def _forward(x, w, strides, padding, pad_value, scale=1, dtype=None):
    seen, dtype = windows(x.shape[1:3], w.shape[:2], strides, padding), np.dtype(dtype or w.dtype)
    matrix = np.ascontiguousarray(w).reshape(-1, w.shape[3])
    own = gathering(seen, len(matrix), w.dtype, x.dtype == np.uint8, pad_value)
    sums = scratch("sums", (get_num_threads(), own.chunk * own.columns, w.shape[3]), w.dtype)
    y = empty((len(x), *seen.output, w.shape[3]), dtype)
    buffers, flat = _buffers(own, len(matrix), w.dtype), y.reshape(-1, w.shape[3])
    with one_blas_thread():
        _correlate(np.ascontiguousarray(x), matrix, own, dtype.type(scale), buffers, sums, flat)
    return y


class Gathering(NamedTuple):
    """How the windows of a convolution are gathered: numbers for the kernels."""

    height: int  # of the kernel
    width: int
    down: int  # strides
    right: int
    rows: int  # of output pixels
    columns: int
    top: int  # padding
    left: int
    bytes_: bool  # b stands for 2 b - 255
    pad: float
    chunk: int  # rows of output pixels whose windows are gathered at once


def gathering(seen, window, dtype, bytes_=False, pad_value=0):
    """The Gathering of Windows that hold ``window`` numbers; all chunks of an image are alike."""
    height, width = seen.output
    chunks = -(-height // max(1, CHUNK // (width * window)))
    pad = dtype.type(255 * pad_value if bytes_ else pad_value)
    return Gathering(
        *seen.kernel, *seen.strides, height, width, seen.top, seen.left, bytes_, pad,
        -(-height // chunks),
    )  # fmt: skip


def _buffers(own, window, dtype):
    """Each thread's chunk of gathered windows, and a vector more to write over the end."""
    size = own.chunk * own.columns * window
    return scratch("windows", (get_num_threads(), size + len(VECTOR)), dtype)


@tile("x at out place count", constants="")
def _copy(e, x, at, out, place, count):
    """out[place + k] = x[at + k] for ``count`` vectors of float32."""
    with e.loop(count) as vector:
        k = e.times(vector.index, I64(e.lanes))
        e.store(e.load(e.floats, x, at, k), out, place, k)


@kernel(counts=True, inner=True)
def gather_windows(x, own, first, count, out):
    """The windows of ``count`` output pixels as rows, from pixel ``first`` of all images' on.

    out holds taps * channels numbers for each pixel. A row of a window lies in one piece in the
    image, too: where it is whole, it is copied as vectors, the last of which may reach over its
    end, into what is written next.
    """
    _, height, width, channels = x.shape
    run, across = own.width * channels, width * channels
    flat, kind = x.reshape(-1), out.dtype.type
    vectors = -(-run // len(VECTOR))
    fits = across - vectors * len(VECTOR) if x.dtype == out.dtype and out.itemsize == 4 else -1
    to = 0
    for p in range(count):
        row, column = (first + p) // own.columns, (first + p) % own.columns
        image, top = row // own.rows * height, row % own.rows * own.down - own.top
        left = column * own.right - own.left
        begin, end = max(-left, 0) * channels, min(own.width, width - left) * channels
        for i in range(top, top + own.height):
            at = (image + i) * across + left * channels
            if i < 0 or i >= height:
                out[to : to + run] = own.pad
            elif 0 <= left * channels <= fits:
                _copy(VECTOR, flat, at, out, to, vectors)
            else:
                out[to : to + begin] = own.pad
                source, target = flat[at + begin : at + end], out[to + begin : to + end]
                if own.bytes_:
                    for k in range(len(target)):
                        target[k] = kind(2) * kind(source[k]) - kind(255)
                else:
                    for k in range(len(target)):
                        target[k] = kind(source[k])
                out[to + end : to + run] = own.pad
            to += run
    return out[:to].reshape(count, -1)


@kernel(parallel=True)
def _correlate(x, w, own, scale, buffers, sums, y):
    """A task is some rows of one image; the sums are rounded to y's type and scaled."""
    chunks = -(-own.rows // own.chunk)
    for task in prange(len(x) * chunks):
        image, row = task // chunks * own.rows, task % chunks * own.chunk
        first, count = (image + row) * own.columns, min(own.chunk, own.rows - row) * own.columns
        columns = gather_windows(x, own, first, count, buffers[get_thread_id()])
        product, mine = sums[get_thread_id()][:count], y[first:]
        np.dot(columns, w, product)
        for p in range(len(product)):
            for o in range(product.shape[1]):
                mine[p, o] = y.dtype.type(product[p, o]) * scale


@kernel(parallel=True)
def _collect(x, dy, own, buffers, parts):
    """Part k sums over its share of the rows of all images, in order."""
    width, total = own.columns, len(x) * own.rows
    for k in prange(len(parts)):
        product = np.empty(parts.shape[1:], parts.dtype)
        begin, end = k * total // len(parts), (k + 1) * total // len(parts)
        for first in range(begin, end, own.chunk):
            last = min(first + own.chunk, end)
            buffer, count = buffers[get_thread_id()], (last - first) * width
            columns = gather_windows(x, own, first * width, count, buffer)
            np.dot(columns.T, dy[first * width : last * width], product)
            for i in range(product.shape[0]):
                for o in range(product.shape[1]):
                    parts[k, i, o] += product[i, o]


@kernel(parallel=True)
def _spread(dy, w, own, buffers, dx):
    """dy by the matrix (O, taps * I), added to the pixels each window met; a task is an image."""
    height, width, channels = dx.shape[1:]
    run = own.width * channels
    for n in prange(len(dx)):
        lines = dx[n].reshape(height, width * channels)
        lines[:] = 0
        for first in range(0, own.rows, own.chunk):
            last = min(first + own.chunk, own.rows)
            mine = dy[n, first * own.columns : last * own.columns]
            columns = buffers[get_thread_id()][: len(mine) * w.shape[1]].reshape(len(mine), -1)
            np.dot(mine, w, columns)
            for p in range(len(columns)):
                top = (first + p // own.columns) * own.down - own.top
                left = p % own.columns * own.right - own.left
                begin, end = max(-left, 0) * channels, min(own.width, width - left) * channels
                for i in range(max(-top, 0), min(own.height, height - top)):
                    line = lines[top + i, left * channels + begin :]
                    source = columns[p, i * run + begin : i * run + end]
                    for k in range(len(source)):
                        line[k] += source[k]


# -- dense ------------------------------------------------------------------------------------


def dense(x, w):
    x, dtype = _floats(x, w.dtype)
    y = _dense(x, w.astype(dtype, copy=False))
    return y * dtype.type(1 / 255) if x.dtype == np.uint8 else y


def binary_dense(x, w, fixed):
    """The first layer: x uint8 or float (B, I), w Signs."""
    if x.dtype == np.uint8:
        return of_bytes(_dense(x, w.unpack(byte_sum_dtype(w.shape[0]))), w, fixed)
    return _dense(x, w.unpack(x.dtype))


def _dense(x, w):
    y = empty((len(x), w.shape[1]), w.dtype)
    _row_products(np.ascontiguousarray(x), np.ascontiguousarray(w), x.dtype == np.uint8, y)
    return y


@kernel(parallel=True)
def _row_products(x, w, bytes_, y):
    """Each output of each sample is summed over its inputs in order; a task is some of both."""
    across = -(-y.shape[1] // LANES)
    for task in prange(-(-len(x) // ROWS) * across):
        top, left = task // across * ROWS, task % across * LANES
        samples, lanes = min(ROWS, len(x) - top), min(LANES, y.shape[1] - left)
        sums, weights = np.zeros((samples, LANES), y.dtype), np.zeros(LANES, w.dtype)
        for i in range(len(w)):
            weights[:lanes] = w[i, left : left + lanes]
            for r in range(samples):
                value = w.dtype.type(x[top + r, i])
                if bytes_:
                    value = w.dtype.type(2) * value - w.dtype.type(255)
                total = sums[r]
                for o in range(LANES):
                    total[o] += value * weights[o]
        y[top : top + samples, left : left + lanes] = sums[:, :lanes]


def _floats(x, dtype):
    """x as bytes or floats, and the type to sum in."""
    if isinstance(x, Signs):
        return x.unpack(dtype), dtype
    return x, dtype if x.dtype == np.uint8 else np.result_type(x, dtype)
