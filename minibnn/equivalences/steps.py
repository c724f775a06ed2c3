"""The step functions that a claim runs: the library's, compiled or not, or somebody else's."""

from dataclasses import dataclass, field

from minibnn import optim
from minibnn.ops.rounding import constant
from minibnn.optim.bop import AVERAGES, RULES
from minibnn.optim.latent import DECAYS


@dataclass(frozen=True)
class Steps:
    """Step functions by name, the library's unless ``own`` has another, and their dialects.

    ``exact``: whether they take Fractions. ``foreign``: which of them are somebody else's.
    """

    own: dict = field(default_factory=dict)
    rules: tuple = RULES
    averages: tuple = AVERAGES
    decays: tuple = DECAYS
    exact: bool = True
    backend: str = "reference"
    foreign: tuple = ()

    def __getattr__(self, name):
        return self.own.get(name) or getattr(optim, name)


def library_steps(backend="reference"):
    """The library's own, compiled where there is a kernel; Fractions go through the plain ones."""
    if backend == "reference":
        return Steps()
    from minibnn.ops.kernels import optim as kernels

    names = [name for name in vars(optim) if name.endswith("_step") and hasattr(kernels, name)]
    own = {name: _for_floats(getattr(kernels, name), getattr(optim, name)) for name in names}
    return Steps(own, backend=backend)


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
    return Steps(called, **dialects, foreign=tuple(called))


def _as_called(step, **defaults):
    """``step`` as somebody else's is called: constants of the arrays' type, and no dialect."""

    def call(value, g, state, *, rule=None, average=None, decay=None, **hyper):
        hyper = {name: constant(x, g.dtype) for name, x in (defaults | hyper).items()}
        return step(value, g, state, **hyper)

    return call
