"""The gradient of batch normalisation, from floats or, its sums exact, from fixed-point numbers.

First the sums; then the entries of dx. To round them they are computed twice, once for the largest:
that is less than to write and read them as floats.
"""

import numpy as np
from numba import prange

from minibnn.ops.bits import WORD
from minibnn.ops.fixed import Fixed, fixed_exponent, fixed_type
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.kernels.layout import filled_lanes
from minibnn.ops.kernels.norm_tiles import (
    LARGEST,
    ROUNDED,
    VALUES,
    exact_sums_tile,
    float_sums_tile,
    norm_grad_tile,
)
from minibnn.ops.kernels.normalisation import PART
from minibnn.ops.kernels.scratch import empty
from minibnn.ops.kernels.simd import simd
from minibnn.ops.kernels.tiles import NUMBERS
from minibnn.ops.reference import normalisation as reference
from minibnn.ops.rounding import bn_factor, fixed_sums


def batch_norm_grad(dy, x, mean, variance, epsilon, gamma=None, across=None, bits=None):
    return batch_norm_sign_grad(dy, None, x, mean, variance, epsilon, gamma, across, bits)


def batch_norm_sign_grad(dy, gate, x, mean, variance, epsilon, gamma=None, across=None, bits=None):
    fixed, channels, path = isinstance(dy, Fixed), dy.shape[-1], simd()
    dtype = np.dtype(np.float32) if fixed else dy.dtype
    mean, variance = mean.astype(dtype, copy=False), variance.astype(dtype, copy=False)
    if dtype != np.float32:
        own = x, mean, variance, epsilon, gamma, across, bits
        if gate is None:
            return reference.batch_norm_grad(dy, *own)
        return reference.batch_norm_sign_grad(dy, gate, *own)
    z, x_unit = (x.integers, x.unit) if isinstance(x, Fixed) else (x, 1)
    if not fixed and z.dtype not in NUMBERS:
        z, x_unit = z.astype(dtype) * dtype.type(x_unit), 1
    u, z = (filled_lanes(a.reshape(-1, channels)) for a in (dy.integers if fixed else dy, z))
    n, lanes = u.shape
    words, parts = (n, lanes // WORD), -(-n // PART)
    gate = np.zeros(words, np.uint32) if gate is None else gate.words.reshape(words)
    inverse = bn_factor(variance, epsilon)
    factor = inverse if gamma is None else bn_factor(variance, epsilon, gamma)
    units = np.array([dy.unit if fixed else 1, x_unit, 0], np.float32)
    constants = np.zeros((5, lanes), np.float32)
    constants[:3, :channels] = mean, inverse, factor
    own = path, u, gate, z, units, constants
    sums = np.zeros((parts, 2, lanes), np.int64 if fixed else np.float64)
    if fixed:
        _exact_sums(path, u, gate, z, sums)
        found = sums.sum(0)[:, :channels]
        dgamma, dbeta, *means = fixed_sums(found, dy, x, mean, inverse, n, across)
    else:
        _float_sums(*own, sums)
        found = sums.sum(0)[:, :channels]
        total, count = (across.sum(found), n * across.size) if across else (found, n)
        means = total.astype(np.float32) * np.float32(1 / count)
        dbeta, dgamma = found.astype(np.float32)
    constants[3:, :channels] = means
    mode = VALUES
    if fixed and bits is not None:
        sizes = np.zeros((parts, lanes), np.int32)  # bits of floats, which compare like them
        _entries(*own, LARGEST, sizes)
        largest = float(sizes.view(np.float32).max(initial=0))
        exponent = fixed_exponent(across.largest(largest) if across else largest, bits)
        if exponent != exponent:  # not finite
            return Fixed(np.zeros(dy.shape, fixed_type(bits)), exponent), dgamma, dbeta
        units[2] = 2.0**-exponent
        mode, dtype = ROUNDED, fixed_type(bits)
    dx = empty((n, lanes), dtype)
    _entries(*own, mode, dx)
    dx = np.ascontiguousarray(dx[:, :channels]).reshape(dy.shape)
    return dx if mode == VALUES else Fixed(dx, exponent), dgamma, dbeta


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
def _float_sums(simd, dy, gate, x, units, constants, sums):
    """Of dy that the gate lets pass, and of dy xhat."""
    (rows, depth), lanes, totals = gate.shape, dy.shape[1], sums.reshape(-1)
    flat_dy, flat_x, flat_gate = dy.reshape(-1), x.reshape(-1), gate.reshape(-1)
    flat_constants = constants.reshape(-1)
    for part in prange(len(sums)):
        for r in range(part * PART, min((part + 1) * PART, rows)):
            for k in range(depth):
                word, channel = r * depth + k, WORD * k
                float_sums_tile(
                    simd, flat_dy, flat_x, WORD * word, flat_gate, word, units, flat_constants,
                    channel, lanes, totals, 2 * part * lanes + channel,
                )  # fmt: skip


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
