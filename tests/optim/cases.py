"""Every step function with the hyperparameters and start states it is tested with."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from minibnn import optim
from minibnn.ops.bits import binarize
from minibnn.ops.kernels import optim as kernels


def both_forms(name):
    """Gives a test the step function in NumPy, and compiled."""
    forms = getattr(optim, name), getattr(kernels, name)
    return pytest.mark.parametrize("step", forms, ids=["numpy", "compiled"])


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


def state_of(kind, *fields):
    """Makes states of this class: a field is a function of (random, n), or its value."""

    def make(random, n, dtype):
        drawn = (f(random, n) if callable(f) else f for f in fields)
        return kind(*(x.astype(dtype) if isinstance(x, np.ndarray) else x for x in drawn))

    return make


def reals(random, n):
    return random.normal(size=n)


def quarters(random, n):
    return random.normal(size=n) / 4


def positive(random, n):
    return random.uniform(0.1, 1, n)


def zeros(random, n):
    return np.zeros(n)


BOP = state_of(optim.BopState, reals)
BOP2ND = state_of(optim.Bop2ndState, reals, positive)
VELOCITY = state_of(optim.LatentSGDState, reals)
NO_VELOCITY = state_of(optim.LatentSGDState, None)
ADAM = state_of(optim.AdamState, reals, positive, 3)
DIRECTION = state_of(optim.DirectionState, reals, positive, 3)
DIRECTED = state_of(optim.DirectedBopState, reals, reals, positive, 3)
INERTIA = state_of(optim.InertiaSGDState, positive, None)
INERTIA_VELOCITY = state_of(optim.InertiaSGDState, positive, reals)
CEMA = state_of(optim.CEMAState, reals, reals)
SCHMITT = state_of(optim.SchmittSGDState, zeros)
BOLD = state_of(optim.BoldState, quarters, 3)
DIODE = state_of(optim.DiodeState, reals, reals)
WELL = state_of(optim.DoubleWellSGDState, zeros)  # the step reads w, and the well is w's

HYSTERESIS = {"lr": 0.1, "weight_decay": 0.3, "deadband": 0.1}
BETAS = {"beta_1": 0.75, "beta_2": 0.5}

CASES = [
    *(
        Case("bop", {"gamma": 0.1, "threshold": 0.3, "rule": rule, "average": a}, BOP, exact=True)
        for rule in ("strict", "inclusive", "larq")
        for a in ("convex", "lerp")
    ),
    *(
        Case(
            "bop2nd",
            {"gamma": 0.1, "sigma": 0.2, "threshold": 0.3, "form": f, "rule": r, "average": a},
            BOP2ND,
        )
        for f, r, a in [
            ("biased", "strict", "convex"),
            ("unbiased", "inclusive", "convex"),
            ("biased", "larq", "lerp"),
        ]
    ),
    Case("cema", {"gamma": 0.1, "alpha": 0.3}, CEMA, exact=True),
    Case("schmitt_sgd", HYSTERESIS, SCHMITT, exact=True),
    *(
        Case("double_well_sgd", HYSTERESIS | {"jump": jump}, WELL, exact=True)
        for jump in ("wells", "none", "bottom")
    ),
    Case("bold", {"lr": 1.5}, BOLD),
    Case("diode", {"lr": 0.5} | BETAS, DIODE, exact=True),
    *(
        Case(name, hyper | BETAS | {"direction": direction}, state, kind, direction != "adamw")
        for direction in ("adamw", "lion", "signum", "nesterov")
        for name, hyper, state, kind in [
            ("latent_direction", {"lr": 0.3, "weight_decay": 0.5}, DIRECTION, "latent"),
            ("directed_bop", {"gamma": 0.3, "threshold": 0.1}, DIRECTED, "w"),
        ]
    ),
    *(
        Case(name, {"lr": 0.3, "weight_decay": 0.1, "decay": decay} | more, state, kind, True)
        for name, kind, plain, with_momentum in [
            ("latent_sgd", "latent", NO_VELOCITY, VELOCITY),
            ("inertia_sgd", "w", INERTIA, INERTIA_VELOCITY),
        ]
        for decay in ("shrink", "coupled", "decoupled")
        for more, state in [
            ({}, plain),
            ({"momentum": 0.9, "clip": 0.7, "ste_clip": 0.6}, with_momentum),
        ]
    ),
    Case("latent_sgd", {"lr": 0.3}, NO_VELOCITY, "latent", True),
    Case("latent_adam", {"lr": 0.3}, ADAM, "latent"),
    Case("latent_adam", {"lr": 0.3, "clip": 0.7, "ste_clip": 0.6}, ADAM, "latent"),
    Case("sgd", {"lr": 0.3}, NO_VELOCITY, "value", True),
    Case("sgd", {"lr": 0.3, "momentum": 0.9}, VELOCITY, "value", True),
    Case("adam", {"lr": 0.3}, ADAM, "value"),
]
