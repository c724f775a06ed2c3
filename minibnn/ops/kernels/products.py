"""The products of layers: which of the ways to compute one fits its operands."""

import numpy as np

from minibnn.ops.bits import Signs
from minibnn.ops.kernels import real
from minibnn.ops.kernels.forward import signs_conv2d, signs_dense
from minibnn.ops.kernels.grad_input import grad_input_conv2d, grad_input_dense
from minibnn.ops.kernels.grad_kernel import grad_kernel_conv2d, grad_kernel_dense
from minibnn.ops.kernels.grad_windows import fits_windows, grad_input_windows
from minibnn.ops.kernels.packing import unpack_signs
from minibnn.ops.kernels.pooling import max_pool2d_grad
from minibnn.ops.kernels.real import (
    conv2d,
    conv2d_grad_input,
    conv2d_grad_kernel,
    dense,
    dense_grad_input,
    dense_grad_kernel,
)
from minibnn.ops.kernels.simd import vector_path
from minibnn.ops.shapes import windows

__all__ = [
    "binary_conv2d",
    "binary_conv2d_grad_input",
    "binary_conv2d_grad_kernel",
    "binary_conv2d_pool",
    "binary_conv2d_pool_grad_input",
    "binary_conv2d_pool_grad_kernel",
    "binary_dense",
    "binary_dense_grad_input",
    "binary_dense_grad_kernel",
    "conv2d",
    "conv2d_grad_input",
    "conv2d_grad_kernel",
    "dense",
    "dense_grad_input",
    "dense_grad_kernel",
]


def binary_dense(x, w):
    return signs_dense(x, w) if isinstance(x, Signs) else real.binary_dense(x, w)


def binary_dense_grad_input(dy, w_t):
    if _tables_fit(dy):
        return grad_input_dense(np.ascontiguousarray(dy), w_t)
    return dense_grad_input(dy, np.ascontiguousarray(unpack_signs(w_t, dy.dtype).T))


def binary_dense_grad_kernel(x, dy):
    if isinstance(x, Signs) and _tables_fit(dy):
        return grad_kernel_dense(x, np.ascontiguousarray(dy))
    return dense_grad_kernel(x, dy)


def binary_conv2d(x, w, strides=(1, 1), padding="same", pad_value=0):
    if isinstance(x, Signs):
        return signs_conv2d(x, w, strides, padding, pad_value)
    return real.binary_conv2d(x, w, strides, padding, pad_value)


def binary_conv2d_grad_input(dy, w_t, input_shape, strides=(1, 1), padding="same"):
    if _tables_fit(dy):
        if w_t.shape[:2] == tuple(input_shape[1:3]) and dy.shape[1:3] == (1, 1):
            return _grad_input_whole(dy, w_t).reshape(input_shape)
        return grad_input_conv2d(np.ascontiguousarray(dy), w_t, input_shape, strides, padding)
    w = np.ascontiguousarray(unpack_signs(w_t, dy.dtype).swapaxes(2, 3))
    return conv2d_grad_input(dy, w, input_shape, strides, padding)


def _grad_input_whole(dy, w_t):
    """A window that is the whole picture: a dense layer, whose inputs are taps and channels."""
    height, width, outputs, inputs = w_t.shape
    words = np.ascontiguousarray(np.moveaxis(w_t.words, 2, 0)).reshape(-1, height * width * inputs)
    w_t = Signs(words, (outputs, words.shape[1]), 0)
    return grad_input_dense(np.ascontiguousarray(dy).reshape(len(dy), outputs), w_t)


def binary_conv2d_grad_kernel(x, dy, kernel_size, strides=(1, 1), padding="same", pad_value=0):
    if isinstance(x, Signs) and _tables_fit(dy):
        dy = np.ascontiguousarray(dy)
        return grad_kernel_conv2d(x, dy, tuple(kernel_size), strides, padding, pad_value)
    return conv2d_grad_kernel(x, dy, kernel_size, strides, padding, pad_value)


def binary_conv2d_pool(x, w, strides=(1, 1), padding="same", pad_value=0):
    return signs_conv2d(x, w, strides, padding, pad_value, pooled=True)


def binary_conv2d_pool_grad_input(dy, where, w_t, input_shape, strides=(1, 1), padding="same"):
    if _tables_fit(dy) and fits_windows(strides, w_t.shape[3]):
        dy, where = np.ascontiguousarray(dy), np.ascontiguousarray(where)
        return grad_input_windows(dy, where, w_t, input_shape, padding)
    dy = _at_maxima(dy, where, input_shape, w_t.shape[:2], strides, padding)
    return binary_conv2d_grad_input(dy, w_t, input_shape, strides, padding)


def binary_conv2d_pool_grad_kernel(
    x, dy, where, kernel_size, strides=(1, 1), padding="same", pad_value=0
):
    if _tables_fit(dy):
        dy, where = np.ascontiguousarray(dy), np.ascontiguousarray(where)
        return grad_kernel_conv2d(x, dy, tuple(kernel_size), strides, padding, pad_value, where)
    dy = _at_maxima(dy, where, x.shape, kernel_size, strides, padding)
    return binary_conv2d_grad_kernel(x, dy, kernel_size, strides, padding, pad_value)


def _at_maxima(dy, where, input_shape, kernel_size, strides, padding):
    place = windows(tuple(input_shape[1:3]), tuple(kernel_size), tuple(strides), padding)
    return max_pool2d_grad(dy, where, (len(dy), *place.output, dy.shape[3]))


def _tables_fit(dy):
    """Tables are float32, and a vector must hold at least half of one."""
    return dy.dtype == np.float32 and vector_path() != "generic"
