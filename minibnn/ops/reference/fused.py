"""Neighbouring operations that kernels do in one pass; here, one after the other.

Between two binary layers nothing but integers and bits has to be kept: the sums, their signs,
and which of them a pseudo-gradient passes.
"""

import numpy as np

from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.reference.fixed import to_fixed
from minibnn.ops.reference.normalisation import batch_norm, batch_norm_grad
from minibnn.ops.reference.pooling import max_pool2d, max_pool2d_grad
from minibnn.ops.reference.products import (
    binary_conv2d,
    binary_conv2d_grad_input,
    binary_conv2d_grad_kernel,
)
from minibnn.ops.shapes import windows


def binary_conv2d_pool(x, w, strides=(1, 1), padding="same", pad_value=0):
    """``binary_conv2d`` of Signs, then 2x2 max pooling with strides of 2.

    Parameters
    ----------
    x : Signs NHWC on axis 3
    w : Signs HWIO on axis 2
    strides : (int, int)
        Of the convolution.
    padding : "same" or "valid"
    pad_value : 0 or 1
        As in ``binary_conv2d``.

    Returns
    -------
    y, where : NHWC, as ``max_pool2d`` gives them
    """
    return max_pool2d(binary_conv2d(x, w, strides, padding, pad_value))


def binary_conv2d_pool_grad_input(dy, where, w_t, input_shape, strides=(1, 1), padding="same"):
    """dL/dx of ``binary_conv2d_pool``: dy goes to the maxima, and from there to x.

    Parameters
    ----------
    dy : NHWC float or Fixed
        The gradient of the pooled sums.
    where : uint8 like dy
        From ``binary_conv2d_pool``.
    w_t : Signs (H, W, O, I) on axis 2
        The kernel, inputs and outputs swapped.
    input_shape : (N, H, W, C)
        Of x.
    strides : (int, int)
    padding : "same" or "valid"

    Returns
    -------
    dx : ``input_shape``, typed like dy
    """
    sums = windows(tuple(input_shape[1:3]), w_t.shape[:2], strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_input(dy, w_t, input_shape, strides, padding)


def binary_conv2d_pool_grad_kernel(
    x, dy, where, kernel_size, strides=(1, 1), padding="same", pad_value=0, fixed=False
):
    """dL/dw of ``binary_conv2d_pool`` by the binary weights.

    Parameters
    ----------
    x : Signs NHWC on axis 3
    dy : NHWC float or Fixed
        The gradient of the pooled sums.
    where : uint8 like dy
        From ``binary_conv2d_pool``.
    kernel_size : (int, int)
    strides : (int, int)
    padding : "same" or "valid"
    pad_value : 0 or 1
    fixed : bool
        As in ``binary_dense_grad_kernel``.

    Returns
    -------
    dw : HWIO
    """
    sums = windows(x.shape[1:3], tuple(kernel_size), strides, padding)
    dy = max_pool2d_grad(dy, where, (len(dy), *sums.output, dy.shape[3]))
    return binary_conv2d_grad_kernel(x, dy, kernel_size, strides, padding, pad_value, fixed)


def batch_norm_sign(x, mean, variance, beta, epsilon, gamma=None, clip_value=1.0):
    """Sign of ``batch_norm``, with what the straight-through estimator needs.

    Parameters
    ----------
    x : (..., C) float or integer array, or Fixed
    mean, variance, beta : (C,) float
    epsilon : float
    gamma : (C,) float or None
    clip_value : float or None
        Of the estimator; None passes everywhere.

    Returns
    -------
    signs : Signs like x, packed along the last axis
    gate : Signs like x
        +1 where the normalised x lies within ``clip_value`` (None: everywhere), so that the
        gradient passes; -1 elsewhere.
    """
    y = batch_norm(x, mean, variance, beta, epsilon, gamma)
    passes = np.full(y.shape, True) if clip_value is None else np.abs(y) <= clip_value
    return pack_signs(y, -1), pack_signs(np.where(passes, 1, -1), -1)


def batch_norm_sign_grad(dy, gate, x, mean, variance, epsilon, gamma=None, across=None, bits=None):
    """``batch_norm_grad`` of what the gate lets pass.

    Parameters
    ----------
    dy : (..., C) float or Fixed
        The gradient of the signs.
    gate : Signs like dy
        From ``batch_norm_sign``.
    x : float or integer array, or Fixed, like dy
        The input of ``batch_norm_sign``; not floats where dy is Fixed.
    mean, variance : (C,) float
    epsilon : float
    gamma : (C,) float or None
    across : as for ``batch_statistics``, optional
    bits : int, optional
        Of the integers that dx is rounded to, see ``to_fixed``; with dy Fixed only.

    Returns
    -------
    dx, dgamma, dbeta : as of ``batch_norm_grad``; dx Fixed with ``bits``
    """
    entries = dy.integers if isinstance(dy, Fixed) else dy
    passed = np.where(gate.unpack() > 0, entries, entries.dtype.type(0))
    passed = dy.like(passed) if isinstance(dy, Fixed) else passed
    dx, dgamma, dbeta = batch_norm_grad(passed, x, mean, variance, epsilon, gamma, across)
    return dx if bits is None else to_fixed(dx, bits, across), dgamma, dbeta
