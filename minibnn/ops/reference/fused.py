"""Neighbouring operations that kernels do in one pass; here, one after the other.

Between two binary layers nothing but integers and bits has to be kept: the sums, their signs,
and which of them a pseudo-gradient passes. The pool is 2x2 with strides of 2; the convolution takes
``strides``, ``padding`` and ``pad_value`` as ``binary_conv2d`` does.
"""

import numpy as np

from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.reference.normalisation import batch_norm, batch_norm_grad
from minibnn.ops.reference.pooling import max_pool2d, max_pool2d_grad
from minibnn.ops.reference.products import (
    binary_conv2d,
    binary_conv2d_grad_input,
    binary_conv2d_grad_kernel,
)
from minibnn.ops.shapes import windows


def binary_conv2d_pool(x, w, strides=(1, 1), padding="same", pad_value=0):
    """(y, where) of ``max_pool2d`` after ``binary_conv2d``, of Signs x and w.

    ``strides``, ``padding`` and ``pad_value`` are the convolution's.
    """
    return max_pool2d(binary_conv2d(x, w, strides, padding, pad_value))


def binary_conv2d_pool_grad_input(dy, where, w_t, input_shape, strides=(1, 1), padding="same"):
    """dx of ``binary_conv2d_pool``: dy goes to the maxima, ``where`` they are, and from there to x.

    The rest as in ``binary_conv2d_grad_input``: ``w_t``, ``input_shape``, ``strides``, ``padding``.
    """
    sums = windows(tuple(input_shape[1:3]), w_t.shape[:2], strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_input(dy, w_t, input_shape, strides, padding)


def binary_conv2d_pool_grad_kernel(
    x, dy, where, kernel_size, strides=(1, 1), padding="same", pad_value=0, fixed=False
):
    """dw of ``binary_conv2d_pool`` by the binary weights, of Signs x; dy goes to the maxima.

    ``where`` is what ``binary_conv2d_pool`` returned. The rest as in ``binary_conv2d_grad_kernel``:
    ``kernel_size``, ``strides``, ``padding``, ``pad_value``, ``fixed``.
    """
    sums = windows(x.shape[1:3], tuple(kernel_size), strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_kernel(x, dy, kernel_size, strides, padding, pad_value, fixed)


def batch_norm_sign(x, mean, variance, beta, epsilon, gamma=None, clip_value=1.0):
    """(signs, gate), both Signs like x: the sign of ``batch_norm``, and where its gradient passes.

    The gate is +1 where the normalised x lies within ``clip_value`` (None: everywhere), else -1.
    x, ``mean``, ``variance``, ``beta``, ``epsilon`` and ``gamma`` are those of ``batch_norm``.
    """
    y = batch_norm(x, mean, variance, beta, epsilon, gamma)
    passes = np.full(y.shape, True) if clip_value is None else np.abs(y) <= clip_value
    return pack_signs(y, -1), pack_signs(np.where(passes, 1, -1), -1)


def batch_norm_sign_grad(dy, gate, x, mean, variance, epsilon, gamma=None, across=None, bits=None):
    """``batch_norm_grad`` of what the gate of ``batch_norm_sign`` lets pass of dy.

    x, ``mean``, ``variance``, ``epsilon``, ``gamma``, ``across`` and ``bits`` are as there.
    """
    entries = dy.integers if isinstance(dy, Fixed) else dy
    passed = np.where(gate.unpack() > 0, entries, entries.dtype.type(0))
    passed = dy.like(passed) if isinstance(dy, Fixed) else passed
    return batch_norm_grad(passed, x, mean, variance, epsilon, gamma, across, bits)
