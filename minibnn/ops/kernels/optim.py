"""Compiled twins of the optimizers' step functions.

``NAME_step`` has the signature of its NumPy twin in ``minibnn.optim``, where the equations are,
and ``out``: a (value, state) to write into, which may be the inputs themselves; without it the
inputs stay untouched. ``NAME_update`` does the step in place and returns (flips, state). The
results equal the twin's bit for bit, for float32 and float64 and any number of threads.
"""

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.hyperparameters import adam_rate, constant
from minibnn.ops.kernels import optim_loops as loops

RULES = {"strict": loops.STRICT, "inclusive": loops.INCLUSIVE, "larq": loops.LARQ}
AVERAGES = {"convex": False, "lerp": True}
DECAYS = {"shrink": loops.SHRINK, "coupled": loops.COUPLED, "decoupled": loops.DECOUPLED}
FORMS = {"biased": False, "unbiased": True}
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


def bop_update(w, g, state, *, gamma, threshold, rule="strict", average="convex"):
    """Twin of ``minibnn.optim.bop_step``, in place; returns (flips, state)."""
    w, g, m = _flat(w, g, state.m)
    gamma, threshold = _constants(m, gamma, threshold)
    rule, lerp = _code("rule", rule, RULES), _code("average", average, AVERAGES)
    return loops.bop(w, g, m, gamma, 1 - gamma, threshold, rule, lerp), state


def bop2nd_update(
    w,
    g,
    state,
    *,
    gamma,
    sigma,
    threshold,
    epsilon=1e-10,
    form="biased",
    rule="strict",
    average="convex",
):
    """Twin of ``minibnn.optim.bop2nd_step``, in place; returns (flips, state)."""
    w, g, m, v = _flat(w, g, *state)
    gamma, sigma, threshold, epsilon = _constants(m, gamma, sigma, threshold, epsilon)
    rates = gamma, 1 - gamma, sigma, 1 - sigma
    unbiased = _code("form", form, FORMS)
    rule, lerp = _code("rule", rule, RULES), _code("average", average, AVERAGES)
    return loops.bop2nd(w, g, m, v, *rates, threshold, epsilon, unbiased, rule, lerp), state


def cema_update(w, g, state, *, gamma, alpha):
    """Twin of ``minibnn.optim.cema_step``, in place; returns (flips, state)."""
    w, g, momentum, inertia = _flat(w, g, *state)
    gamma, alpha = _constants(momentum, gamma, alpha)
    return loops.cema(w, g, momentum, inertia, gamma, 1 - gamma, alpha, 1 - alpha), state


def inertia_sgd_update(w, g, state, **hyper):
    """Twin of ``minibnn.optim.inertia_sgd_step``, in place; returns (flips, state)."""
    w, g, inertia = _flat(w, g, state.inertia)
    velocity, constants = _sgd(inertia, state.velocity, **hyper)
    return loops.inertia_sgd(w, g, inertia, velocity, *constants), state


def schmitt_sgd_update(w, g, state, *, lr, weight_decay, deadband):
    """Twin of ``minibnn.optim.schmitt_sgd_step``, in place; returns (flips, state)."""
    w, g, latent = _flat(w, g, state.latent)
    lr, lam, deadband = _constants(latent, lr, weight_decay, deadband)
    return loops.schmitt_sgd(w, g, latent, lr, 1 - lr * lam, deadband), state


def double_well_sgd_update(w, g, state, *, lr, weight_decay, deadband):
    """Twin of ``minibnn.optim.double_well_sgd_step``, in place; returns (flips, state)."""
    w, g, latent = _flat(w, g, state.latent)
    constants = _constants(latent, lr, weight_decay, deadband)
    return loops.double_well_sgd(w, g, latent, *constants), state


# -- latent weights: also write the signs into w, unless it is None --------------------------------


def latent_sgd_update(w, latent, g, state, **hyper):
    """Twin of ``minibnn.optim.latent_sgd_step``, in place; returns (flips, state)."""
    latent, g = _flat(latent, g)
    velocity = None if state is None else state.velocity
    velocity, constants = _sgd(latent, velocity, **hyper)
    return loops.latent_sgd(_flat_or_none(w), latent, g, velocity, *constants), state


def latent_adam_update(
    w,
    latent,
    g,
    state,
    *,
    lr,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    clip=None,
    ste_clip=None,
):
    """Twin of ``minibnn.optim.latent_adam_step``, in place; returns (flips, state)."""
    latent, g, m, v = _flat(latent, g, state.m, state.v)
    constants = _adam(latent, state.t + 1, lr, beta_1, beta_2, epsilon)
    bounds = _bounds(latent, clip, ste_clip)
    flips = loops.latent_adam(_flat_or_none(w), latent, g, m, v, *constants, *bounds)
    return flips, state._replace(t=state.t + 1)


# -- real weights --------------------------------------------------------------------------------


def sgd_update(value, g, state, *, lr, momentum=0.0):
    """Twin of ``minibnn.optim.sgd_step``, in place; returns (0, state)."""
    value, g = _flat(value, g)
    lr, mu = _constants(value, lr, momentum)
    loops.sgd(value, g, _flat_or_none(state.velocity if momentum else None), lr, mu)
    return 0, state


def adam_update(value, g, state, *, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Twin of ``minibnn.optim.adam_step``, in place; returns (0, state)."""
    value, g, m, v = _flat(value, g, state.m, state.v)
    loops.adam(value, g, m, v, *_adam(value, state.t + 1, lr, beta_1, beta_2, epsilon))
    return 0, state._replace(t=state.t + 1)


# -- the same as pure functions ------------------------------------------------------------------


def _step(update):
    """The pure function ``(value, g, state, *, hyperparameters, out=None) -> (value, state)``."""

    def step(value, g, state, *, out=None, **hyper):
        value, state = _outputs(value, state, out)
        return value, update(value, g, state, **hyper)[1]

    step.__name__ = step.__qualname__ = update.__name__.replace("_update", "_step")
    step.__doc__ = update.__doc__.replace(
        "in place; returns (flips, state)", "into ``out``; returns (value, state)"
    ).replace("in place; returns (0, state)", "into ``out``; returns (value, state)")
    return step


def _without_w(update):
    def latent_update(latent, g, state, **hyper):
        return update(None, latent, g, state, **hyper)

    latent_update.__name__, latent_update.__doc__ = update.__name__, update.__doc__
    return latent_update


bop_step = _step(bop_update)
bop2nd_step = _step(bop2nd_update)
cema_step = _step(cema_update)
inertia_sgd_step = _step(inertia_sgd_update)
schmitt_sgd_step = _step(schmitt_sgd_update)
double_well_sgd_step = _step(double_well_sgd_update)
latent_sgd_step = _step(_without_w(latent_sgd_update))
latent_adam_step = _step(_without_w(latent_adam_update))
sgd_step = _step(sgd_update)
adam_step = _step(adam_update)


# -- arguments -----------------------------------------------------------------------------------


def _outputs(value, state, out):
    """Arrays that hold value and state and may be overwritten: those of ``out``, or copies."""
    if out is None:
        if state is None:
            return value.copy(), None
        return value.copy(), state._make(x.copy() if _is_array(x) else x for x in state)
    new_value, new_state = out
    if new_value is not value:
        new_value[...] = value
    if state is None:
        return new_value, None
    for target, source in zip(new_state, state, strict=True):
        if _is_array(source) and target is not source:
            target[...] = source
    return new_value, state._make(
        target if _is_array(source) else source
        for target, source in zip(new_state, state, strict=True)
    )


def _is_array(x):
    return isinstance(x, np.ndarray)


def _flat(target, g, *state):
    """One-dimensional views of the arrays to update, and of the gradient."""
    g = np.ascontiguousarray(g)
    for x in state or (target,):
        if x.dtype != g.dtype or x.shape != g.shape:
            raise TypeError(
                f"gradient and state must be alike, found {g.dtype} {g.shape} and "
                f"{x.dtype} {x.shape}"
            )
    if target.shape != g.shape:
        raise TypeError(f"value {target.shape} and gradient {g.shape} must have one shape")
    return (_flat_or_none(target), g.reshape(-1), *map(_flat_or_none, state))


def _flat_or_none(x):
    if x is None:
        return None
    if not x.flags.c_contiguous:
        raise TypeError("an array to be updated in place must be C-contiguous")
    return x.reshape(-1)


def _constants(like, *values):
    return [constant(value, like.dtype) for value in values]


def _code(name, word, codes):
    if word not in codes:
        raise InputError(f"{name} must be one of {', '.join(codes)}; found {word!r}")
    return codes[word]


def _bounds(like, *bounds):
    return _constants(like, *(np.inf if bound is None else bound for bound in bounds))


def _sgd(
    like,
    velocity,
    *,
    lr,
    momentum=0.0,
    weight_decay=0.0,
    decay="shrink",
    clip=None,
    ste_clip=None,
):
    """Velocity, or None without momentum, and the constants of the latent SGD loops."""
    code = _code("decay", decay, DECAYS)
    lr, mu, lam = _constants(like, lr, momentum, weight_decay)
    if not weight_decay:
        code = loops.SHRINK  # by a factor of 1, which is exact
    velocity = _flat_or_none(velocity if momentum else None)
    return velocity, (lr, mu, lam, 1 - lr * lam, *_bounds(like, clip, ste_clip), code)


def _adam(like, t, lr, beta_1, beta_2, epsilon):
    rate = adam_rate(lr, beta_1, beta_2, t, like.dtype)
    beta_1, beta_2, epsilon = _constants(like, beta_1, beta_2, epsilon)
    return rate, beta_1, 1 - beta_1, beta_2, 1 - beta_2, epsilon
