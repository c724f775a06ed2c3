"""Latent SGD without a latent weight: the bit and its inertia |latent| (Eq. 4)."""

from typing import NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.hyperparameters import constant
from minibnn.optim.latent import DECAYS, masked
from minibnn.optim.latent_classes import TINY, SGDArguments, layer_rate, start_magnitudes
from minibnn.optim.optimizer import Inertia


class InertiaSGDState(NamedTuple):
    """What the inertia form keeps of a weight.

    Parameters
    ----------
    inertia : float array like w, >= 0
        Magnitude of the latent weight.
    velocity : float array like w, or None
        Unused without momentum.
    """

    inertia: np.ndarray
    velocity: np.ndarray | None = None


def inertia_sgd_step(
    w,
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
    """``latent_sgd_step`` on latent = w * inertia, multiplied by w: the same bits, bit for bit.

    With s = inertia - lr * w * g the weight flips where s < 0, and where s = 0 if it was -1
    (sign(0) = +1); the new inertia is |s|.

    Parameters
    ----------
    w : array of ±1, int8 or float
        A -1 of inertia 0 has no latent twin, as w * inertia would be a +1.
    g : float array like w, dL/dw
    state : InertiaSGDState
    lr, momentum, weight_decay, decay, clip, ste_clip : as in ``latent_sgd_step``

    Returns
    -------
    w : of the same type
    state : InertiaSGDState

    Notes
    -----
    The inputs are untouched. Also exact on object arrays of ``fractions.Fraction``.

    Examples
    --------
    >>> w, state = np.int8([1, -1]), InertiaSGDState(np.float32([0.5, 0.5]))
    >>> w, state = inertia_sgd_step(w, np.float32([2, 2]), state, lr=0.5)
    >>> state.inertia  # the weights are -1 and -1 now
    array([0.5, 1.5], dtype=float32)
    """
    inertia, velocity = state
    dtype = inertia.dtype
    lr, lam = constant(lr, dtype), constant(weight_decay, dtype)
    push = w * masked(g, inertia, ste_clip)  # Eq. 4: the gradient as seen along w
    if np.any(weight_decay) and decay == "coupled":
        push = push + lam * inertia
    if np.any(momentum):
        push = constant(momentum, dtype) * (w * velocity) + push
        velocity = w * push
    if np.any(weight_decay) and decay == "decoupled":
        push = push + lam * inertia
    if np.any(weight_decay) and decay == "shrink":
        inertia = (1 - lr * lam) * inertia
    elif decay not in DECAYS:
        raise InputError(f"decay must be one of {', '.join(DECAYS)}; found {decay!r}")
    s = inertia - lr * push
    flip = (s < 0) | ((s == 0) & (w < 0))
    inertia = np.abs(s)
    if clip is not None:
        inertia = np.minimum(inertia, constant(clip, dtype))
    return np.where(flip, -w, w), InertiaSGDState(inertia, velocity)


class InertiaSGD(SGDArguments):
    """``LatentSGD`` in its inertia form; arguments, start and trajectory are the same.

    Parameters
    ----------
    lr, momentum, weight_decay, decay, clip, ste_clip, initial, seed, lr_scaling : see ``LatentSGD``
    """

    kind = "inertia-sgd"
    state_class = InertiaSGDState
    step_function = inertia_sgd_step
    update = "inertia_sgd_update"

    def _start(self, p):
        velocity = np.zeros(p.shape, np.float32) if self.momentum else None
        return InertiaSGDState(start_magnitudes(self, p), velocity)

    def _assigned(self, p):
        inertia = self._states[p.name].inertia
        inertia[(inertia == 0) & (p.value < 0)] = TINY  # as LatentSGD keeps its -1
        p.rescale(inertia)

    def inertia(self, parameter):
        """The inertia itself, which is LatentSGD's |latent|.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        return Inertia(self._states[parameter.name].inertia.copy(), None, "|latent|")

    def _train(self, p, hyper):
        flips = super()._train(p, layer_rate(self, p, hyper))
        p.rescale(self._states[p.name].inertia)
        return flips
