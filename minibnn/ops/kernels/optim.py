"""Compiled twins of the step functions that train large networks; the others step in NumPy.

``NAME_update`` does the step of ``minibnn.optim.NAME_step``, where the equations are, in place,
and returns (flips, state); it allocates no arrays. ``NAME_step`` has the form of its NumPy twin
and leaves its inputs untouched. Results equal the twin's bit for bit, for float32 and float64 and
any number of threads: a loop mirrors its twin operation by operation. Constants come as scalars of
the arrays' type. An array that a step does not have is None, which Numba resolves when it compiles.
"""

import math
from functools import cache

import numpy as np
from numba import prange

from minibnn.errors import one_of
from minibnn.ops.kernels.compile import kernel
from minibnn.ops.rounding import adam_rate, constants

INCLUSIVE, LARQ = 1, 2  # rules; 0 is the strict one
SHRINK, COUPLED, DECOUPLED = 0, 1, 2

compiled = kernel(parallel=True, error_model="numpy")
inlined = kernel(error_model="numpy", inner=True)


# -- binary weights ------------------------------------------------------------------------------


def bop_update(w, g, state, *, gamma, threshold, rule="strict", average="convex"):
    w, g, m = _flat(w, g, state.m)
    gamma, threshold = constants(m.dtype, gamma, threshold)
    return _bop(w, g, m, gamma, 1 - gamma, threshold, *_choices(rule, average)), state


@compiled
def _bop(w, g, m, gamma, keep, threshold, rule, lerp):
    zero = m.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        m[i] = _average(m[i], g[i], gamma, keep, lerp)
        flip = _decide(w[i], m[i], threshold, zero, rule)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


@inlined
def _average(m, g, gamma, keep, lerp):
    if lerp:
        return m + gamma * (g - m)
    return keep * m + gamma * g


@inlined
def _decide(w, m, threshold, zero, rule):
    """Whether a weight ``w`` flips whose evidence is ``m``."""
    positive = w > 0
    agreement = m if positive else -m
    flip = agreement > threshold
    if rule == INCLUSIVE:
        flip = agreement >= threshold and agreement > zero
    if rule == LARQ and agreement == threshold:
        flip = not positive
    return flip


def bop2nd_update(
    w, g, state, *, gamma, sigma, threshold, epsilon=1e-10, form="biased", rule="strict",
    average="convex",
):  # fmt: skip
    w, g, m, v = _flat(w, g, *state)
    gamma, sigma, threshold, epsilon = constants(m.dtype, gamma, sigma, threshold, epsilon)
    rates = gamma, 1 - gamma, sigma, 1 - sigma
    codes = _code(form, "form", "biased", "unbiased"), *_choices(rule, average)
    return _bop2nd(w, g, m, v, *rates, threshold, epsilon, *codes), state


@compiled
def _bop2nd(w, g, m, v, gamma, keep, sigma, keep_v, threshold, epsilon, unbiased, rule, lerp):
    zero = m.dtype.type(0)
    flips = 0
    for i in prange(w.size):
        m[i] = _average(m[i], g[i], gamma, keep, lerp)
        v[i] = _average(v[i], g[i] * g[i], sigma, keep_v, lerp)
        first, second = m[i], v[i]
        if unbiased:
            first, second = first / gamma, second / sigma
        flip = _decide(w[i], first / (math.sqrt(second) + epsilon), threshold, zero, rule)
        w[i] = -w[i] if flip else w[i]
        flips += np.int32(flip)
    return flips


# -- latent weights: the signs are also written into w, unless it is None -------------------------


def latent_sgd_update(
    latent, g, state, *, w=None, lr, momentum=0.0, weight_decay=0.0, decay="shrink", clip=None,
    ste_clip=None,
):  # fmt: skip
    w, g, latent, velocity = _flat(w, g, latent, getattr(state, "velocity", None))
    code = _code(decay, "decay", "shrink", "coupled", "decoupled")
    code = code if weight_decay else SHRINK  # by a factor of 1, which is exact
    lr, mu, lam = constants(g.dtype, lr, momentum, weight_decay)
    rates = lr, mu, lam, 1 - lr * lam, *_bounds(g.dtype, clip, ste_clip)
    return _latent_sgd(w, latent, g, velocity, *rates, code), state


@compiled
def _latent_sgd(w, latent, g, velocity, lr, mu, lam, factor, clip, ste_clip, decay):
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
            flips += np.int32(_put_sign(w, i, x))
    return flips


@inlined
def _put_sign(w, i, latent):
    """Write binarize(latent) into w[i]; returns whether that was a flip."""
    flip = (latent < 0) == (w[i] > 0)
    w[i] = -w[i] if flip else w[i]
    return flip


def latent_adam_update(
    latent, g, state, *, w=None, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, clip=None,
    ste_clip=None,
):  # fmt: skip
    w, g, latent, m, v = _flat(w, g, latent, state.m, state.v)
    lr, beta_1, beta_2, epsilon = constants(g.dtype, lr, beta_1, beta_2, epsilon)
    rates = beta_1, 1 - beta_1, beta_2, 1 - beta_2, epsilon, *_bounds(g.dtype, clip, ste_clip)
    rate = adam_rate(lr, beta_1, beta_2, state.t + 1)
    return _latent_adam(w, latent, g, m, v, rate, *rates), state._replace(t=state.t + 1)


@compiled
def _latent_adam(w, latent, g, m, v, rate, beta_1, rest_1, beta_2, rest_2, epsilon, clip, ste_clip):
    zero = latent.dtype.type(0)
    flips = 0
    for i in prange(latent.size):
        x = latent[i]
        push = g[i] if abs(x) <= ste_clip else zero
        m[i] = beta_1 * m[i] + rest_1 * push
        v[i] = beta_2 * v[i] + rest_2 * (push * push)
        x = x - rate * m[i] / (math.sqrt(v[i]) + epsilon)
        x = min(max(x, -clip), clip)
        latent[i] = x
        if w is not None:
            flips += np.int32(_put_sign(w, i, x))
    return flips


# -- the same as pure functions ------------------------------------------------------------------


def _pure(update):
    """The step function of an update, (value, g, state, **hyper) -> (value, state), on copies."""

    def step(value, g, state, **hyper):
        value = value.copy()
        if state is not None:
            state = state._make(x.copy() if isinstance(x, np.ndarray) else x for x in state)
        _, state = update(value, g, state, **hyper)
        return value, state

    return step


bop_step = _pure(bop_update)
bop2nd_step = _pure(bop2nd_update)
latent_sgd_step = _pure(latent_sgd_update)
latent_adam_step = _pure(latent_adam_update)


# -- arguments -----------------------------------------------------------------------------------


def _flat(w, g, *floats):
    """One-dimensional views of ±1 weights, the gradient and arrays like it; None stays None."""
    g = np.ascontiguousarray(g)
    if w is not None and w.shape != g.shape:
        raise TypeError(f"value {w.shape} and gradient {g.shape} must have one shape")
    for x in floats:
        if x is not None and (x.dtype != g.dtype or x.shape != g.shape):
            raise TypeError(
                f"gradient and state must be alike, found {g.dtype} {g.shape} and "
                f"{x.dtype} {x.shape}"
            )
    for x in (w, *floats):
        if x is not None and not x.flags.c_contiguous:
            raise TypeError("an array to be updated in place must be C-contiguous")
    return [x if x is None else x.reshape(-1) for x in (w, g, *floats)]


@cache
def _choices(rule, average):
    """How Bop decides and averages, as codes."""
    rule = _code(rule, "rule", "strict", "inclusive", "larq")
    return rule, bool(_code(average, "average", "convex", "lerp"))


@cache
def _code(word, name, *words):
    return words.index(one_of(word, name, words))


def _bounds(dtype, clip, ste_clip):
    return constants(dtype, *(np.inf if bound is None else bound for bound in (clip, ste_clip)))
