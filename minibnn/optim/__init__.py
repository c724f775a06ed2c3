"""How a network learns: small step functions, and classes that hold their state."""

# ruff: noqa: F401  (whatever is imported here is public)
from inspect import ismodule as _ismodule

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

__all__ = [name for name, x in globals().items() if name[0] != "_" and not _ismodule(x)]
