"""The operations of ``minibnn.ops.reference``, compiled: same names, same signatures.

Their docstrings are there. ``tiles`` and ``table_tiles`` have the register tiles that make products
fast; ``forward``, ``grad_input`` and ``grad_kernel`` the loops around them; ``matrix`` has what
products of bytes do instead. What NumPy does as well is the reference's own.
"""
# ruff: noqa: F401  the list of names is the reference's

from minibnn.ops.kernels.centring import centred, tap_sums
from minibnn.ops.kernels.elementwise import add, approx_sign_grad
from minibnn.ops.kernels.inference import (
    binary_conv2d_threshold,
    binary_dense_threshold,
    threshold_sign,
)
from minibnn.ops.kernels.norm_grad import batch_norm_grad, batch_norm_sign_grad
from minibnn.ops.kernels.normalisation import batch_norm, batch_norm_sign, batch_statistics
from minibnn.ops.kernels.packing import pack_signs
from minibnn.ops.kernels.pooling import max_pool2d, max_pool2d_grad
from minibnn.ops.kernels.products import (
    binary_conv2d,
    binary_conv2d_grad_input,
    binary_conv2d_grad_kernel,
    binary_conv2d_pool,
    binary_conv2d_pool_grad_input,
    binary_conv2d_pool_grad_kernel,
    binary_dense,
    binary_dense_grad_input,
    binary_dense_grad_kernel,
)
from minibnn.ops.kernels.real import conv2d, conv2d_grad_input, conv2d_grad_kernel, dense
from minibnn.ops.reference import (
    __all__,
    avg_pool2d,
    avg_pool2d_grad,
    dense_grad_input,
    dense_grad_kernel,
    relu,
    relu_grad,
    scale_channels,
    ste_sign_grad,
    swish_sign_grad,
    to_fixed,
)
from minibnn.ops.threads import apply_threads

apply_threads()
