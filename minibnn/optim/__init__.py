"""How a network learns: small step functions, and classes that hold their state."""

from minibnn.optim.bop import (
    Bop,
    BopState,
    IntegerBop,
    IntegerBopState,
    bop_step,
    integer_bop_step,
    majority_vote_step,
)
from minibnn.optim.latent import (
    InertiaSGD,
    InertiaSGDState,
    LatentAdam,
    LatentAdamState,
    LatentSGD,
    LatentSGDState,
    inertia_sgd_step,
    latent_adam_step,
    latent_sgd_step,
)
from minibnn.optim.optimizer import NonFiniteError, Split
from minibnn.optim.parse import (
    OPTIMIZERS,
    change_arguments,
    describe,
    from_config,
    parse_optimizer,
    read_arguments,
)
from minibnn.optim.real import SGD, Adam, AdamState, SGDState, adam_step, sgd_step
from minibnn.optim.schedules import CosineDecay, ExponentialDecay, PolynomialDecay, linear
from minibnn.optim.second_order import (
    CEMA,
    Bop2ndOrder,
    Bop2ndState,
    CEMAState,
    bop2nd_step,
    cema_step,
)
from minibnn.optim.twins import (
    Bold,
    BoldState,
    Diode,
    DiodeState,
    DirectedBop,
    DirectedBopState,
    DirectionState,
    DoubleWellSGD,
    DoubleWellSGDState,
    LatentDirection,
    SchmittSGD,
    SchmittSGDState,
    bold_step,
    diode_step,
    directed_bop_step,
    double_well_sgd_step,
    latent_direction_step,
    schmitt_sgd_step,
)

__all__ = [
    "CEMA", "OPTIMIZERS", "SGD", "Adam", "AdamState", "Bold", "BoldState", "Bop", "Bop2ndOrder",
    "Bop2ndState", "BopState", "CEMAState", "CosineDecay", "Diode", "DiodeState", "DirectedBop",
    "DirectedBopState", "DirectionState", "DoubleWellSGD", "DoubleWellSGDState",
    "ExponentialDecay", "InertiaSGD", "InertiaSGDState", "IntegerBop", "IntegerBopState",
    "LatentAdam", "LatentAdamState", "LatentDirection", "LatentSGD", "LatentSGDState",
    "NonFiniteError", "PolynomialDecay", "SGDState", "SchmittSGD", "SchmittSGDState", "Split",
    "adam_step", "bold_step", "bop2nd_step", "bop_step", "cema_step", "change_arguments",
    "describe", "diode_step", "directed_bop_step", "double_well_sgd_step", "from_config",
    "inertia_sgd_step", "integer_bop_step", "latent_adam_step", "latent_direction_step",
    "latent_sgd_step", "linear", "majority_vote_step", "parse_optimizer", "read_arguments",
    "schmitt_sgd_step", "sgd_step",
]  # fmt: skip
