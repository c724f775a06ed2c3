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
from minibnn.ops.kernels.layout import filled_lanes, without_extra_lanes
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
    z, x_unit = integers_and_unit(x, mean.dtype)
    u, z = (filled_lanes(a.reshape(-1, channels)) for a in (dy.integers, z))
    n, lanes = u.shape
    words = n, lanes // WORD
    gate = np.zeros(words, np.uint32) if gate is None else gate.words.reshape(words)
    parts = -(-n // PART)
    sums = np.zeros((parts, 2, lanes), np.int64)
    _exact_sums(path, u, gate, z, sums)
    inverse, sums = bn_factor(variance, epsilon), sums.sum(0)[:, :channels]
    dgamma, dbeta, *means = fixed_sums(sums, dy, x, mean, inverse, n, across)
    constants = np.stack([mean, inverse, bn_factor(variance, epsilon, gamma), *means])
    units = np.array([dy.unit, x_unit, 0], np.float32)
    own = path, u, gate, z, units, filled_lanes(constants)

    def entries(mode, dtype):
        dx = empty((n, lanes), dtype)
        _entries(*own, mode, dx)
        return without_extra_lanes(dx, channels).reshape(dy.shape)

    if bits is None:
        return entries(VALUES, np.float32), dgamma, dbeta
    sizes = np.zeros((parts, lanes), np.int32)  # bits of floats, which compare like them
    _entries(*own, LARGEST, sizes)
    largest = float(sizes.view(np.float32).max(initial=0))
    exponent = fixed_exponent(across.largest(largest) if across else largest, bits)
    if exponent != exponent:  # not finite
        return Fixed(np.zeros(dy.shape, fixed_type(bits)), exponent), dgamma, dbeta
    units[2] = 2.0**-exponent
    return Fixed(entries(ROUNDED, fixed_type(bits)), exponent), dgamma, dbeta


@kernel(parallel=True)
def _exact_sums(simd, u, gate, x, sums):
    """Of u that the gate lets pass, and of u x."""
    (rows, depth), lanes, totals = gate.shape, u.shape[1], sums.reshape(-1)
    flat_u, flat_x, flat_gate = u.reshape(-1), x.reshape(-1), gate.reshape(-1)
    for part in prange(len(sums)):
        for r in range(part * PART, min((part + 1) * PART, rows)):
            for k in range(depth):
                word, place = r * depth + k, 2 * part * lanes + WORD * k
                exact_sums_tile(
                    simd, flat_u, flat_x, WORD * word, flat_gate, word, totals, place, lanes
                )


@kernel(parallel=True)
def _entries(simd, u, gate, x, units, constants, mode, out):
    """The entries of dx as ``mode`` says, see ``norm_grad_tile``."""
    (rows, depth), lanes, to = gate.shape, u.shape[1], out.reshape(-1)
    flat_u, flat_x, flat_gate = u.reshape(-1), x.reshape(-1), gate.reshape(-1)
    flat_constants = constants.reshape(-1)
    for part in prange(-(-rows // PART)):
        for r in range(part * PART, min((part + 1) * PART, rows)):
            for k in range(depth):
                word, channel = r * depth + k, WORD * k
                place = part * lanes + channel if len(mode) == len(LARGEST) else WORD * word
                norm_grad_tile(
                    simd, mode, flat_u, flat_x, WORD * word, flat_gate, word, units,
                    flat_constants, channel, lanes, to, place,
                )  # fmt: skip
