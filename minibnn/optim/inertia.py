"""Latent SGD without a latent weight: the bit and its inertia |latent| (Eq. 4)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minibnn.errors import one_of
from minibnn.ops.hyperparameters import constant, constants
from minibnn.optim.latent import DECAYS, TINY, SGDArguments, masked


class InertiaSGDState(NamedTuple):
    """What the inertia form keeps of a weight."""

    inertia: np.ndarray  # like w, >= 0: the magnitude of the latent weight
    velocity: np.ndarray | None = None  # like w; unused without momentum


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
    inertia, velocity = state
    lr, mu, lam = constants(inertia.dtype, lr, momentum, weight_decay)
    one_of(decay, "decay", DECAYS)
    decay = decay if np.any(weight_decay) else None
    push = w * masked(g, inertia, ste_clip)  # Eq. 4: the gradient as seen along w
    if decay == "coupled":
        push = push + lam * inertia
    if np.any(momentum):
        push = mu * (w * velocity) + push
        velocity = w * push
    if decay == "decoupled":
        push = push + lam * inertia
    if decay == "shrink":
        inertia = (1 - lr * lam) * inertia
    s = inertia - lr * push
    flip = (s < 0) | ((s == 0) & (w < 0))
    inertia = np.abs(s)
    if clip is not None:
        inertia = np.minimum(inertia, constant(clip, inertia.dtype))
    return np.where(flip, -w, w), InertiaSGDState(inertia, velocity)


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

    def _move(self, p, hyper, kernels):
        flips = super()._move(p, self.at_layer_rate(p, hyper), kernels)
        p.rescale(self._states[p.name].inertia)
        return flips
