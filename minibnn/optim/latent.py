"""Latent weights: real numbers whose signs are the network's weights (Eq. 2).

They are state of the optimizer; the network never sees more than the signs. The gradient is taken
at the signs and applied to the latent weights (Eq. 3, the identity as straight-through estimator).
"""

from typing import NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.hyperparameters import constant
from minibnn.optim.real import AdamState, adam_step

DECAYS = ("shrink", "coupled", "decoupled")


class LatentSGDState(NamedTuple):
    """What gradient descent keeps beside the latent weight.

    Parameters
    ----------
    velocity : float array like the latent weight, or None
        Unused without momentum.
    """

    velocity: np.ndarray | None


LatentAdamState = AdamState


def masked(g, latent, ste_clip):
    """g where |latent| <= ste_clip, else 0: the straight-through estimator's inclusive mask."""
    if ste_clip is None:
        return g
    inside = np.abs(latent) <= constant(ste_clip, latent.dtype)
    return np.where(inside, g, constant(0, latent.dtype))


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
    """One step of gradient descent on latent weights (Algorithm 1); the weights are their signs.

    Parameters
    ----------
    latent, g : float arrays of one shape
    state : LatentSGDState
        Returned as it came when ``momentum`` is 0; then it may be None.
    lr, momentum, weight_decay : float
        epsilon, mu and lambda.
    decay : "shrink", "coupled" or "decoupled"
        Where lambda stands: a factor 1 - epsilon lambda on the latent weight; in the gradient,
        so inside the velocity (the usual L2); or beside the velocity. The last equals "shrink"
        in exact arithmetic and "coupled" where there is no momentum, there bit for bit.
    clip : float or None
        Bound of |latent| after the update.
    ste_clip : float or None
        The gradient passes where |latent| <= ste_clip.

    Returns
    -------
    latent : float array like it
        The weights are ``binarize(latent)`` (Eq. 2).
    state : LatentSGDState

    Raises
    ------
    InputError
        For another decay.

    Notes
    -----
    The inputs are untouched. Also exact on object arrays of ``fractions.Fraction``.

    Examples
    --------
    >>> latent = np.float32([0.5, -0.25])
    >>> latent_sgd_step(latent, np.float32([2, 2]), None, lr=0.5, weight_decay=1.0)[0]
    array([-0.75 , -1.125], dtype=float32)
    """
    dtype = latent.dtype
    lr, lam = constant(lr, dtype), constant(weight_decay, dtype)
    g = masked(g, latent, ste_clip)
    if np.any(weight_decay) and decay == "coupled":
        g = g + lam * latent  # gradient of L + lambda/2 |w|^2
    if np.any(momentum):
        g = constant(momentum, dtype) * state.velocity + g  # v = mu v + g
        state = state._replace(velocity=g)
    if np.any(weight_decay) and decay == "decoupled":
        g = g + lam * latent
    if np.any(weight_decay) and decay == "shrink":
        latent = (1 - lr * lam) * latent
    elif decay not in DECAYS:
        raise InputError(f"decay must be one of {', '.join(DECAYS)}; found {decay!r}")
    return clipped(latent - lr * g, clip), state  # Algorithm 1 with A(g) = -g


def latent_adam_step(
    latent, g, state, *, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, clip=None, ste_clip=None
):
    """One step of Adam (Keras' form) on latent weights: Algorithm 1 with A = Adam.

    Parameters
    ----------
    latent, g : float arrays of one shape
    state : LatentAdamState
    lr, beta_1, beta_2, epsilon : float
        As in ``adam_step``.
    clip, ste_clip : float or None
        As in ``latent_sgd_step``.

    Returns
    -------
    latent : float array like it
        The weights are ``binarize(latent)`` (Eq. 2).
    state : LatentAdamState

    Examples
    --------
    >>> state = LatentAdamState(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> latent_adam_step(np.float32([0.1]), np.float32([8]), state, lr=0.25)[0].round(3)
    array([-0.15], dtype=float32)
    """
    g = masked(g, latent, ste_clip)
    hyper = {"lr": lr, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    latent, state = adam_step(latent, g, state, **hyper)
    return clipped(latent, clip), state
