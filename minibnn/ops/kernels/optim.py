"""Compiled twins of the optimizers' step functions.

``NAME_update`` does the step of ``minibnn.optim.NAME_step``, where the equations are, in place,
and returns (flips, state); it allocates no arrays. ``NAME_step`` has the form of its NumPy twin
and leaves its inputs untouched. Results equal the twin's bit for bit, for float32 and float64 and
any number of threads.
"""

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.hyperparameters import adam_rate, constants
from minibnn.ops.kernels import optim_loops as loops


class Words(dict):
    """What the loops take for a few words; InputError for another word."""

    def __init__(self, name, **codes):
        super().__init__(codes)
        self.name = name

    def __missing__(self, word):
        raise InputError(f"{self.name} must be one of {', '.join(self)}, found {word!r}")


RULES = Words("rule", strict=loops.STRICT, inclusive=loops.INCLUSIVE, larq=loops.LARQ)
AVERAGES = Words("average", convex=False, lerp=True)
FORMS = Words("form", biased=False, unbiased=True)
ADAMW, LION, SIGNUM, NESTEROV = loops.ADAMW, loops.LION, loops.SIGNUM, loops.NESTEROV
DIRECTIONS = Words("direction", adamw=ADAMW, lion=LION, signum=SIGNUM, nesterov=NESTEROV)
JUMPS = Words("jump", none=loops.NONE, wells=loops.WELLS, bottom=loops.BOTTOM)
ROUNDINGS = Words("rounding", zero=False, nearest=True)
DECAYS = Words("decay", shrink=loops.SHRINK, coupled=loops.COUPLED, decoupled=loops.DECOUPLED)
EXPONENT = {
    np.dtype(np.float32): (np.uint32, np.uint32(0x7F80_0000)),
    np.dtype(np.float64): (np.uint64, np.uint64(0x7FF0_0000_0000_0000)),
}


def all_finite(x):
    """Whether a float array holds neither NaN nor infinity; allocates nothing."""
    x = np.ascontiguousarray(x)
    unsigned, exponent = EXPONENT[x.dtype]
    return loops.all_finite(x.reshape(-1).view(unsigned), exponent)


# -- binary weights ------------------------------------------------------------------------------


def bop_update(w, g, state, *, gamma, threshold, **choices):
    w, g, m = _flat(w, g, state.m)
    gamma, threshold = constants(m.dtype, gamma, threshold)
    return loops.bop(w, g, m, gamma, 1 - gamma, threshold, *_choices(**choices)), state


def bop2nd_update(w, g, state, *, gamma, sigma, threshold, epsilon=1e-10, form="biased", **choices):
    w, g, m, v = _flat(w, g, *state)
    gamma, sigma, threshold, epsilon = constants(m.dtype, gamma, sigma, threshold, epsilon)
    rates = gamma, 1 - gamma, sigma, 1 - sigma
    codes = FORMS[form], *_choices(**choices)
    return loops.bop2nd(w, g, m, v, *rates, threshold, epsilon, *codes), state


def cema_update(w, g, state, *, gamma, alpha):
    w, g, momentum, inertia = _flat(w, g, *state)
    gamma, alpha = constants(momentum.dtype, gamma, alpha)
    return loops.cema(w, g, momentum, inertia, gamma, 1 - gamma, alpha, 1 - alpha), state


def inertia_sgd_update(w, g, state, *, momentum=0.0, **hyper):
    velocity = state.velocity if momentum else None
    w, g, inertia, velocity = _flat(w, g, state.inertia, velocity)
    return loops.inertia_sgd(w, g, inertia, velocity, *_sgd(g.dtype, momentum, **hyper)), state


def schmitt_sgd_update(w, g, state, *, lr, weight_decay, deadband):
    w, g, latent = _flat(w, g, state.latent)
    lr, lam, deadband = constants(g.dtype, lr, weight_decay, deadband)
    return loops.schmitt_sgd(w, g, latent, lr, 1 - lr * lam, deadband), state


def double_well_sgd_update(w, g, state, *, lr, weight_decay, deadband, jump="wells"):
    w, g, latent = _flat(w, g, state.latent)
    hyper = constants(g.dtype, lr, weight_decay, deadband)
    return loops.double_well_sgd(w, g, latent, *hyper, JUMPS[jump]), state


def bold_update(w, g, state, *, lr):
    w, g, a = _flat(w, g, state.a)
    lr, kept, size = constants(g.dtype, lr, state.kept, w.size)
    flips = loops.bold(w, g, a, lr, kept / size)
    return flips, state._replace(kept=w.size - int(flips))


def diode_update(w, g, state, *, lr, beta_1=0.9, beta_2=0.999):
    w, g, momentum, inertia = _flat(w, g, *state)
    lr, beta_1, beta_2 = constants(g.dtype, lr, beta_1, beta_2)
    return loops.diode(w, g, momentum, inertia, lr, 1 - beta_1, 1 - beta_2), state


def directed_bop_update(
    w, g, state, *, direction, gamma, threshold=0.0, rule="strict", average="convex", **betas
):
    w, g, m, first, second = _flat(w, g, *state[:3])
    gamma, threshold = constants(g.dtype, gamma, threshold)
    bop = gamma, 1 - gamma, threshold, *_choices(rule, average)
    directed = _direction(g.dtype, state.t, direction, **betas)
    flips = loops.directed_bop(w, g, m, first, second, *bop, *directed)
    return flips, state._replace(t=state.t + 1)


def integer_bop_update(w, q, state, *, shift, threshold, rounding="zero"):
    """As the others, on integers q and a."""
    w, q, a = (np.ascontiguousarray(x) if x is q else x for x in (w, q, state.a))
    half = 1 << (shift - 1) if ROUNDINGS[rounding] and shift else 0
    flat = w.reshape(-1), q.reshape(-1), a.reshape(-1)
    return loops.integer_bop(*flat, np.int64(half), np.int64(shift), np.int64(threshold)), state


# -- latent weights: the signs are also written into w, unless it is None -------------------------


def latent_sgd_update(latent, g, state, *, w=None, momentum=0.0, **hyper):
    velocity = state.velocity if momentum else None
    w, g, latent, velocity = _flat(w, g, latent, velocity)
    return loops.latent_sgd(w, latent, g, velocity, *_sgd(g.dtype, momentum, **hyper)), state


def latent_adam_update(latent, g, state, *, w=None, lr, clip=None, ste_clip=None, **betas):
    w, g, latent, m, v = _flat(w, g, latent, state.m, state.v)
    adam = _adam(g.dtype, state.t + 1, lr, **betas)
    flips = loops.latent_adam(w, latent, g, m, v, *adam, *_bounds(g.dtype, clip, ste_clip))
    return flips, state._replace(t=state.t + 1)


def latent_direction_update(
    latent, g, state, *, w=None, direction, lr, weight_decay=0.0, clip=None, ste_clip=None, **betas
):
    w, g, latent, first, second = _flat(w, g, latent, state.first, state.second)
    lr, lam = constants(g.dtype, lr, weight_decay)
    move = lr, 1 - lr * lam, *_bounds(g.dtype, clip, ste_clip)
    directed = _direction(g.dtype, state.t, direction, **betas)
    flips = loops.latent_direction(w, latent, g, first, second, *move, *directed)
    return flips, state._replace(t=state.t + 1)


# -- real weights: nothing flips ------------------------------------------------------------------


def sgd_update(value, g, state, *, lr, momentum=0.0):
    _, g, value, velocity = _flat(None, g, value, state.velocity if momentum else None)
    loops.sgd(value, g, velocity, *constants(g.dtype, lr, momentum))
    return 0, state


def adam_update(value, g, state, *, lr, **betas):
    _, g, value, m, v = _flat(None, g, value, state.m, state.v)
    loops.adam(value, g, m, v, *_adam(g.dtype, state.t + 1, lr, **betas))
    return 0, state._replace(t=state.t + 1)


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
cema_step = _pure(cema_update)
inertia_sgd_step = _pure(inertia_sgd_update)
schmitt_sgd_step = _pure(schmitt_sgd_update)
double_well_sgd_step = _pure(double_well_sgd_update)
latent_sgd_step = _pure(latent_sgd_update)
latent_adam_step = _pure(latent_adam_update)
bold_step = _pure(bold_update)
diode_step = _pure(diode_update)
directed_bop_step = _pure(directed_bop_update)
latent_direction_step = _pure(latent_direction_update)
integer_bop_step = _pure(integer_bop_update)
sgd_step = _pure(sgd_update)
adam_step = _pure(adam_update)


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


def _choices(rule="strict", average="convex"):
    """How Bop decides and averages, as codes."""
    return RULES[rule], AVERAGES[average]


def _bounds(dtype, clip, ste_clip):
    return constants(dtype, *(np.inf if bound is None else bound for bound in (clip, ste_clip)))


def _sgd(dtype, momentum, *, lr, weight_decay=0.0, decay="shrink", clip=None, ste_clip=None):
    """The constants of the latent SGD loops."""
    code = DECAYS[decay]
    lr, mu, lam = constants(dtype, lr, momentum, weight_decay)
    if not weight_decay:
        code = loops.SHRINK  # by a factor of 1, which is exact
    return lr, mu, lam, 1 - lr * lam, *_bounds(dtype, clip, ste_clip), code


def _direction(dtype, t, direction, beta_1=0.9, beta_2=0.99, epsilon=1e-7):
    """The constants of a direction."""
    code = DIRECTIONS[direction]
    one, beta_1, beta_2, epsilon = constants(dtype, 1, beta_1, beta_2, epsilon)
    rate = adam_rate(one, beta_1, beta_2, t + 1) if direction == "adamw" else one
    return rate, beta_1, 1 - beta_1, beta_2, 1 - beta_2, epsilon, code


def _adam(dtype, t, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """The constants of the Adam loops."""
    lr, beta_1, beta_2, epsilon = constants(dtype, lr, beta_1, beta_2, epsilon)
    rate = adam_rate(lr, beta_1, beta_2, t)
    return rate, beta_1, 1 - beta_1, beta_2, 1 - beta_2, epsilon
