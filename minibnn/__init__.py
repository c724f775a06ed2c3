"""Binarized neural networks from scratch: Bop, latent weights, and when they are the same.

Subpackages and the few functions below load on first use, so that ``import minibnn`` is quick.
"""

from importlib import import_module as _import_module

from minibnn._version import __version__
from minibnn.errors import InputError

_SUBPACKAGES = ("data", "deploy", "equivalences", "nn", "ops", "optim", "training", "zoo")
_FUNCTIONS = {
    "fit": "minibnn.training",
    "lockstep": "minibnn.training",
    "evaluate": "minibnn.training",
    "load": "minibnn.training",
    "use_backend": "minibnn.ops.backend",
}
__all__ = ["InputError", "__version__", *_SUBPACKAGES, *_FUNCTIONS]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return _import_module(f"minibnn.{name}")
    if name in _FUNCTIONS:
        return getattr(_import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'minibnn' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
