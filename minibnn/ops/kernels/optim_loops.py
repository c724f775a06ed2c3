"""Compiled loops of the optimizer steps: everything in place, in one pass over flat arrays.

Each function mirrors the NumPy step function of its name in ``minibnn.optim``, operation by
operation, so that the results are the same bit for bit; equations stand there. Constants come as
scalars of the arrays' type. A chunk of entries belongs to one thread, and what is counted are
integers, so the number of threads changes nothing. Arrays that a step does not have are None,
which Numba resolves when it compiles.
"""

import math

from numba import prange

from minibnn.ops.kernels.compile import kernel

CHUNK = 1 << 14

STRICT, INCLUSIVE, LARQ = 0, 1, 2
SHRINK, COUPLED, DECOUPLED = 0, 1, 2

compiled = kernel(parallel=True, error_model="numpy")
inlined = kernel(error_model="numpy")


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
    for chunk in prange((bits.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(bits.size, (chunk + 1) * CHUNK)):
            count += (bits[i] & exponent) == exponent
        bad += count
    return bad == 0


@compiled
def bop(w, g, m, gamma, keep, threshold, rule, lerp):
    flips = 0
    zero = m.dtype.type(0)
    for chunk in prange((w.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(w.size, (chunk + 1) * CHUNK)):
            m[i] = average(m[i], g[i], gamma, keep, lerp)
            flip = decide(w[i], m[i], threshold, zero, rule)
            w[i] = -w[i] if flip else w[i]
            count += flip
        flips += count
    return flips


@compiled
def bop2nd(w, g, m, v, gamma, keep, sigma, keep_v, threshold, epsilon, unbiased, rule, lerp):
    flips = 0
    zero = m.dtype.type(0)
    for chunk in prange((w.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(w.size, (chunk + 1) * CHUNK)):
            m[i] = average(m[i], g[i], gamma, keep, lerp)
            v[i] = average(v[i], g[i] * g[i], sigma, keep_v, lerp)
            first, second = m[i], v[i]
            if unbiased:
                first, second = first / gamma, second / sigma
            flip = decide(w[i], first / (math.sqrt(second) + epsilon), threshold, zero, rule)
            w[i] = -w[i] if flip else w[i]
            count += flip
        flips += count
    return flips


@compiled
def cema(w, g, momentum, inertia, gamma, keep_m, alpha, keep_i):
    flips = 0
    zero = inertia.dtype.type(0)
    for chunk in prange((w.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(w.size, (chunk + 1) * CHUNK)):
            momentum[i] = average(momentum[i], g[i], gamma, keep_m, False)
            inertia[i] = average(inertia[i], momentum[i], alpha, keep_i, False)
            flip = decide(w[i], inertia[i], zero, zero, STRICT)
            w[i] = -w[i] if flip else w[i]
            count += flip
        flips += count
    return flips


@inlined
def put_sign(w, i, latent):
    """Write binarize(latent) into w[i]; returns whether that was a flip."""
    flip = (latent < 0) == (w[i] > 0)
    w[i] = -w[i] if flip else w[i]
    return flip


@compiled
def latent_sgd(w, latent, g, velocity, lr, mu, lam, factor, clip, ste_clip, decay):
    flips = 0
    zero = latent.dtype.type(0)
    for chunk in prange((latent.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(latent.size, (chunk + 1) * CHUNK)):
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
                count += put_sign(w, i, x)
        flips += count
    return flips


@inlined
def adam_move(g, m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon):
    """Update both averages by g; returns what Adam subtracts from the value."""
    m[i] = beta_1 * m[i] + rest_1 * g
    v[i] = beta_2 * v[i] + rest_2 * (g * g)
    return rate * m[i] / (math.sqrt(v[i]) + epsilon)


@compiled
def latent_adam(w, latent, g, m, v, rate, beta_1, rest_1, beta_2, rest_2, epsilon, clip, ste_clip):
    flips = 0
    zero = latent.dtype.type(0)
    for chunk in prange((latent.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(latent.size, (chunk + 1) * CHUNK)):
            x = latent[i]
            push = g[i] if abs(x) <= ste_clip else zero
            x = x - adam_move(push, m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon)
            x = min(max(x, -clip), clip)
            latent[i] = x
            if w is not None:
                count += put_sign(w, i, x)
        flips += count
    return flips


@compiled
def inertia_sgd(w, g, inertia, velocity, lr, mu, lam, factor, clip, ste_clip, decay):
    flips = 0
    zero = inertia.dtype.type(0)
    for chunk in prange((w.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(w.size, (chunk + 1) * CHUNK)):
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
            count += flip
        flips += count
    return flips


@compiled
def schmitt_sgd(w, g, latent, lr, factor, deadband):
    flips = 0
    for chunk in prange((w.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(w.size, (chunk + 1) * CHUNK)):
            x = factor * latent[i] - lr * g[i]
            latent[i] = x
            flip = (x < -deadband) if w[i] > 0 else (x > deadband)
            w[i] = -w[i] if flip else w[i]
            count += flip
        flips += count
    return flips


@compiled
def double_well_sgd(w, g, latent, lr, lam, deadband):
    flips = 0
    zero = latent.dtype.type(0)
    for chunk in prange((w.size + CHUNK - 1) // CHUNK):
        count = 0
        for i in range(chunk * CHUNK, min(w.size, (chunk + 1) * CHUNK)):
            positive = w[i] > 0
            own = deadband if positive else -deadband
            x = latent[i]
            x = x - lr * (g[i] + lam * (x - own))
            flip = (x < zero) if positive else (x > zero)
            latent[i] = x - (own + own) if flip else x
            w[i] = -w[i] if flip else w[i]
            count += flip
        flips += count
    return flips


@compiled
def sgd(value, g, velocity, lr, mu):
    for chunk in prange((value.size + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min(value.size, (chunk + 1) * CHUNK)):
            push = g[i]
            if velocity is not None:
                push = mu * velocity[i] + push
                velocity[i] = push
            value[i] = value[i] - lr * push


@compiled
def adam(value, g, m, v, rate, beta_1, rest_1, beta_2, rest_2, epsilon):
    for chunk in prange((value.size + CHUNK - 1) // CHUNK):
        for i in range(chunk * CHUNK, min(value.size, (chunk + 1) * CHUNK)):
            move = adam_move(g[i], m, v, i, rate, beta_1, rest_1, beta_2, rest_2, epsilon)
            value[i] = value[i] - move
