"""Step functions by name, as ``discover`` runs them: vectorised over constants."""

import importlib
import inspect
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np

from minibnn import optim
from minibnn.errors import InputError
from minibnn.ops.bits import binarize

RATE, THRESHOLD, START = "rate", "threshold", "start"


@dataclass(frozen=True)
class Model:
    """A step function ``step(w, g, state, *, constants)`` that returns the next (w, state).

    All arrays, the state too, have an entry for every candidate. Keywords with ``choices`` are one
    of these words, the others constants. The state starts at the constant ``start``; ``latent``:
    that has the bits' signs.
    """

    name: str
    step: object
    start: str = "start"
    latent: bool = False
    choices: dict = field(default_factory=dict)

    @cached_property
    def names(self):
        """The constants of the step function."""
        taken = inspect.signature(self.step).parameters.values()
        return [p.name for p in taken if p.kind is p.KEYWORD_ONLY and p.name not in self.choices]

    @property
    def constants(self):
        """{name: "rate", "threshold" or "start"}; a threshold by its name, tau or the like."""
        bounds = ("threshold", "tau", "theta")
        kinds = {n: THRESHOLD if any(b in n for b in bounds) else RATE for n in self.names}
        return kinds | {self.start: START}

    def begin(self, constants, bits):
        """The first (w, state), where ``bits`` are asked for."""
        start = constants[self.start]
        return binarize(start) if self.latent else bits, start

    def go_on(self, w, g, state, constants, choice):
        """The next (w, state); InputError if the step function gives something else."""
        try:
            new = self.step(w, g, state, **{n: constants[n] for n in self.names}, **choice)
            w, state = map(np.asarray, new)
            if {w.shape, state.shape} != {g.shape}:
                raise ValueError(f"found shapes {w.shape} and {state.shape} for {g.shape}")
        except Exception as error:
            raise InputError(f"{self.name} must return (w, state): {error!r}") from None
        return w, state

    def combinations(self):
        """Every choice, as a tuple of (name, word)."""
        every = product(*self.choices.values())
        return [tuple(zip(self.choices, words, strict=True)) for words in every]


def sgd(w, g, latent, *, lr):
    latent, _ = optim.latent_sgd_step(latent, g, None, lr=lr)
    return binarize(latent), latent


def sgd_decay(w, g, latent, *, lr, lam):
    latent, _ = optim.latent_sgd_step(latent, g, None, lr=lr, weight_decay=lam)
    return binarize(latent), latent


def sign_sgd_decay(w, g, latent, *, lr, lam):
    return sgd_decay(w, np.sign(g), latent, lr=lr, lam=lam)


def bop(w, g, m, *, gamma, threshold, rule):
    hyper = {"gamma": gamma, "threshold": threshold, "rule": rule}
    w, state = optim.bop_step(w, g, optim.BopState(m), **hyper)
    return w, state.m


def accumulator(w, g, a, *, gamma, theta):
    a = (1 - gamma) * a + g
    return np.where(w * a > theta, -w, w), a


def inertia(w, g, size, *, lr, flip_of_plus, flip_of_minus, next):
    s = size - lr * (w * g)
    at_plus = s <= 0 if flip_of_plus == "s <= 0" else s < 0
    at_minus = s <= 0 if flip_of_minus == "s <= 0" else s < 0
    flip = np.where(w > 0, at_plus, at_minus)
    return np.where(flip, -w, w), np.abs(s) if next == "|s|" else s


def schmitt_sgd(w, g, latent, *, lr, lam, theta):
    state, hyper = optim.SchmittSGDState(latent), {"lr": lr, "weight_decay": lam, "deadband": theta}
    w, state = optim.schmitt_sgd_step(w, g, state, **hyper)
    return w, state.latent


def bayesbinn(w, g, natural, *, a, rho, N, s):
    natural = (1 - a * rho) * natural - a * N * s * g
    return binarize(natural), natural


def diode(w, g, inertia, *, rate, lr):
    """Its first average is the gradient."""
    state, hyper = optim.DiodeState(0 * g, inertia), {"lr": lr, "beta_1": 0, "beta_2": 1 - rate}
    w, state = optim.diode_step(w, g, state, **hyper)
    return w, state.inertia


RULE = {"rule": ("strict", "inclusive", "larq")}
COMPARED = ("s < 0", "s <= 0")
COMPARISONS = {"flip_of_plus": COMPARED, "flip_of_minus": COMPARED[::-1], "next": ("|s|", "s")}
_ALL = (
    Model("sgd", sgd, "w0", latent=True),
    Model("sgd-decay", sgd_decay, "w0", latent=True),
    Model("sign-sgd-decay", sign_sgd_decay, "w0", latent=True),
    Model("bop", bop, "m0", choices=RULE),
    Model("accumulator", accumulator, "a0"),
    Model("inertia", inertia, "inertia0", choices=COMPARISONS),
    Model("schmitt-sgd", schmitt_sgd, "w0"),
    Model("bayesbinn", bayesbinn, "lambda0", latent=True),
    Model("diode", diode, "s0"),
)
MODELS = {model.name: model for model in _ALL}


def model_of(named):
    """A Model by its name or "module:function", itself, or of a Python step function."""
    if isinstance(named, Model):
        return named
    if isinstance(named, str) and ":" in named:
        module, _, name = named.partition(":")
        try:
            return model_of(getattr(importlib.import_module(module), name))
        except (Exception, SystemExit) as error:  # a module may raise anything, or be a program
            why = "it ends the program" if isinstance(error, SystemExit) else error
            raise InputError(f"{named} is no step function: {why}") from None
    if callable(named):
        return of_function(named)
    if not isinstance(named, str) or named not in MODELS:
        known = f"{', '.join(MODELS)} and MODULE:FUNCTION"
        raise InputError(f"step functions are {known}; found {named!r}")
    return MODELS[named]


def of_function(step):
    """The Model of ``step(w, g, state, *, constants)``, which returns (w, state).

    Its keywords are constants, those with threshold, tau or theta in their names thresholds; the
    state, an array, starts at the constant ``start``.
    """
    model = Model(getattr(step, "__name__", repr(step)), step)
    try:
        inspect.signature(step).bind(*"wgs", **dict.fromkeys(model.names))
    except (TypeError, ValueError) as error:
        words = f"{model.name} must take (w, g, state, *, constants)"
        raise InputError(f"{words}: {error}") from None
    if model.start in model.names:
        raise InputError(f"{model.name}: start is where the state starts; rename that constant")
    return model
