"""Compiled loops of the optimizer steps: everything in place, in one pass over flat arrays.

Each function mirrors the NumPy step function of its name in ``minibnn.optim``, operation by
operation, so that the results are the same bit for bit; equations stand there. Constants come as
scalars of the arrays' type. What is counted are integers, so the number of threads changes nothing.
Arrays that a step does not have are None, which Numba resolves when it compiles.
"""

import math

import numpy as np
from numba import prange

from minibnn.ops.kernels.compile import kernel

CHUNK = 1 << 14  # entries of one task

STRICT, INCLUSIVE, LARQ = 0, 1, 2
SHRINK, COUPLED, DECOUPLED = 0, 1, 2
NONE, WELLS, BOTTOM = 0, 1, 2
ADAMW, LION, SIGNUM, NESTEROV = 0, 1, 2, 3

compiled = kernel(parallel=True, error_model="numpy")
inlined = kernel(error_model="numpy", inner=True)


@inlined
def average(m, g, gamma, keep, lerp):
    if lerp:
        return m + gamma * (g - m)
    return keep * m + gamma * g


@inlined
def decide(w, m, threshold, zero, rule):
    """The new sign, +1 or -1, of a weight ``w`` whose evidence is ``m``."""
    positive = w > 0
    agreement = m if positive else -m
    flip = agreement > threshold
    if rule == INCLUSIVE:
        flip = agreement >= threshold and agreement > zero
    if rule == LARQ and agreement == threshold:
        flip = not positive
    return flip


@compiled
def all_finite(bits, exponent):
    """Whether no float has all exponent bits set; ``bits`` is its memory as unsigned integers."""
    bad = 0
    for chunk in prange(-(-bits.size // CHUNK)):
        own = bits[chunk * CHUNK : (chunk + 1) * CHUNK]
        bad += largest_exponent(own, exponent) == exponent
    return bad == 0


@inlined
def largest_exponent(bits, exponent):
    most = bits.dtype.type(0)
    for i in range(bits.size):
        most = max(most, bits[i] & exponent)
    return most


@compiled
def bop(w, g, m, gamma, keep, threshold, rule, lerp):
    zero = m.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        m[i] = average(m[i], g[i], gamma, keep, lerp)
        flip = decide(w[i], m[i], threshold, zero, rule)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def bop2nd(w, g, m, v, gamma, keep, sigma, keep_v, threshold, epsilon, unbiased, rule, lerp):
    zero = m.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        m[i] = average(m[i], g[i], gamma, keep, lerp)
        v[i] = average(v[i], g[i] * g[i], sigma, keep_v, lerp)
        first, second = m[i], v[i]
        if unbiased:
            first, second = first / gamma, second / sigma
        flip = decide(w[i], first / (math.sqrt(second) + epsilon), threshold, zero, rule)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def cema(w, g, momentum, inertia, gamma, keep_m, alpha, keep_i):
    zero = inertia.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        momentum[i] = average(momentum[i], g[i], gamma, keep_m, False)
        inertia[i] = average(inertia[i], momentum[i], alpha, keep_i, False)
        flip = decide(w[i], inertia[i], zero, zero, STRICT)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@inlined
def put_sign(w, i, latent):
    """Write binarize(latent) into w[i]; returns whether that was a flip."""
    flip = (latent < 0) == (w[i] > 0)
    w[i] = -w[i] if flip else w[i]
    return flip


@compiled
def latent_sgd(w, latent, g, velocity, lr, mu, lam, factor, clip, ste_clip, decay):
    zero = latent.dtype.type(0)
    flips = 0
    for i in prange(latent.size):
        x = latent[i]
        push = g[i] if abs(x) <= ste_clip else zero
        if decay == COUPLED:
            push = push + lam * x
        if velocity is not None:
            push = mu * velocity[i] + push
            velocity[i] = push
        if decay == DECOUPLED:
            push = push + lam * x
        if decay == SHRINK:
            x = factor * x
        x = x - lr * push
        x = min(max(x, -clip), clip)
        latent[i] = x
        if w is not None:
            flips += np.int32(put_sign(w, i, x))
    return flips


@inlined
def adam_move(g, m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon):
    """Update both averages by g; returns what Adam subtracts from the value."""
    m[i] = beta_1 * m[i] + rest_1 * g
    v[i] = beta_2 * v[i] + rest_2 * (g * g)
    return rate * m[i] / (math.sqrt(v[i]) + epsilon)


@compiled
def latent_adam(w, latent, g, m, v, rate, beta_1, rest_1, beta_2, rest_2, epsilon, clip, ste_clip):
    zero = latent.dtype.type(0)
    flips = 0
    for i in prange(latent.size):
        x = latent[i]
        push = g[i] if abs(x) <= ste_clip else zero
        x = x - adam_move(push, m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon)
        x = min(max(x, -clip), clip)
        latent[i] = x
        if w is not None:
            flips += np.int32(put_sign(w, i, x))
    return flips


@compiled
def inertia_sgd(w, g, inertia, velocity, lr, mu, lam, factor, clip, ste_clip, decay):
    zero = inertia.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        x = inertia[i]
        positive = w[i] > 0
        push = g[i] if x <= ste_clip else zero
        push = push if positive else -push
        if decay == COUPLED:
            push = push + lam * x
        if velocity is not None:
            old = velocity[i] if positive else -velocity[i]
            push = mu * old + push
            velocity[i] = push if positive else -push
        if decay == DECOUPLED:
            push = push + lam * x
        if decay == SHRINK:
            x = factor * x
        x = x - lr * push
        flip = x < zero or (x == zero and not positive)
        w[i] = -w[i] if flip else w[i]
        inertia[i] = min(abs(x), clip)
        flips += np.int32(flip)
    return flips


@compiled
def schmitt_sgd(w, g, latent, lr, factor, deadband):
    flips = 0
    for i in prange(w.size):
        x = factor * latent[i] - lr * g[i]
        latent[i] = x
        flip = (x < -deadband) if w[i] > 0 else (x > deadband)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def double_well_sgd(w, g, latent, lr, lam, deadband, jump):
    zero = latent.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        positive = w[i] > 0
        own = deadband if positive else -deadband
        x = latent[i]
        x = x - lr * (g[i] + lam * (x - own))
        flip = (x < zero) if positive else (x > zero)
        if jump == BOTTOM:
            flip = flip or x == zero
        if flip and jump == WELLS:
            x = x - (own + own)
        if flip and jump == BOTTOM:
            x = -own
        latent[i] = x
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def bold(w, g, a, lr, beta):
    zero, one = a.dtype.type(0), a.dtype.type(1)
    flips = 0
    for i in prange(w.size):
        x = beta * a[i] + lr * g[i]
        flip = (x if w[i] > 0 else -x) >= one
        a[i] = zero if flip else x
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def diode(w, g, momentum, inertia, lr, rate_1, rate_2):
    zero = inertia.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        m = momentum[i] + rate_1 * (g[i] - momentum[i])
        s = inertia[i] + rate_2 * (lr * np.sign(m) - inertia[i])
        momentum[i], inertia[i] = m, s
        flip = (s > zero) == (w[i] > 0)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@inlined
def direct(x, m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon, direction):
    """The direction of an entry whose gradient is x; its averages move."""
    if direction == ADAMW:
        m[i] = beta_1 * m[i] + rest_1 * x
        v[i] = beta_2 * v[i] + rest_2 * (x * x)
        return rate * m[i] / (math.sqrt(v[i]) + epsilon)
    if direction == LION:
        a = np.sign(beta_1 * m[i] + rest_1 * x)
        m[i] = beta_2 * m[i] + rest_2 * x
        return a
    if direction == SIGNUM:
        m[i] = beta_1 * m[i] + rest_1 * x
        return np.sign(m[i])
    m[i] = beta_1 * m[i] + x
    return x + beta_1 * m[i]


@compiled
def directed_bop(w, g, m, first, second, gamma, keep, threshold, rule, lerp, *constants):
    zero = m.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        m[i] = average(m[i], direct(g[i], first, second, i, *constants), gamma, keep, lerp)
        flip = decide(w[i], m[i], threshold, zero, rule)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def latent_direction(w, latent, g, first, second, lr, factor, clip, ste_clip, *constants):
    zero = latent.dtype.type(0)
    flips = 0
    for i in prange(latent.size):
        push = g[i] if abs(latent[i]) <= ste_clip else zero
        x = factor * latent[i] - lr * direct(push, first, second, i, *constants)
        latent[i] = min(max(x, -clip), clip)
        if w is not None:
            flips += np.int32(put_sign(w, i, latent[i]))
    return flips


@compiled
def integer_bop(w, q, a, half, shift, threshold):
    flips = 0
    for i in prange(w.size):
        x = np.int64(a[i])
        size = (abs(x) + half) >> shift
        a[i] = x - (-size if x < 0 else size) + q[i]
        x = np.int64(a[i])
        flip = (x if w[i] > 0 else -x) > threshold
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@compiled
def sgd(value, g, velocity, lr, mu):
    for i in prange(value.size):
        push = g[i]
        if velocity is not None:
            push = mu * velocity[i] + push
            velocity[i] = push
        value[i] = value[i] - lr * push


@compiled
def adam(value, g, m, v, rate, beta_1, rest_1, beta_2, rest_2, epsilon):
    for i in prange(value.size):
        move = adam_move(g[i], m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon)
        value[i] = value[i] - move
