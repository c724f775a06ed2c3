"""The gradient of batch normalisation from fixed-point numbers, its sums exact.

First the sums; then the entries of dx twice, once for the largest of them and once to round them:
to compute them anew is less than to write and read them as floats.
"""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD
from minibnn.ops.fixed import Fixed, fixed_exponent, fixed_type
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.fixed_tiles import (
    LARGEST,
    ROUNDED,
    VALUES,
    exact_sums_tile,
    norm_grad_tile,
)
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.rounding import bn_factor, fixed_sums

PART = 512  # rows of one partial sum


def integers_and_unit(x, dtype):
    """(array, what its 1 stands for) of an array or Fixed; a product with 1 changes nothing."""
    return (x.integers, dtype.type(x.unit)) if isinstance(x, Fixed) else (x, dtype.type(1))


def fixed_batch_norm_grad(dy, gate, x, mean, variance, epsilon, gamma, across, bits=None):
    """``batch_norm_grad`` of Fixed dy, where ``gate`` (Signs, or None) lets it pass.

    dx is float32, or with ``bits`` rounded by ``to_fixed``.
    """
    channels, path = dy.shape[-1], simd()
    u = np.ascontiguousarray(dy.integers).reshape(-1, channels)
    z, x_unit = integers_and_unit(x, mean.dtype)
    z = np.ascontiguousarray(z).reshape(u.shape)
    n, words = len(u), -(-channels // WORD)
    gate = np.zeros((n, words), np.uint32) if gate is None else gate.words.reshape(n, words)
    parts = -(-n // PART)
    sums = np.zeros((parts, 2, channels), np.int64)
    _exact_sums(path, u, gate, z, sums)
    inverse = bn_factor(variance, epsilon)
    dgamma, dbeta, *means = fixed_sums(sums.sum(0), dy, x, mean, inverse, n, across)
    constants = np.stack([mean, inverse, bn_factor(variance, epsilon, gamma), *means])
    own = path, u, gate, z, np.array([dy.unit, x_unit, 0], np.float32), constants
    if bits is None:
        dx = empty(dy.shape, np.float32)
        _entries(*own, VALUES, dx.reshape(u.shape))
        return dx, dgamma, dbeta
    sizes = np.zeros((parts, channels), np.int32)  # bits of floats, which compare like them
    _entries(*own, LARGEST, sizes)
    largest = float(sizes.view(np.float32).max(initial=0))
    exponent = fixed_exponent(across.largest(largest) if across else largest, bits)
    if exponent != exponent:  # not finite
        return Fixed(np.zeros(dy.shape, fixed_type(bits)), exponent), dgamma, dbeta
    own[4][2] = 2.0**-exponent
    dx = empty(dy.shape, fixed_type(bits))
    _entries(*own, ROUNDED, dx.reshape(u.shape))
    return Fixed(dx, exponent), dgamma, dbeta


@kernel(parallel=True)
def _exact_sums(simd, u, gate, x, sums):
    """Of u that the gate lets pass, and of u x."""
    rows, channels = u.shape
    whole, totals = channels // WORD, sums.reshape(-1)
    flat_u, flat_x, flat_gate = u.reshape(-1), x.reshape(-1), gate.reshape(-1)
    for part in prange(len(sums)):
        for r in range(part * PART, min((part + 1) * PART, rows)):
            for k in range(whole):
                exact_sums_tile(
                    simd, flat_u, flat_x, r * channels + WORD * k, flat_gate,
                    r * gate.shape[1] + k, totals, 2 * part * channels + WORD * k, channels,
                )  # fmt: skip
            for c in range(WORD * whole, channels):
                if not (gate[r, whole] >> np.uint32(c % WORD)) & np.uint32(1):
                    sums[part, 0, c] += u[r, c]
                    sums[part, 1, c] += np.int64(u[r, c]) * x[r, c]


@kernel(parallel=True)
def _entries(simd, u, gate, x, units, constants, mode, out):
    """The entries of dx as ``mode`` says, see ``norm_grad_tile``."""
    rows, channels = u.shape
    whole, row_pitch = channels // WORD, 0 if len(mode) == len(LARGEST) else channels
    flat_u, flat_x, flat_gate, to = u.reshape(-1), x.reshape(-1), gate.reshape(-1), out.reshape(-1)
    flat_constants = constants.reshape(-1)
    mean, inverse, factor, mean_dy, mean_dy_xhat = constants
    unit, x_unit, scale = units
    for part in prange(-(-rows // PART)):
        rest = np.zeros(WORD, np.float32)
        first = part * channels if len(mode) == len(LARGEST) else part * PART * channels
        for r in range(part * PART, min((part + 1) * PART, rows)):
            place = first + (r - part * PART) * row_pitch
            for k in range(whole):
                norm_grad_tile(
                    simd, mode, flat_u, flat_x, r * channels + WORD * k, flat_gate,
                    r * gate.shape[1] + k, units, flat_constants, WORD * k, channels, to,
                    place + WORD * k,
                )  # fmt: skip
            for c in range(WORD * whole, channels):
                stopped = (gate[r, whole] >> np.uint32(c % WORD)) & np.uint32(1)
                passed = np.float32(0) if stopped else np.float32(u[r, c]) * unit
                xhat = (np.float32(x[r, c]) * x_unit - mean[c]) * inverse[c]
                rest[c % WORD] = factor[c] * (passed - mean_dy[c] - xhat * mean_dy_xhat[c])
            _store_rest(mode, rest, scale, to, place + WORD * whole, channels - WORD * whole)


@kernel(inner=True)
def _store_rest(mode, rest, scale, out, place, count):
    sizes = rest.view(np.int32)
    for c in range(count):
        if len(mode) == len(LARGEST):
            out[place + c] = max(np.int32(out[place + c]), sizes[c] & np.int32(0x7FFFFFFF))
        elif len(mode) == len(ROUNDED):
            out[place + c] = np.rint(rest[c] * scale)
        else:
            out[place + c] = rest[c]
