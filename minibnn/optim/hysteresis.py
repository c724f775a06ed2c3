"""Two latent-weight methods that are Bop with a threshold, in other clothes.

Bop's weight holds while |m| <= threshold and else follows -sign(m): a Schmitt trigger. Let
m = -weight_decay * latent and gamma = lr * weight_decay; then the band of latent weights in which
the bit holds has the half width deadband = threshold / weight_decay.
"""

from typing import ClassVar, NamedTuple

import numpy as np

from minibnn.ops.hyperparameters import constant
from minibnn.optim.arguments import Number, Start
from minibnn.optim.optimizer import Inertia, Optimizer, start_array


class SchmittSGDState(NamedTuple):
    """What the Schmitt form keeps of a weight.

    Parameters
    ----------
    latent : float array like w
        Of either sign within the deadband.
    """

    latent: np.ndarray


def schmitt_sgd_step(w, g, state, *, lr, weight_decay, deadband):
    """Latent SGD with weight decay whose bit holds while |latent| <= deadband.

    Parameters
    ----------
    w : array of ±1, int8 or float
    g : float array like w, dL/dw
    state : SchmittSGDState
    lr, weight_decay : float
        epsilon and lambda.
    deadband : float
        Half width of the band, from 0 on.

    Returns
    -------
    w : of the same type
    state : SchmittSGDState

    Examples
    --------
    >>> state = SchmittSGDState(np.float32([0.5, 0.5]))
    >>> hyper = {"lr": 0.5, "weight_decay": 0, "deadband": 1}
    >>> schmitt_sgd_step(np.int8([1, 1]), np.float32([2, 4]), state, **hyper)
    (array([ 1, -1], dtype=int8), SchmittSGDState(latent=array([-0.5, -1.5], dtype=float32)))
    """
    dtype = state.latent.dtype
    lr, lam, theta = (constant(x, dtype) for x in (lr, weight_decay, deadband))
    latent = (1 - lr * lam) * state.latent - lr * g
    flip = np.where(w > 0, latent < -theta, latent > theta)
    return np.where(flip, -w, w), SchmittSGDState(latent)


class DoubleWellSGDState(NamedTuple):
    """What the double well keeps of a weight.

    Parameters
    ----------
    latent : float array like w
        With w's sign: the Schmitt form's latent + deadband * w.
    """

    latent: np.ndarray


def double_well_sgd_step(w, g, state, *, lr, weight_decay, deadband):
    """Latent SGD in a potential with two wells, which jumps when its sign changes.

    The loss gains weight_decay / 2 * (|latent| - deadband)^2; where the latent weight changes
    sign, 2 * deadband * (the new sign) is added. At 0 the bit holds.

    Parameters
    ----------
    w : array of ±1, int8 or float
    g : float array like w, dL/dw
    state : DoubleWellSGDState
    lr, weight_decay : float
        epsilon and lambda.
    deadband : float
        Where the wells stand: at -deadband and deadband.

    Returns
    -------
    w : of the same type
    state : DoubleWellSGDState

    Examples
    --------
    >>> state = DoubleWellSGDState(np.float32([1.5, 1.5]))
    >>> hyper = {"lr": 0.5, "weight_decay": 0, "deadband": 1}
    >>> double_well_sgd_step(np.int8([1, 1]), np.float32([2, 4]), state, **hyper)
    (array([ 1, -1], dtype=int8), DoubleWellSGDState(latent=array([ 0.5, -2.5], dtype=float32)))
    """
    dtype = state.latent.dtype
    lr, lam, theta = (constant(x, dtype) for x in (lr, weight_decay, deadband))
    bottom = theta * w  # of the well of this sign
    latent = state.latent - lr * (g + lam * (state.latent - bottom))
    flip = w * latent < 0
    latent = np.where(flip, latent - 2 * bottom, latent)
    return np.where(flip, -w, w), DoubleWellSGDState(latent)


class _Hysteresis(Optimizer):
    arguments: ClassVar = {
        "lr": Number("(0, inf)"),
        "weight_decay": Number("[0, inf)"),
        "deadband": Number("[0, inf)"),
        "initial": Start(signed=True),
    }

    def __init__(self, lr=1.0, weight_decay=1e-3, deadband=1e-3, initial=0.0):
        super().__init__(lr=lr, weight_decay=weight_decay, deadband=deadband, initial=initial)

    def _start_latent(self, p):
        if isinstance(self.initial, float):
            return (self.initial * p.value).astype(np.float32)
        return start_array(self, self.initial, p)


class SchmittSGD(_Hysteresis):
    """Bop's first latent twin, for binary parameters. See ``schmitt_sgd_step``.

    Parameters
    ----------
    lr, weight_decay, deadband : float or schedule
    initial : float or dict of arrays by parameter name
        The start of the latent weight: a number gets the network's sign, and so does an entry of
        an array that is outside the band on the other side, where Bop would flip at once. 0 is
        Bop's start m0 = 0; m0 is -weight_decay times the latent weight.
    """

    kind = "schmitt-sgd"
    state_class = SchmittSGDState
    step_function = schmitt_sgd_step
    update = "schmitt_sgd_update"

    def _start(self, p):
        return SchmittSGDState(self._start_latent(p))

    def inertia(self, parameter):
        """|latent|, of either sign within the deadband, against that.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        latent = self._states[parameter.name].latent
        return Inertia(np.abs(latent), self._in_force(self.deadband), "|latent|")

    def _assigned(self, p):
        latent = self._states[p.name].latent
        theta = np.float32(self._in_force(self.deadband))  # the band it was last held against
        wrong = p.value * latent < -theta  # outside it on the other side
        latent[wrong] = -latent[wrong]


class DoubleWellSGD(_Hysteresis):
    """Bop's second latent twin, for binary parameters. See ``double_well_sgd_step``.

    Parameters
    ----------
    lr, weight_decay, deadband : float or schedule
    initial : float or dict of arrays by parameter name
        As in ``SchmittSGD``: of the latent weight less deadband times the bit.
    """

    kind = "double-well-sgd"
    state_class = DoubleWellSGDState
    step_function = double_well_sgd_step
    update = "double_well_sgd_update"

    def _start(self, p):
        theta = np.float32(self._in_force(self.deadband))
        return DoubleWellSGDState(self._start_latent(p) + theta * p.value)

    def inertia(self, parameter):
        """|latent|; a weight flips where its latent weight changes sign.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        return Inertia(np.abs(self._states[parameter.name].latent), None, "|latent|")

    def _assigned(self, p):
        latent = self._states[p.name].latent
        wrong = p.value * latent < 0
        latent[wrong] = -latent[wrong]

    def _train(self, p, hyper):
        before, now = np.float32((self._in_force(self.deadband), hyper["deadband"]))
        if now != before:  # the wells move, and with them what is in them
            latent = self._states[p.name].latent
            latent += (now - before) * p.value
        return super()._train(p, hyper)
