"""LatentSGD and LatentAdam: latent weights kept for a network that holds only signs."""

import zlib
from typing import ClassVar

import numpy as np

from minibnn.ops.bits import binarize
from minibnn.ops.initial import fans, glorot_normal
from minibnn.optim.arguments import Choice, Number, Start, Whole
from minibnn.optim.latent import (
    DECAYS,
    LatentAdamState,
    LatentSGDState,
    latent_adam_step,
    latent_sgd_step,
)
from minibnn.optim.optimizer import Inertia, Optimizer, compiled, count_flips, start_array

STARTS = ("glorot_uniform", "glorot_normal")
TINY = np.finfo(np.float32).smallest_normal


def start_magnitudes(optimizer, p):
    """|latent| at the start, float32: ``optimizer.initial`` says which, ``.seed`` the draw."""
    initial = optimizer.initial
    if isinstance(initial, float):
        return np.full(p.shape, initial, np.float32)
    if initial in STARTS:
        # A parameter's draw depends on its name alone, not on what else the network has.
        random = np.random.default_rng([optimizer.seed, zlib.crc32(p.name.encode())])
        if initial == "glorot_normal":
            return np.abs(glorot_normal(p.shape, random))
        limit = np.sqrt(6.0 / sum(fans(p.shape)))
        return random.uniform(0.0, limit, p.shape).astype(np.float32)
    return np.abs(start_array(optimizer, initial, p))


def with_signs(magnitude, w):
    """magnitude * w; a -1 at magnitude 0 gets the smallest normal number, as -0.0 means +1."""
    return np.where((magnitude == 0) & (w < 0), -TINY, magnitude * w).astype(np.float32)


def layer_rate(optimizer, p, hyper):
    """hyper with the rate of p's layer: lr_scaling="glorot" divides by sqrt(1.5 / fans)."""
    if optimizer.lr_scaling is None:
        return hyper
    return hyper | {"lr": hyper["lr"] / (1.5 / sum(fans(p.shape))) ** 0.5}


class LatentOptimizer(Optimizer):
    """A latent weight for every bit, whose sign is that bit, beside the step function's state.

    A kernel that has a scale gets that of its latent weights, at the start and after each step.
    """

    def _start(self, p):
        latent = with_signs(start_magnitudes(self, p), p.value)
        return latent, self._start_inner(p)

    def _assigned(self, p):
        latent, _ = self._states[p.name]
        wrong = binarize(latent) != p.value
        if wrong.any():
            latent[wrong] = with_signs(np.abs(latent[wrong]), p.value[wrong])
        p.rescale(latent)

    def inertia(self, parameter):
        """|latent| (Eq. 4); a weight flips where its latent weight changes sign.

        Parameters
        ----------
        parameter : Parameter
            Trained before.

        Returns
        -------
        Inertia
        """
        return Inertia(np.abs(self._states[parameter.name][0]), None, "|latent|")

    def _train(self, p, hyper):
        hyper = layer_rate(self, p, hyper)
        latent, state = self._states[p.name]
        g = np.asarray(p.grad, np.float32)
        with p.writable() as w:
            if kernels := compiled():
                flips, state = getattr(kernels, self.update)(w, latent, g, state, **hyper)
            else:
                latent, state = type(self).step_function(latent, g, state, **hyper)
                new = binarize(latent, w.dtype.type)  # Eq. 2
                flips = count_flips(w, new)
                w[...] = new
        self._states[p.name] = latent, state
        p.rescale(latent)
        return int(flips)

    def _arrays(self, state):
        return {"latent": state[0]} | super()._arrays(state[1])

    def _field_names(self):
        return ("latent", *super()._field_names())

    def _restore(self, fields):
        return fields.pop("latent"), super()._restore(fields)


class SGDArguments(Optimizer):
    """What ``LatentSGD`` and its inertia form take."""

    arguments: ClassVar = {
        "lr": Number("(0, inf)"),
        "momentum": Number("[0, 1)"),
        "weight_decay": Number("[0, inf)"),
        "decay": Choice(DECAYS),
        "clip": Number("(0, inf)", optional=True),
        "ste_clip": Number("(0, inf)", optional=True),
        "initial": Start(STARTS),
        "seed": Whole(),
        "lr_scaling": Choice(("glorot",), optional=True),
    }

    def __init__(
        self,
        lr=1.0,
        momentum=0.0,
        weight_decay=0.0,
        decay="shrink",
        clip=1.0,
        ste_clip=None,
        initial="glorot_uniform",
        seed=0,
        lr_scaling=None,
    ):
        super().__init__(
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            decay=decay,
            clip=clip,
            ste_clip=ste_clip,
            initial=initial,
            seed=seed,
            lr_scaling=lr_scaling,
        )


class LatentSGD(SGDArguments, LatentOptimizer):
    """Gradient descent on latent weights, for binary parameters.

    Parameters
    ----------
    lr, momentum, weight_decay, decay, clip, ste_clip : as in ``latent_sgd_step``
        The numbers take schedules.
    initial : "glorot_uniform", "glorot_normal", number or dict of arrays by parameter name
        Start magnitudes: |U(-l, l)| with l = sqrt(6 / (fan_in + fan_out)); Keras' truncated
        normal distribution of deviation sqrt(2 / (fan_in + fan_out)); or as given. The signs are
        the network's; a -1 whose magnitude is 0 starts at the smallest normal number.
    seed : int
        Of the start magnitudes.
    lr_scaling : None or "glorot"
        Multiply a layer's rate by 1 / sqrt(1.5 / (fan_in + fan_out)), as BinaryNet's authors do.
    """

    kind = "latent-sgd"
    state_class = LatentSGDState
    step_function = latent_sgd_step
    update = "latent_sgd_update"

    def _start_inner(self, p):
        return LatentSGDState(np.zeros(p.shape, np.float32) if self.momentum else None)


class LatentAdam(LatentOptimizer):
    """Adam (Keras' form) on latent weights, for binary parameters.

    Parameters
    ----------
    lr, beta_1, beta_2, epsilon, clip, ste_clip : as in ``latent_adam_step``
        The numbers take schedules.
    initial, seed, lr_scaling : as in ``LatentSGD``
    """

    kind = "latent-adam"
    arguments: ClassVar = {
        "lr": Number("(0, inf)"),
        "beta_1": Number("[0, 1)"),
        "beta_2": Number("[0, 1)"),
        "epsilon": Number("(0, inf)", divides=True),
        "clip": Number("(0, inf)", optional=True),
        "ste_clip": Number("(0, inf)", optional=True),
        "initial": Start(STARTS),
        "seed": Whole(),
        "lr_scaling": Choice(("glorot",), optional=True),
    }
    state_class, counters = LatentAdamState, ("t",)
    step_function = latent_adam_step
    update = "latent_adam_update"

    def __init__(
        self,
        lr=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        clip=1.0,
        ste_clip=None,
        initial="glorot_uniform",
        seed=0,
        lr_scaling=None,
    ):
        super().__init__(
            lr=lr,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            clip=clip,
            ste_clip=ste_clip,
            initial=initial,
            seed=seed,
            lr_scaling=lr_scaling,
        )

    def _start_inner(self, p):
        return LatentAdamState(np.zeros(p.shape, np.float32), np.zeros(p.shape, np.float32))
