"""The step functions that a claim runs: the library's, compiled or not, or somebody else's."""

from dataclasses import dataclass, fields, replace

from minibnn import optim
from minibnn.ops.hyperparameters import constant
from minibnn.optim.bop import AVERAGES, RULES
from minibnn.optim.latent import DECAYS


@dataclass(frozen=True)
class Steps:
    """Step functions by name, and the dialects they speak; the library's own by default.

    ``exact``: whether they take Fractions. ``foreign``: which of them are somebody else's.
    """

    bop_step: object = optim.bop_step
    bop2nd_step: object = optim.bop2nd_step
    cema_step: object = optim.cema_step
    inertia_sgd_step: object = optim.inertia_sgd_step
    schmitt_sgd_step: object = optim.schmitt_sgd_step
    double_well_sgd_step: object = optim.double_well_sgd_step
    latent_sgd_step: object = optim.latent_sgd_step
    latent_adam_step: object = optim.latent_adam_step
    latent_direction_step: object = optim.latent_direction_step
    directed_bop_step: object = optim.directed_bop_step
    diode_step: object = optim.diode_step
    bold_step: object = optim.bold_step
    integer_bop_step: object = optim.integer_bop_step
    rules: tuple = RULES
    averages: tuple = AVERAGES
    decays: tuple = DECAYS
    exact: bool = True
    backend: str = "reference"
    foreign: tuple = ()


def library_steps(backend="reference"):
    """The library's own, compiled where there is a kernel; Fractions go through the plain ones."""
    plain = Steps()
    if backend == "reference":
        return plain
    from minibnn.ops.kernels import optim as kernels

    names = [field.name for field in fields(Steps) if hasattr(kernels, field.name)]
    compiled = {name: _for_floats(getattr(kernels, name), getattr(plain, name)) for name in names}
    return replace(plain, **compiled, backend=backend)


def _for_floats(compiled, plain):
    def step(value, g, state, **hyper):
        return (plain if g.dtype == object else compiled)(value, g, state, **hyper)

    return step


def foreign_steps(bop_step=None, latent_sgd_step=None, **dialects):
    """The library's, with somebody else's Bop, latent SGD or both in their place."""
    called = {}
    if bop_step:
        called["bop_step"] = _as_called(bop_step)
    if latent_sgd_step:
        called["latent_sgd_step"] = _as_called(latent_sgd_step, weight_decay=0)
    return Steps(**called, **dialects, foreign=tuple(called))


def _as_called(step, **defaults):
    """``step`` as somebody else's is called: constants of the arrays' type, and no dialect."""

    def call(value, g, state, *, rule=None, average=None, decay=None, **hyper):
        hyper = {name: constant(x, g.dtype) for name, x in (defaults | hyper).items()}
        return step(value, g, state, **hyper)

    return call
