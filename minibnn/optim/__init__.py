"""How a network learns: small step functions, and classes that hold their state."""

from minibnn.optim.bop import Bop, BopState, bop_step
from minibnn.optim.hysteresis import (
    DoubleWellSGD,
    DoubleWellSGDState,
    SchmittSGD,
    SchmittSGDState,
    double_well_sgd_step,
    schmitt_sgd_step,
)
from minibnn.optim.inertia import InertiaSGD, InertiaSGDState, inertia_sgd_step
from minibnn.optim.latent import (
    LatentAdam,
    LatentAdamState,
    LatentSGD,
    LatentSGDState,
    latent_adam_step,
    latent_sgd_step,
)
from minibnn.optim.optimizer import NonFiniteError
from minibnn.optim.parse import (
    OPTIMIZERS,
    change_arguments,
    describe,
    from_config,
    parse_optimizer,
    read_arguments,
)
from minibnn.optim.real import SGD, Adam, AdamState, SGDState, adam_step, sgd_step
from minibnn.optim.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    PolynomialDecay,
    linear,
)
from minibnn.optim.second_order import (
    CEMA,
    Bop2ndOrder,
    Bop2ndState,
    CEMAState,
    bop2nd_step,
    cema_step,
)
from minibnn.optim.split import Split

__all__ = [
    "CEMA",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamState",
    "Bop",
    "Bop2ndOrder",
    "Bop2ndState",
    "BopState",
    "CEMAState",
    "Constant",
    "CosineDecay",
    "DoubleWellSGD",
    "DoubleWellSGDState",
    "ExponentialDecay",
    "InertiaSGD",
    "InertiaSGDState",
    "LatentAdam",
    "LatentAdamState",
    "LatentSGD",
    "LatentSGDState",
    "NonFiniteError",
    "PolynomialDecay",
    "SGDState",
    "SchmittSGD",
    "SchmittSGDState",
    "Split",
    "adam_step",
    "bop2nd_step",
    "bop_step",
    "cema_step",
    "change_arguments",
    "describe",
    "double_well_sgd_step",
    "from_config",
    "inertia_sgd_step",
    "latent_adam_step",
    "latent_sgd_step",
    "linear",
    "parse_optimizer",
    "read_arguments",
    "schmitt_sgd_step",
    "sgd_step",
]
