"""Optimizers from the command line's text, and from the configuration of a run."""

import inspect

from minibnn.errors import InputError, one_of
from minibnn.optim import bop, latent, real, second_order, twins
from minibnn.optim.optimizer import Split

BINARY = (
    *(bop.Bop, latent.LatentSGD, latent.LatentAdam, second_order.Bop2ndOrder, second_order.CEMA),
    *(latent.InertiaSGD, twins.SchmittSGD, twins.DoubleWellSGD, twins.Bold, twins.Diode),
    *(twins.LatentDirection, twins.DirectedBop, bop.IntegerBop),
)
REAL = real.SGD, real.Adam
OPTIMIZERS = {cls.kind: cls for cls in (*BINARY, *REAL)}


def parse_optimizer(text: str):
    """The optimizer that a text such as ``bop:gamma=step:1e-4:0.1:100ep,threshold=1e-8`` describes.

    InputError for an unknown name, argument or value; it names the valid ones.

    >>> parse_optimizer("adam:lr=0.01").lr
    0.01
    """
    return _build(*_read(text))


def change_arguments(text: str, changes: dict):
    """The text of an optimizer with some of its arguments, {name: text}, replaced or added.

    Names and values are checked where the text is parsed.

    >>> change_arguments("bop:gamma=1e-3,threshold=1e-6", {"gamma": "cosine:1e-2:0"})
    'bop:gamma=cosine:1e-2:0,threshold=1e-6'
    """
    kind, arguments = _read(text)
    arguments |= changes
    return f"{kind}:" + ",".join(f"{name}={value}" for name, value in arguments.items())


def read_arguments(text: str):
    """{name: value}, both text, of ``NAME=VALUE,...``; InputError if a name comes twice.

    >>> read_arguments("gamma=1e-3, threshold=0")
    {'gamma': '1e-3', 'threshold': '0'}
    """
    arguments = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = map(str.strip, part.partition("="))
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


def from_config(config: dict):
    """The optimizer, without its state, whose ``config()`` this is.

    InputError for a kind or an argument that there is not.
    """
    if not isinstance(config, dict):
        raise InputError(f"an optimizer's configuration must be a dict, found {config!r:.60}")
    arguments = {name: value for name, value in config.items() if name != "kind"}
    if config.get("kind") != Split.kind:
        return _build(config.get("kind"), arguments)
    for name in arguments:
        if name not in ("binary", "real"):
            raise InputError(f"split takes binary, real; found {name!r}")
    return Split(**{name: from_config(part) for name, part in arguments.items()})


def describe(kinds=None):
    """One line for each of ``kinds``, names of optimizers, or for all: arguments and defaults.

    >>> describe(["bop"])
    'bop:gamma=0.0001,threshold=1e-08,rule=strict,average=convex,initial=0.0'
    """
    lines = []
    for kind in kinds or OPTIMIZERS:
        cls = OPTIMIZERS[one_of(kind, "optimizer", OPTIMIZERS)]
        defaults = {p.name: p.default for p in inspect.signature(cls).parameters.values()}
        shown = (f"{name}={'none' if x is None else x}" for name, x in defaults.items())
        lines.append(f"{kind}:" + ",".join(shown))
    return "\n".join(lines)


def _build(kind, arguments):
    cls = OPTIMIZERS[one_of(kind, "optimizer", OPTIMIZERS)]
    for name in arguments:
        if name not in cls.arguments:
            raise InputError(f"{kind} takes {', '.join(cls.arguments)}; found {name!r}")
    return cls(**arguments)
