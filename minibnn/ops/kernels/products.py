"""The products of layers: which of the ways to compute one fits its operands."""

import numpy as np

from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed, check_input_sum, check_sum, width_of
from minibnn.ops.kernels import real
from minibnn.ops.kernels.forward import signs_conv2d, signs_dense
from minibnn.ops.kernels.gathered import ROW, gathered_grad_input, gathered_grad_kernel
from minibnn.ops.kernels.grad_input import grad_input_conv2d, grad_input_dense
from minibnn.ops.kernels.grad_kernel import (
    bytes_as_signs,
    grad_kernel_conv2d,
    grad_kernel_dense,
    joined_bytes,
)
from minibnn.ops.kernels.grad_windows import fits_windows, grad_input_windows
from minibnn.ops.kernels.matrix import MULTIPLIES, matrix_grad_input, matrix_grad_kernel
from minibnn.ops.kernels.pooling import max_pool2d_grad
from minibnn.ops.kernels.simd import vector_path
from minibnn.ops.reference import products as reference
from minibnn.ops.shapes import windows


def binary_dense(x, w, fixed=False):
    return signs_dense(x, w) if isinstance(x, Signs) else real.binary_dense(x, w, fixed)


def binary_dense_grad_input(dy, w_t):
    check_input_sum(dy, w_t)
    way = _way(dy)
    if way == "matrix":
        w = Signs(w_t.words[None, None], (1, 1, *w_t.shape), 2)
        shape = len(dy), 1, 1, w_t.shape[1]
        return matrix_grad_input(_pixels(dy), w, shape, "valid").reshape(shape[::3])
    if way == "tables":
        return grad_input_dense(dy, w_t)
    return reference.binary_dense_grad_input(dy, w_t)


def _pixels(rows):
    """Rows (B, C), Signs or Fixed, as images of one pixel."""
    if isinstance(rows, Fixed):
        return rows.reshape(len(rows), 1, 1, rows.shape[1])
    return Signs(rows.words[:, None, None], (len(rows), 1, 1, rows.shape[1]), 3)


def binary_dense_grad_kernel(x, dy, fixed=False):
    if isinstance(dy, Fixed):
        of_signs = _matrix_grad_kernel_dense if _way(dy) == "matrix" else grad_kernel_dense
        return _fixed_grad_kernel(of_signs, reference.dense_grad_kernel, x, dy, fixed)
    if isinstance(x, Signs) and _way(dy) == "tables":
        return grad_kernel_dense(x, dy)
    return reference.dense_grad_kernel(x, dy)


def binary_conv2d(x, w, strides=(1, 1), padding="same", pad_value=0, fixed=False):
    if isinstance(x, Signs):
        return signs_conv2d(x, w, strides, padding, pad_value)
    return real.binary_conv2d(x, w, strides, padding, pad_value, fixed)


def binary_conv2d_grad_input(dy, w_t, input_shape, strides=(1, 1), padding="same"):
    check_input_sum(dy, w_t)
    way = _way(dy, strides)
    if way == "matrix":
        return matrix_grad_input(dy, w_t, input_shape, padding)
    if way == "tables":
        if w_t.shape[:2] == tuple(input_shape[1:3]) and dy.shape[1:3] == (1, 1):
            return _grad_input_whole(dy, w_t).reshape(input_shape)
        return grad_input_conv2d(dy, w_t, input_shape, strides, padding)
    w = w_t.unpack(dy.dtype).swapaxes(2, 3)
    return real.conv2d_grad_input(dy, w, input_shape, strides, padding)


def _grad_input_whole(dy, w_t):
    """A window that is the whole image: a dense layer, whose inputs are taps and channels."""
    height, width, outputs, inputs = w_t.shape
    words = np.ascontiguousarray(np.moveaxis(w_t.words, 2, 0)).reshape(-1, height * width * inputs)
    w_t = Signs(words, (outputs, words.shape[1]), 0)
    return grad_input_dense(dy.reshape(len(dy), outputs), w_t)


def binary_conv2d_grad_kernel(
    x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0, fixed=False
):
    geometry = tuple(kernel_size), strides, padding, pad_value
    if isinstance(dy, Fixed):
        of_signs = matrix_grad_kernel if _way(dy, strides) == "matrix" else grad_kernel_conv2d
        return _fixed_grad_kernel(of_signs, real.conv2d_grad_kernel, x, dy, fixed, *geometry)
    if isinstance(x, Signs) and _way(dy, strides) == "tables":
        return grad_kernel_conv2d(x, dy, *geometry)
    return real.conv2d_grad_kernel(x, dy, *geometry)


def _matrix_grad_kernel_dense(x, dy, fixed):
    dw = matrix_grad_kernel(_pixels(x), _pixels(dy), (1, 1), fixed=fixed)
    return dw.reshape(x.shape[1], dy.shape[1])


def _fixed_grad_kernel(of_signs, of_floats, x, dy, fixed, *geometry):
    """Exact sums with signs or, as eight signs each, bytes; of real x in floats."""
    if isinstance(x, Signs):
        check_sum(dy.size // dy.shape[-1], width_of(dy), "the gradient of a binary kernel")
        return of_signs(x, dy, *geometry, fixed=fixed)
    if x.dtype != np.uint8:
        return of_floats(x, dy.floats(x.dtype.type), *geometry)
    dw = joined_bytes(_fixed_grad_kernel(of_signs, None, bytes_as_signs(x), dy, True, *geometry))
    return dw if fixed else dw.floats()


def binary_conv2d_pool(x, w, strides=(1, 1), padding="same", pad_value=0):
    return signs_conv2d(x, w, strides, padding, pad_value, pooled=True)


def binary_conv2d_pool_grad_input(dy, where, w_t, input_shape, strides=(1, 1), padding="same"):
    check_input_sum(dy, w_t)
    way = _way(dy, strides)
    if way == "matrix":
        by = gathered_grad_input if _by_lists(w_t.shape[3]) else matrix_grad_input
        return by(dy, w_t, input_shape, padding, np.ascontiguousarray(where))
    if way == "tables" and fits_windows(strides, w_t.shape[3]):
        return grad_input_windows(dy, np.ascontiguousarray(where), w_t, input_shape, padding)
    sums = windows(tuple(input_shape[1:3]), w_t.shape[:2], strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_input(dy, w_t, input_shape, strides, padding)


def binary_conv2d_pool_grad_kernel(
    x, dy, where, kernel_size, strides=(1, 1), padding="same", pad_value=0, fixed=False
):
    geometry = tuple(kernel_size), strides, padding, pad_value
    way = _way(dy, strides)
    if way != "floats":
        if isinstance(dy, Fixed):  # as of all pixels, three of four of which are 0
            pixels = 4 * dy.shape[0] * dy.shape[1] * dy.shape[2]
            check_sum(pixels, width_of(dy), "the gradient of a binary kernel")
        of_signs = grad_kernel_conv2d
        if way == "matrix":
            of_signs = gathered_grad_kernel if _by_lists(x.shape[3]) else matrix_grad_kernel
        return of_signs(x, dy, *geometry, np.ascontiguousarray(where), fixed)
    sums = windows(x.shape[1:3], tuple(kernel_size), strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_kernel(x, dy, *geometry)


def _by_lists(inputs):
    """Whether lists are used before pooling: for few inputs they do not repay their compilation."""
    return vector_path() == "avx2" and inputs > ROW


def _way(dy, strides=(1, 1)):
    """How to compute products with a gradient dy: by bytes ("matrix"), by "tables" or in "floats".

    Tables of floats are float32, and a vector must hold at least half of one.
    """
    if not isinstance(dy, Fixed):
        return "tables" if dy.dtype == np.float32 and vector_path() != "generic" else "floats"
    able = vector_path() in MULTIPLIES and tuple(strides) == (1, 1)
    return "matrix" if able and dy.integers.dtype == np.int8 else "tables"
