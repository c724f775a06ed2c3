"""Every step function with the hyperparameters and start states it is tested with."""

from dataclasses import dataclass, field

import numpy as np

from minibnn import optim
from minibnn.ops.bits import binarize


@dataclass
class Case:
    name: str  # of the step function, without _step
    hyper: dict
    state: object = None  # makes the state of n entries: state(random, n, dtype)
    kind: str = "w"  # what the step moves: "w" (±1), "latent" or "value"
    exact: bool = False  # also runs on Fractions
    label: str = field(init=False)

    def __post_init__(self):
        words = [f"{key}={value}" for key, value in self.hyper.items() if isinstance(value, str)]
        words += [key for key in ("momentum", "clip", "ste_clip") if self.hyper.get(key)]
        self.label = "-".join([self.name, *words])

    @property
    def step(self):
        return getattr(optim, f"{self.name}_step")

    def value(self, random, n, dtype=np.float32):
        if self.kind == "w":
            return random.choice(np.int8([-1, 1]), n)
        return random.uniform(-1, 1, n).astype(dtype)

    def bits(self, value):
        return value if self.kind == "w" else binarize(value)


def _reals(random, n, dtype):
    return random.normal(size=n).astype(dtype)


def _positive(random, n, dtype):
    return random.uniform(0.1, 1, n).astype(dtype)


def _bop(random, n, dtype):
    return optim.BopState(_reals(random, n, dtype))


def _velocity(random, n, dtype):
    return optim.LatentSGDState(_reals(random, n, dtype))


def _no_velocity(random, n, dtype):
    return optim.LatentSGDState(None)


def _adam(random, n, dtype):
    return optim.AdamState(_reals(random, n, dtype), _positive(random, n, dtype), 3)


def _bop2nd(random, n, dtype):
    return optim.Bop2ndState(_reals(random, n, dtype), _positive(random, n, dtype))


def _cema(random, n, dtype):
    return optim.CEMAState(_reals(random, n, dtype), _reals(random, n, dtype))


def _inertia(random, n, dtype):
    return optim.InertiaSGDState(_positive(random, n, dtype), None)


def _inertia_velocity(random, n, dtype):
    return optim.InertiaSGDState(_positive(random, n, dtype), _reals(random, n, dtype))


def _schmitt(random, n, dtype):
    return optim.SchmittSGDState(np.zeros(n, dtype))


def _well(random, n, dtype):
    # The start of bits 1, -1, ... does not matter: the step reads w, and the well is w's.
    return optim.DoubleWellSGDState(np.zeros(n, dtype))


def _bold(random, n, dtype):
    return optim.BoldState(_reals(random, n, dtype) / 4, 3)


def _diode(random, n, dtype):
    return optim.DiodeState(_reals(random, n, dtype), _reals(random, n, dtype))


def _direction(random, n, dtype):
    return optim.DirectionState(_reals(random, n, dtype), _positive(random, n, dtype), 3)


def _directed(random, n, dtype):
    return optim.DirectedBopState(_reals(random, n, dtype), *_direction(random, n, dtype))


CASES = [
    *(
        Case("bop", {"gamma": 0.1, "threshold": 0.3, "rule": rule, "average": a}, _bop, exact=True)
        for rule in ("strict", "inclusive", "larq")
        for a in ("convex", "lerp")
    ),
    *(
        Case(
            "bop2nd",
            {"gamma": 0.1, "sigma": 0.2, "threshold": 0.3, "form": f, "rule": r, "average": a},
            _bop2nd,
        )
        for f, r, a in [
            ("biased", "strict", "convex"),
            ("unbiased", "inclusive", "convex"),
            ("biased", "larq", "lerp"),
        ]
    ),
    Case("cema", {"gamma": 0.1, "alpha": 0.3}, _cema, exact=True),
    Case("schmitt_sgd", {"lr": 0.1, "weight_decay": 0.3, "deadband": 0.1}, _schmitt, exact=True),
    *(
        Case(
            "double_well_sgd",
            {"lr": 0.1, "weight_decay": 0.3, "deadband": 0.1, "jump": jump},
            _well,
            exact=True,
        )
        for jump in ("wells", "none", "bottom")
    ),
    Case("bold", {"lr": 1.5}, _bold),
    Case("diode", {"lr": 0.5, "beta_1": 0.75, "beta_2": 0.5}, _diode, exact=True),
    *(
        Case(
            name,
            hyper | {"direction": direction, "beta_1": 0.75, "beta_2": 0.5},
            state,
            kind,
            direction != "adamw",
        )
        for direction in ("adamw", "lion", "signum", "nesterov")
        for name, hyper, state, kind in [
            ("latent_direction", {"lr": 0.3, "weight_decay": 0.5}, _direction, "latent"),
            ("directed_bop", {"gamma": 0.3, "threshold": 0.1}, _directed, "w"),
        ]
    ),
    *(
        Case(name, {"lr": 0.3, "weight_decay": 0.1, "decay": decay} | more, state, kind, True)
        for name, kind, plain, with_momentum in [
            ("latent_sgd", "latent", _no_velocity, _velocity),
            ("inertia_sgd", "w", _inertia, _inertia_velocity),
        ]
        for decay in ("shrink", "coupled", "decoupled")
        for more, state in [
            ({}, plain),
            ({"momentum": 0.9, "clip": 0.7, "ste_clip": 0.6}, with_momentum),
        ]
    ),
    Case("latent_sgd", {"lr": 0.3}, _no_velocity, "latent", True),
    Case("latent_adam", {"lr": 0.3}, _adam, "latent"),
    Case("latent_adam", {"lr": 0.3, "clip": 0.7, "ste_clip": 0.6}, _adam, "latent"),
    Case("sgd", {"lr": 0.3}, _no_velocity, "value", True),
    Case("sgd", {"lr": 0.3, "momentum": 0.9}, _velocity, "value", True),
    Case("adam", {"lr": 0.3}, _adam, "value"),
]
