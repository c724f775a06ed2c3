"""Step functions by name, as ``discover`` runs them: vectorised over constants."""

import importlib
import inspect
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from minibnn import optim
from minibnn.errors import InputError
from minibnn.ops.bits import binarize

RATE, THRESHOLD, START = "rate", "threshold", "start"


@dataclass(frozen=True)
class Model:
    """A step function with the names of its constants, the start last, and choices of words.

    ``step(w, g, state, constants, choice)`` returns the next (w, state); the state is a tuple of
    arrays, all arrays have an entry for every candidate. ``latent``: the start has the bits' signs.
    """

    name: str
    names: str
    step: object
    latent: bool = False
    choices: dict = field(default_factory=dict)

    @property
    def constants(self):
        """{name: "rate", "threshold" or "start"}; a threshold by its name, tau or the like."""
        *names, start = self.names.split()
        bounds = ("threshold", "tau", "theta")
        kinds = {n: THRESHOLD if any(b in n for b in bounds) else RATE for n in names}
        return kinds | {start: START}

    def begin(self, constants, bits):
        """The first (w, state), where ``bits`` are asked for."""
        start = constants[self.names.split()[-1]]
        return binarize(start) if self.latent else bits, (start,)

    def combinations(self):
        """Every choice, as a tuple of (name, word)."""
        every = product(*self.choices.values())
        return [tuple(zip(self.choices, words, strict=True)) for words in every]


def sgd(w, g, state, c, choice):
    decay = {"weight_decay": c["lam"]} if "lam" in c else {}
    latent, _ = optim.latent_sgd_step(state[0], g, None, lr=c["lr"], **decay)
    return binarize(latent), (latent,)


def sign_sgd(w, g, state, c, choice):
    return sgd(w, np.sign(g), state, c, choice)


def bop(w, g, state, c, choice):
    hyper = {"gamma": c["gamma"], "threshold": c["threshold"]} | choice
    w, new = optim.bop_step(w, g, optim.BopState(*state), **hyper)
    return w, tuple(new)


def accumulator(w, g, state, c, choice):
    a = (1 - c["gamma"]) * state[0] + g
    return np.where(w * a > c["theta"], -w, w), (a,)


def inertia(w, g, state, c, choice):
    s = state[0] - c["lr"] * (w * g)
    at_plus = s <= 0 if choice["flip_of_plus"] == "s <= 0" else s < 0
    at_minus = s <= 0 if choice["flip_of_minus"] == "s <= 0" else s < 0
    new = np.abs(s) if choice["next"] == "|s|" else s
    return np.where(np.where(w > 0, at_plus, at_minus), -w, w), (new,)


def schmitt(w, g, state, c, choice):
    hyper = {"lr": c["lr"], "weight_decay": c["lam"], "deadband": c["theta"]}
    w, new = optim.schmitt_sgd_step(w, g, optim.SchmittSGDState(*state), **hyper)
    return w, tuple(new)


def bayes(w, g, state, c, choice):
    natural = (1 - c["a"] * c["rho"]) * state[0] - c["a"] * c["N"] * c["s"] * g
    return binarize(natural), (natural,)


def diode(w, g, state, c, choice):
    """Its first average is the gradient."""
    kept = optim.DiodeState(0 * g, state[0])
    hyper = {"lr": c["lr"], "beta_1": 0, "beta_2": 1 - c["rate"]}
    w, new = optim.diode_step(w, g, kept, **hyper)
    return w, (new.inertia,)


RULE = {"rule": ("strict", "inclusive", "larq")}
COMPARED = ("s < 0", "s <= 0")
COMPARISONS = {"flip_of_plus": COMPARED, "flip_of_minus": COMPARED[::-1], "next": ("|s|", "s")}
_ALL = (
    Model("sgd", "lr w0", sgd, latent=True),
    Model("sgd-decay", "lr lam w0", sgd, latent=True),
    Model("sign-sgd-decay", "lr lam w0", sign_sgd, latent=True),
    Model("bop", "gamma threshold m0", bop, choices=RULE),
    Model("accumulator", "gamma theta a0", accumulator),
    Model("inertia", "lr inertia0", inertia, choices=COMPARISONS),
    Model("schmitt-sgd", "lr lam theta w0", schmitt),
    Model("bayesbinn", "a rho N s lambda0", bayes, latent=True),
    Model("diode", "rate lr s0", diode),
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
        except Exception as error:  # a module may raise anything
            raise InputError(f"{named} is no step function: {error}") from None
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
    name = getattr(step, "__name__", repr(step))
    try:
        taken = inspect.signature(step)
        names = [p.name for p in taken.parameters.values() if p.kind is p.KEYWORD_ONLY]
        taken.bind(*"wgs", **dict.fromkeys(names))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must take (w, g, state, *, constants): {error}") from None

    def run(w, g, state, c, choice):
        try:
            w, new = map(np.asarray, step(w, g, state[0], **{name: c[name] for name in names}))
            if {w.shape, new.shape} != {g.shape}:
                raise ValueError(f"found shapes {w.shape} and {new.shape} for {g.shape}")
        except Exception as error:
            raise InputError(f"{name} must return (w, state): {error!r}") from None
        return w, (new,)

    return Model(name, " ".join([*names, "start"]), run)
