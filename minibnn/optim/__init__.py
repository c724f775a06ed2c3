"""How a network learns: small step functions, and classes that hold their state."""

from minibnn.optim.bop import Bop, BopState, bop_step
from minibnn.optim.latent import (
    LatentAdamState,
    LatentSGDState,
    latent_adam_step,
    latent_sgd_step,
)
from minibnn.optim.latent_classes import LatentAdam, LatentSGD
from minibnn.optim.optimizer import NonFiniteError
from minibnn.optim.parse import OPTIMIZERS, describe, from_config, parse_optimizer
from minibnn.optim.real import SGD, Adam, AdamState, SGDState, adam_step, sgd_step
from minibnn.optim.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    PolynomialDecay,
    linear,
)
from minibnn.optim.split import Split

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamState",
    "Bop",
    "BopState",
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "LatentAdam",
    "LatentAdamState",
    "LatentSGD",
    "LatentSGDState",
    "NonFiniteError",
    "PolynomialDecay",
    "SGDState",
    "Split",
    "adam_step",
    "bop_step",
    "describe",
    "from_config",
    "latent_adam_step",
    "latent_sgd_step",
    "linear",
    "parse_optimizer",
    "sgd_step",
]
