"""Layers and quantizers of one's own: known by name, so that files which hold them can be read."""

import inspect
import json
from dataclasses import is_dataclass

from minibnn.errors import InputError, ours
from minibnn.nn.chain import layers_from_config
from minibnn.nn.layers.layer import KINDS, Layer
from minibnn.nn.quantizers import KERNEL_QUANTIZERS, QUANTIZERS


def register(name):
    """A decorator for what a network of yours is made of: files call it by ``name``.

    It decorates a subclass of ``Layer``; a class with ``gradient(dy, x)``, a quantizer for ``Sign``
    (a dataclass, if it has arguments); or a function of latent weights that gives the scale of each
    output, a ``kernel_quantizer``. InputError for a name that minibnn uses, and for anything else.
    A file can be read once the module that defines its layers has been imported.

    >>> from minibnn import nn
    >>> @nn.register("half")
    ... class Half(nn.Layer):
    ...     prefix = "half"
    ...
    ...     def forward(self, x, training=False):
    ...         return x / 2
    ...
    ...     def backward(self, dy, need_dx=True):
    ...         return dy / 2
    >>> net = nn.Sequential([Half()], (2,))
    >>> nn.Sequential.from_config(net.config()).layers
    [Half()]
    """

    def known(it):
        if inspect.isclass(it) and issubclass(it, Layer):
            table, attribute = KINDS, "kind"
        elif inspect.isclass(it) and callable(getattr(it, "gradient", None)):
            if "__init__" in vars(it) and not is_dataclass(it):
                raise InputError(f"quantizer {it.__name__} has arguments: make it a dataclass")
            table, attribute = QUANTIZERS, "name"
        elif inspect.isfunction(it):
            table, attribute = KERNEL_QUANTIZERS, "name"
        else:
            raise InputError(f"register takes a layer, a quantizer or a function, found {it!r:.60}")
        if name in table and (table[name] is None or ours(table[name])):
            raise InputError(f"minibnn has a {name!r} of its own: choose another name")
        table[name] = it
        setattr(it, attribute, name)
        return it

    if not isinstance(name, str) or not name:
        raise InputError(f"register takes a name, as in @register('half'), found {name!r:.60}")
    return known


def check_own(network):
    """InputError for a class of one's own that could not be made again from its configuration."""
    if not ours(type(network)):
        words = "only a Sequential itself is copied and saved: have a function make it"
        raise InputError(f"{network.name} is of a class {type(network).__name__}, and {words}")
    layers = [layer for layer in network.chain.walk() if not ours(type(layer))]
    for layer in layers:
        what = f"{layer.name} ({layer.kind})"
        if KINDS.get(layer.kind) is not type(layer):
            words = f"is of a class {type(layer).__name__}, and another has this name"
            raise InputError(f"{layer.name} {words}: give it one of its own by nn.register")
        try:
            (twin,) = layers_from_config([json.loads(json.dumps(layer.config()))])
        except (TypeError, ValueError) as error:
            words = f"list what its __init__ takes in `arguments` ({error})"
            why = f"{what} cannot be made again from its configuration: {words}"
            raise InputError(why) from None
        for name in inspect.signature(type(layer).__init__).parameters:
            was, now = (vars(one).get(name) for one in (layer, twin))
            if isinstance(was, str | int | float) and was != now:
                words = f"with {name} {now!r} in place of {was!r}: list it in `arguments`"
                raise InputError(f"{what} would be made again {words}")
    if layers:
        told = {name: shape for name, (_, shape) in network.arrays().items()}
        there = {name: array.shape for name, array in network.state_dict().items()}
        if differing := sorted(told.items() ^ there.items()):
            name = differing[0][0]
            words = f"the shape {there.get(name)} of {name}, found {told.get(name)}"
            raise InputError(f"`arrays` must tell {words}")
