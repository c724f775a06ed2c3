"""Products with floats or bytes on one side and floats or signs on the other, through BLAS.

BLAS runs on one thread, on one sample at a time, and the samples are spread over our own threads:
so neither the batch around a sample nor the number of threads changes a bit of its result. Bytes
are summed as the whole numbers 2 b - 255, exactly, and scaled once.
"""

from functools import cache

import numpy as np
from numba import prange
from threadpoolctl import ThreadpoolController

from minibnn.ops.bits import Signs
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.packing import unpack_signs
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.rounding import BYTE_SCALE, byte_sum_dtype
from minibnn.ops.shapes import windows

PARTS = 8  # partial sums over samples that a kernel's gradient is added up from


@cache
def _controller():
    import scipy.linalg.cython_blas  # noqa: F401  the library that Numba's np.dot calls

    return ThreadpoolController()


def one_blas_thread():
    """A context in which BLAS uses one thread."""
    return _controller().limit(limits=1, user_api="blas")


def conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    x, dtype = _floats(x, w.dtype)
    bytes_ = x.dtype == np.uint8
    y = _forward(x, w.astype(dtype, copy=False), strides, padding, pad_value, bytes_)
    return _scaled(y, bytes_, w.dtype)


def binary_conv2d(x, w, strides, padding, pad_value):
    """The first layer: x uint8 or float, w Signs."""
    if x.dtype == np.uint8:
        y = whole_sums_conv2d(x, w, strides, padding, pad_value)
        return y.astype(np.float32, copy=False) * BYTE_SCALE
    return _forward(x, unpack_signs(w, x.dtype), strides, padding, pad_value, False)


def whole_sums_conv2d(x, w, strides, padding, pad_value):
    """Sums of w * (2 b - 255) for bytes b, in the float type in which they are exact."""
    n = w.shape[0] * w.shape[1] * w.shape[2]
    return _forward(x, unpack_signs(w, byte_sum_dtype(n)), strides, padding, pad_value, True)


def conv2d_grad_input(dy, w, input_shape, strides=(1, 1), padding="same"):
    place = windows(tuple(input_shape[1:3]), w.shape[:2], strides, padding)
    dtype = np.result_type(dy, w)
    matrix = np.ascontiguousarray(w.reshape(-1, w.shape[3]).T, dtype)
    dx = np.zeros(tuple(input_shape), dtype)
    with one_blas_thread():
        _spread(
            np.ascontiguousarray(dy, dtype).reshape(len(dy), -1, dy.shape[3]),
            matrix, *_numbers(place), dx,
        )  # fmt: skip
    return dx


def conv2d_grad_kernel(x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0):
    x, _ = _floats(x, dy.dtype)
    bytes_ = x.dtype == np.uint8
    place = windows(x.shape[1:3], tuple(kernel_size), strides, padding)
    size = (kernel_size[0] * kernel_size[1] * x.shape[3], dy.shape[3])
    parts = np.zeros((min(PARTS, len(x)), *size), dy.dtype)
    pad = dy.dtype.type(255 * pad_value if bytes_ else pad_value)
    with one_blas_thread():
        _collect(
            np.ascontiguousarray(x), np.ascontiguousarray(dy).reshape(len(x), -1, dy.shape[3]),
            *_numbers(place), bytes_, pad, parts,
        )  # fmt: skip
    dw = parts.sum(axis=0).reshape(*kernel_size, x.shape[3], dy.shape[3])
    return _scaled(dw, bytes_, dy.dtype)


def dense(x, w):
    x, dtype = _floats(x, w.dtype)
    return _scaled(_dense(x, w.astype(dtype, copy=False)), x.dtype == np.uint8, w.dtype)


def binary_dense(x, w):
    """The first layer: x uint8 or float (B, I), w Signs."""
    if x.dtype == np.uint8:
        y = _dense(x, unpack_signs(w, byte_sum_dtype(w.shape[0])))
        return y.astype(np.float32, copy=False) * BYTE_SCALE
    return _dense(x, unpack_signs(w, x.dtype))


def dense_grad_input(dy, w):
    return conv2d_grad_input(
        dy[:, None, None], w[None, None], (len(dy), 1, 1, w.shape[0]), (1, 1), "valid"
    )[:, 0, 0]


def dense_grad_kernel(x, dy):
    x, _ = _floats(x, dy.dtype)
    bytes_ = x.dtype == np.uint8
    numbers = np.subtract(2 * x.astype(dy.dtype), 255) if bytes_ else x
    with one_blas_thread():
        return _scaled(numbers.T @ dy, bytes_, dy.dtype)


def _floats(x, dtype):
    """x as bytes or floats, and the type to sum in."""
    if isinstance(x, Signs):
        return unpack_signs(x, dtype), dtype
    if x.dtype == np.uint8:
        return x, dtype
    return x, np.result_type(x, dtype)


def _scaled(y, bytes_, dtype):
    return y * dtype.type(1 / 255) if bytes_ else y


def _numbers(place):
    return place.kernel, place.strides, place.output, (place.top, place.left)


def _forward(x, w, strides, padding, pad_value, bytes_):
    place = windows(x.shape[1:3], w.shape[:2], strides, padding)
    y = empty((len(x), *place.output, w.shape[3]), w.dtype)
    pad = w.dtype.type(255 * pad_value if bytes_ else pad_value)
    with one_blas_thread():
        _correlate(
            np.ascontiguousarray(x), np.ascontiguousarray(w).reshape(-1, w.shape[3]),
            *_numbers(place), bytes_, pad, y.reshape(len(x), -1, w.shape[3]),
        )  # fmt: skip
    return y


def _dense(x, w):
    y = np.zeros((len(x), w.shape[1]), w.dtype)
    _row_products(np.ascontiguousarray(x), np.ascontiguousarray(w), x.dtype == np.uint8, y)
    return y


@kernel(parallel=True)
def _row_products(x, w, bytes_, y):
    """Each row is summed over its inputs in order."""
    for r in prange(len(x)):
        for i in range(x.shape[1]):
            value = w.dtype.type(x[r, i])
            if bytes_:
                value = w.dtype.type(2) * value - w.dtype.type(255)
            for o in range(w.shape[1]):
                y[r, o] += value * w[i, o]


@kernel
def _columns(image, kernel, strides, output, before, bytes_, pad, out):
    """The window of each output pixel as a row: out (pixels, taps * channels)."""
    height, width, channels = image.shape
    for p in range(len(out)):
        top = p // output[1] * strides[0] - before[0]
        left = p % output[1] * strides[1] - before[1]
        k = 0
        for y in range(top, top + kernel[0]):
            for x in range(left, left + kernel[1]):
                if 0 <= y < height and 0 <= x < width:
                    for c in range(channels):
                        value = out.dtype.type(image[y, x, c])
                        if bytes_:
                            value = out.dtype.type(2) * value - out.dtype.type(255)
                        out[p, k + c] = value
                else:
                    out[p, k : k + channels] = pad
                k += channels


@kernel(parallel=True)
def _correlate(x, w, kernel, strides, output, before, bytes_, pad, y):
    for n in prange(len(x)):
        columns = np.empty((y.shape[1], len(w)), w.dtype)
        _columns(x[n], kernel, strides, output, before, bytes_, pad, columns)
        np.dot(columns, w, y[n])


@kernel(parallel=True)
def _collect(x, dy, kernel, strides, output, before, bytes_, pad, parts):
    """Part k sums over its share of the samples, in order."""
    for k in prange(len(parts)):
        columns = np.empty((dy.shape[1], parts.shape[1]), parts.dtype)
        product = np.empty(parts.shape[1:], parts.dtype)
        for n in range(k * len(x) // len(parts), (k + 1) * len(x) // len(parts)):
            _columns(x[n], kernel, strides, output, before, bytes_, pad, columns)
            np.dot(columns.T, dy[n], product)
            for i in range(product.shape[0]):
                for o in range(product.shape[1]):
                    parts[k, i, o] += product[i, o]


@kernel(parallel=True)
def _spread(dy, w, kernel, strides, output, before, dx):
    """dy by the matrix (O, taps * I), added to the pixels each window met."""
    height, width, channels = dx.shape[1:]
    for n in prange(len(dx)):
        columns = np.dot(dy[n], w)
        for p in range(len(columns)):
            top = p // output[1] * strides[0] - before[0]
            left = p % output[1] * strides[1] - before[1]
            k = 0
            for y in range(top, top + kernel[0]):
                for x in range(left, left + kernel[1]):
                    if 0 <= y < height and 0 <= x < width:
                        for c in range(channels):
                            dx[n, y, x, c] += columns[p, k + c]
                    k += channels
