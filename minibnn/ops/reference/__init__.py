"""Every operation in plain NumPy: what one reads beside the paper, and the oracle of the kernels.

``minibnn.ops.kernels`` exports the same names with the same signatures. Floats keep their type:
float32 in, float32 out, and float64 likewise. Packed signs, bytes and integers give integers
or float32, as each function says.
"""
# ruff: noqa: F401  what is imported here are the operations

import inspect

from minibnn.ops.bits import pack_signs
from minibnn.ops.reference.elementwise import add, relu, relu_grad, scale_channels
from minibnn.ops.reference.fixed import centred, tap_sums, to_fixed
from minibnn.ops.reference.inference import (
    binary_conv2d_threshold,
    binary_dense_threshold,
    threshold_sign,
)
from minibnn.ops.reference.normalisation import (
    batch_norm,
    batch_norm_grad,
    batch_norm_sign,
    batch_norm_sign_grad,
    batch_statistics,
)
from minibnn.ops.reference.products import (
    avg_pool2d,
    avg_pool2d_grad,
    binary_conv2d,
    binary_conv2d_grad_input,
    binary_conv2d_grad_kernel,
    binary_conv2d_pool,
    binary_conv2d_pool_grad_input,
    binary_conv2d_pool_grad_kernel,
    binary_dense,
    binary_dense_grad_input,
    binary_dense_grad_kernel,
    conv2d,
    conv2d_grad_input,
    conv2d_grad_kernel,
    dense,
    dense_grad_input,
    dense_grad_kernel,
    max_pool2d,
    max_pool2d_grad,
)
from minibnn.ops.reference.signs import approx_sign_grad, ste_sign_grad, swish_sign_grad

__all__ = sorted(name for name, thing in globals().items() if inspect.isfunction(thing))
