"""Latent weights: real numbers whose signs are the network's weights (Eq. 2).

They are state of the optimizer; the network never sees more than the signs. The gradient is taken
at the signs and applied to the latent weights (Eq. 3, the identity as straight-through estimator).
"""

import zlib
from collections import namedtuple
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.bits import binarize
from minibnn.ops.initial import fans, glorot_normal
from minibnn.ops.rounding import constant, constants
from minibnn.optim import arguments
from minibnn.optim.optimizer import StepOptimizer
from minibnn.optim.real import AdamState, MomentumOptimizer, SGDState, adam_step

DECAYS = ("shrink", "coupled", "decoupled")
STARTS = ("glorot_uniform", "glorot_normal")
TINY = np.finfo(np.float32).smallest_normal


LatentSGDState, LatentAdamState = SGDState, AdamState
# What the classes keep: the latent weight before the state of the step function.
LatentAndVelocity = namedtuple("LatentAndVelocity", "latent velocity")
LatentAndAverages = namedtuple("LatentAndAverages", "latent m v t")


def masked(g, latent, ste_clip):
    """g where |latent| <= ste_clip, else 0: the straight-through estimator's inclusive mask."""
    if ste_clip is None:
        return g
    bound, zero = constants(latent.dtype, ste_clip, 0)
    return np.where(np.abs(latent) <= bound, g, zero)


def clipped(latent, clip):
    """latent clipped to [-clip, clip]."""
    if clip is None:
        return latent
    clip = constant(clip, latent.dtype)
    return np.minimum(np.maximum(latent, -clip), clip)


def latent_sgd_step(
    latent,
    g,
    state,
    *,
    lr,
    momentum=0.0,
    weight_decay=0.0,
    decay="shrink",
    clip=None,
    ste_clip=None,
):
    """One step of gradient descent on latent weights (Algorithm 1): returns (latent, state).

    latent and g are floats of one shape and stay untouched; the weights are ``binarize(latent)``
    (Eq. 2). lr, momentum and weight_decay are epsilon, mu and lambda. decay says where lambda
    stands: "shrink" is a factor 1 - epsilon lambda on the latent weight; "coupled" in the gradient,
    so inside the velocity (the usual L2); "decoupled" beside the velocity. The last equals
    "shrink" in exact arithmetic and "coupled" where there is no momentum, there bit for bit.
    clip bounds |latent| after the update, and the gradient passes where |latent| <= ste_clip.
    state may be None without momentum. Also exact on object arrays of ``fractions.Fraction``.

    >>> latent = np.float32([0.5, -0.25])
    >>> latent_sgd_step(latent, np.float32([2, 2]), None, lr=0.5, weight_decay=1.0)[0]
    array([-0.75 , -1.125], dtype=float32)
    """
    lr, mu, lam = constants(latent.dtype, lr, momentum, weight_decay)
    one_of(decay, "decay", DECAYS)
    decay = decay if np.any(weight_decay) else None
    g = masked(g, latent, ste_clip)
    if decay == "coupled":
        g = g + lam * latent  # gradient of L + lambda/2 |w|^2
    if np.any(momentum) or (state is not None and state.velocity is not None):
        g = mu * state.velocity + g  # v = mu v + g
        state = state._replace(velocity=g)
    if decay == "decoupled":
        g = g + lam * latent
    if decay == "shrink":
        latent = (1 - lr * lam) * latent
    return clipped(latent - lr * g, clip), state  # Algorithm 1 with A(g) = -g


def latent_adam_step(
    latent, g, state, *, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, clip=None, ste_clip=None
):
    """One step of Adam on latent weights: Algorithm 1 with A = Adam; returns (latent, state).

    lr, beta_1, beta_2 and epsilon are as in ``adam_step``, g, clip and ste_clip as in
    ``latent_sgd_step``.

    >>> state = LatentAdamState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> latent_adam_step(np.float32([0.1]), np.float32([8]), state, lr=0.25)[0].round(3)
    array([-0.15], dtype=float32)
    """
    g = masked(g, latent, ste_clip)
    hyper = {"lr": lr, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    latent, state = adam_step(latent, g, state, **hyper)
    return clipped(latent, clip), state


@dataclass(eq=False, kw_only=True)
class MagnitudeOptimizer(StepOptimizer):
    """What optimizers of latent weights and of their magnitudes share."""

    clip: arguments.Bound = 1.0
    ste_clip: arguments.Bound = None
    initial: Annotated[float | str | dict, arguments.Start(STARTS)] = "glorot_uniform"
    seed: arguments.Seed = 0
    lr_scaling: Annotated[str | None, arguments.Choice(("glorot",), optional=True)] = None

    def start_values(self, p):
        """|latent| at the start, float32: ``initial`` says which, ``seed`` the draw."""
        if self.initial not in STARTS:
            return np.abs(super().start_values(p))
        # A parameter's draw depends on its name alone, not on what else the network has.
        random = np.random.default_rng([self.seed, zlib.crc32(p.name.encode())])
        if self.initial == "glorot_normal":
            return np.abs(glorot_normal(p.shape, random))
        limit = np.sqrt(6.0 / sum(fans(p.shape)))
        return random.uniform(0.0, limit, p.shape).astype(np.float32)

    def at_layer_rate(self, p, hyper):
        """hyper with the rate of p's layer: lr_scaling="glorot" divides by sqrt(1.5 / fans)."""
        if self.lr_scaling is None:
            return hyper
        return hyper | {"lr": hyper["lr"] / (1.5 / sum(fans(p.shape))) ** 0.5}


@dataclass(eq=False)
class SGDArguments(MomentumOptimizer, MagnitudeOptimizer):
    """What ``LatentSGD`` and its inertia form take."""

    lr: arguments.Positive = 1.0
    momentum: arguments.Share = 0.0
    weight_decay: arguments.NotNegative = 0.0
    decay: Annotated[str, arguments.Choice(DECAYS)] = "shrink"


class LatentOptimizer(MagnitudeOptimizer):
    """A latent weight for every bit, whose sign is that bit, before the step function's state.

    A kernel that has a scale gets that of its latent weights, at the start and after each step.
    """

    inner_class: ClassVar = None  # of the step function's state
    starts = "latent"
    inert = "latent", None, "|latent|"

    def start_values(self, p):
        return with_signs(super().start_values(p), p.value)

    def _assigned(self, p):
        latent = self._states[p.name].latent
        wrong = binarize(latent) != p.value
        latent[wrong] = with_signs(np.abs(latent[wrong]), p.value[wrong])
        p.rescale(latent)

    def _move(self, p, g, hyper, kernels):
        hyper = self.at_layer_rate(p, hyper)
        latent, *inner = self._states[p.name]
        state = self.inner_class(*inner)
        w = p.writable()
        if update := getattr(kernels, self.update, None):
            flips, state = update(latent, g, state, w=w, **hyper)
        else:
            latent, state = type(self).step_function(latent, g, state, **hyper)
            new = binarize(latent, w.dtype.type)  # Eq. 2
            flips = np.count_nonzero(w != new)
            w[...] = new
        self._states[p.name] = self.state_class(latent, *state)
        p.rescale(latent)
        return int(flips)


def with_signs(magnitude, w):
    """magnitude * w; a -1 at magnitude 0 gets the smallest normal number, as -0.0 means +1."""
    return np.where((magnitude == 0) & (w < 0), -TINY, magnitude * w).astype(np.float32)


@dataclass(eq=False)
class LatentSGD(SGDArguments, LatentOptimizer):
    """Gradient descent on latent weights, for binary parameters; see ``latent_sgd_step``.

    ``initial`` gives the start magnitudes: "glorot_uniform" is |U(-l, l)| with l = sqrt(6 /
    (fan_in + fan_out)), "glorot_normal" Keras' truncated normal distribution of deviation
    sqrt(2 / (fan_in + fan_out)); ``seed`` is that of the draw. A number is the magnitude itself, a
    dict has arrays by parameter name. The signs are the network's; a -1 whose magnitude is 0
    starts at the smallest normal number. ``lr_scaling="glorot"`` multiplies a layer's rate by
    1 / sqrt(1.5 / (fan_in + fan_out)), as BinaryNet's authors do.
    """

    kind = "latent-sgd"
    inner_class = LatentSGDState
    state_class = LatentAndVelocity
    step_function = latent_sgd_step


@dataclass(eq=False)
class LatentAdam(LatentOptimizer):
    """Adam on latent weights, for binary parameters; see ``latent_adam_step``.

    ``initial``, ``seed`` and ``lr_scaling`` are as in ``LatentSGD``.
    """

    lr: arguments.Positive = 0.001
    beta_1: arguments.Share = 0.9
    beta_2: arguments.Share = 0.999
    epsilon: arguments.Divisor = 1e-7

    kind = "latent-adam"
    inner_class, counters = LatentAdamState, ("t",)
    state_class = LatentAndAverages
    step_function = latent_adam_step


class InertiaSGDState(NamedTuple):
    """What the inertia form keeps of a weight."""

    inertia: np.ndarray  # like w, >= 0: the magnitude of the latent weight
    velocity: np.ndarray | None = None  # like w; None without momentum


def inertia_sgd_step(
    w, g, state, *, lr, momentum=0.0, weight_decay=0.0, decay="shrink", clip=None, ste_clip=None
):
    """``latent_sgd_step`` on latent = w * inertia, multiplied by w: the same bits, bit for bit.

    With s = inertia - lr * w * g the weight flips where s < 0, and where s = 0 if it was -1
    (sign(0) = +1); the new inertia is |s|. A -1 of inertia 0 has no latent twin, as w * inertia
    would be a +1. w, g and what it returns, (w, state), are as in ``bop_step``; lr, momentum,
    weight_decay, decay, clip and ste_clip are those of ``latent_sgd_step``.

    >>> w, state = np.int8([1, -1]), InertiaSGDState(np.float32([0.5, 0.5]))
    >>> w, state = inertia_sgd_step(w, np.float32([2, 2]), state, lr=0.5)
    >>> state.inertia  # the weights are -1 and -1 now
    array([0.5, 1.5], dtype=float32)
    """
    along = LatentSGDState(None if state.velocity is None else w * state.velocity)
    hyper = {"momentum": momentum, "weight_decay": weight_decay, "decay": decay}
    s, along = latent_sgd_step(state.inertia, w * g, along, lr=lr, ste_clip=ste_clip, **hyper)
    flip = (s < 0) | ((s == 0) & (w < 0))
    velocity = None if along.velocity is None else w * along.velocity
    return np.where(flip, -w, w), InertiaSGDState(clipped(np.abs(s), clip), velocity)


@dataclass(eq=False)
class InertiaSGD(SGDArguments):
    """``LatentSGD`` in its inertia form: arguments, start and trajectory are the same."""

    kind = "inertia-sgd"
    state_class = InertiaSGDState
    step_function = inertia_sgd_step
    starts = "inertia"
    inert = "inertia", None, "|latent|"

    def _assigned(self, p):
        inertia = self._states[p.name].inertia
        inertia[(inertia == 0) & (p.value < 0)] = TINY  # as LatentSGD keeps its -1
        p.rescale(inertia)

    def _move(self, p, g, hyper, kernels):
        flips = super()._move(p, g, self.at_layer_rate(p, hyper), kernels)
        p.rescale(self._states[p.name].inertia)
        return flips
