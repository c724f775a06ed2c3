"""Optimizers from the command line's text, and from the configuration of a run."""

import inspect

from minibnn.errors import InputError
from minibnn.optim.bop import Bop
from minibnn.optim.hysteresis import DoubleWellSGD, SchmittSGD
from minibnn.optim.inertia import InertiaSGD
from minibnn.optim.latent_classes import LatentAdam, LatentSGD
from minibnn.optim.real import SGD, Adam
from minibnn.optim.second_order import CEMA, Bop2ndOrder
from minibnn.optim.split import Split

BINARY = (Bop, LatentSGD, LatentAdam, Bop2ndOrder, CEMA, InertiaSGD, SchmittSGD, DoubleWellSGD)
REAL = (SGD, Adam)
OPTIMIZERS = {cls.kind: cls for cls in (*BINARY, *REAL)}


def parse_optimizer(text):
    """The optimizer that a text describes.

    Parameters
    ----------
    text : str
        Such as ``bop:gamma=step:1e-4:0.1:100ep,threshold=1e-8``.

    Returns
    -------
    Optimizer

    Raises
    ------
    InputError
        For an unknown name, argument or value; it names the valid ones.

    Examples
    --------
    >>> parse_optimizer("adam:lr=0.01").lr
    0.01
    """
    return _build(*_read(text))


def change_arguments(text, changes):
    """The text of an optimizer with some of its arguments replaced or added.

    Parameters
    ----------
    text : str
        As ``parse_optimizer`` takes it.
    changes : dict of str to str

    Returns
    -------
    str

    Raises
    ------
    InputError
        For an argument that the optimizer does not take, or a value out of range.

    Examples
    --------
    >>> change_arguments("bop:gamma=1e-3,threshold=1e-6", {"gamma": "cosine:1e-2:0"})
    'bop:gamma=cosine:1e-2:0,threshold=1e-6'
    """
    kind, arguments = _read(text)
    arguments |= changes
    _build(kind, arguments)  # complains
    return f"{kind}:" + ",".join(f"{name}={value}" for name, value in arguments.items())


def read_arguments(text):
    """``{name: value}``, both text, of ``NAME=VALUE,...``.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict of str to str

    Raises
    ------
    InputError
        If it is something else, or a name comes twice.

    Examples
    --------
    >>> read_arguments("gamma=1e-3, threshold=0")
    {'gamma': '1e-3', 'threshold': '0'}
    """
    arguments = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise InputError(f"expected NAME=VALUE, found {part!r}")
        if name in arguments:
            raise InputError(f"{name} is given twice")
        arguments[name] = value
    return arguments


def _read(text):
    """Name and arguments, still text, of an optimizer's text."""
    if not isinstance(text, str):
        raise InputError(f"an optimizer is named by a text, found {text!r:.60}")
    kind, _, rest = text.strip().partition(":")
    try:
        return kind, read_arguments(rest)
    except InputError as error:
        raise InputError(f"optimizer {text!r}: {error}") from None


def from_config(config):
    """The optimizer, without its state, whose ``config()`` this is.

    Parameters
    ----------
    config : dict

    Returns
    -------
    Optimizer or Split

    Raises
    ------
    InputError
        For a kind or an argument that there is not.
    """
    if not isinstance(config, dict):
        raise InputError(f"an optimizer's configuration must be a dict, found {config!r:.60}")
    config = dict(config)
    kind = config.pop("kind", None)
    if kind == Split.kind:
        for name in config:
            if name not in ("binary", "real"):
                raise InputError(f"split takes binary, real; found {name!r}")
        return Split(**{name: from_config(part) for name, part in config.items()})
    return _build(kind, config)


def describe(kinds=None):
    """One line for each optimizer: its name and arguments with their defaults.

    Parameters
    ----------
    kinds : names out of OPTIMIZERS, optional
        All if left out.

    Returns
    -------
    str

    Examples
    --------
    >>> describe(["bop"])
    'bop:gamma=0.0001,threshold=1e-08,rule=strict,average=convex,initial=0.0'
    """
    for kind in kinds or ():
        _check_kind(kind)
    return "\n".join(_signature(OPTIMIZERS[kind]) for kind in kinds or OPTIMIZERS)


def _signature(cls):
    defaults = inspect.signature(cls).parameters.values()
    return f"{cls.kind}:" + ",".join(f"{p.name}={_text(p.default)}" for p in defaults)


def _text(value):
    return "none" if value is None else str(value)


def _build(kind, arguments):
    _check_kind(kind)
    cls = OPTIMIZERS[kind]
    for name in arguments:
        if name not in cls.arguments:
            raise InputError(f"{kind} takes {', '.join(cls.arguments)}; found {name!r}")
    return cls(**arguments)


def _check_kind(kind):
    if not isinstance(kind, str) or kind not in OPTIMIZERS:
        raise InputError(f"optimizer must be one of {', '.join(OPTIMIZERS)}; found {kind!r}")
