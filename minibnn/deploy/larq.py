"""Weights of Larq and Keras layers as plain arrays, in and out; neither package is needed.

An ``.npz`` holds an array per weight, named LAYER/WHAT in the order of the layers: kernel (HWIO, or
[inputs, units]), bias, beta, gamma, moving_mean, moving_variance, and the numbers epsilon and
momentum of a batch normalisation. ``examples/from_larq.md`` shows the lines for Keras' side.
"""

import io
import re
from dataclasses import dataclass

import numpy as np

from minibnn import nn
from minibnn.errors import InputError
from minibnn.files import archive
from minibnn.files.atomic import save
from minibnn.files.paths import expanded
from minibnn.nn.chain import BINARY
from minibnn.nn.quantizers import KERNEL_QUANTIZERS
from minibnn.ops.bits import binarize

KINDS = ("kernel", "bias", "beta", "gamma", "moving_mean", "moving_variance")
OPTIONS = ("epsilon", "momentum")
_CONVOLUTIONS = (nn.BinaryConv2D, nn.Conv2D)
_DENSE = (nn.BinaryDense, nn.Dense)
# What a layer may do without: the option that says so, and what such an array would have to be.
_OPTIONAL = {"bias": ("use_bias", 0), "beta": ("center", 0), "gamma": ("scale", 1)}


def arrays(network):
    """dict of LAYER/WHAT to array, as in Keras' layers; kernels are float32 ±1, or ±scale."""
    found = {}
    for layer in network.chain.walk():
        if layer.inner_chains():
            continue
        held = {key: a.astype(np.float32) for key, a in layer.held().items()}
        if (scale := held.pop("scale", None)) is not None:
            held["kernel"] *= scale
        found |= {f"{layer.name}/{key}": array for key, array in held.items()}
        if isinstance(layer, nn.BatchNorm):
            found |= {f"{layer.name}/{key}": np.float64(getattr(layer, key)) for key in OPTIONS}
    return found


def write(network, path):
    """Write ``arrays(network)`` as an .npz; the file is whole or not there."""
    file = io.BytesIO()
    np.savez(file, **arrays(network))
    save(path, file.getvalue())


@dataclass(frozen=True)
class Reading:
    """What ``read`` did."""

    layers: dict  # layer of the network -> layer of the file
    signed: dict  # binary kernel without a scale -> how many entries were not ±1, and were signed
    folded: tuple  # biases of binary layers that went into the moving mean behind them
    left_out: tuple  # arrays of the file that no layer here has a use for

    def __str__(self):
        width = max(map(len, self.layers), default=0)
        lines = [f"{mine:{width}} from {theirs}" for mine, theirs in self.layers.items()]
        latent = ((name, f"{count:,}") for name, count in self.signed.items() if count)
        lines += [f"{name}: {count} entries were not ±1 and were signed" for name, count in latent]
        lines += [f"{name}: went into the moving mean behind it" for name in self.folded]
        lines += [f"{name}: left out" for name in self.left_out]
        return "\n".join(lines)


def read(source, network, names=None, epsilon=None, momentum=None):
    """Fill a ``network`` with the weights of a Larq or Keras model; returns a Reading.

    ``source`` is an .npz of ``numpy.savez``, or a dict of LAYER/WHAT to array; a ``:0`` at the end
    of a name is taken off. Layers of the same names belong together; if the names are others,
    convolutions, dense layers and batch normalisations are each taken in order, or by ``names``, a
    dict of layer of the network to layer of the source. ``epsilon`` and ``momentum`` are of every
    batch normalisation; else what the source says of each, else the network's own.

    Real kernels of binary layers (latent weights) become their signs, sign(0) = +1, and the scales
    of ``magnitude_aware_sign`` their mean magnitudes. A bias of a binary layer is subtracted from
    the moving mean of the normalisation behind it, which rounds once. InputError names the array
    that is missing, or its shape and the one expected; the network is then as it was.
    """
    if not isinstance(source, dict):
        with archive.opened(expanded(source), "file of numpy.savez") as file:
            return read(file.read_all(), network, names, epsilon, momentum)
    theirs, left_out = _by_layer(source)
    kinds = (*_CONVOLUTIONS, *_DENSE, nn.BatchNorm)
    layers = [layer for layer in network.chain.walk() if isinstance(layer, kinds)]
    names = _by_name(layers, theirs, _in_order(layers, theirs) if names is None else names)
    left_out += [f"{x}/{what}" for x in theirs if x not in names.values() for what in theirs[x]]
    values, signed, folded, options = {}, {}, [], {}
    for layer in sorted(layers, key=lambda layer: not isinstance(layer, nn.BatchNorm)):
        weights, prefix = _Weights(layer, names[layer.name], theirs[names[layer.name]]), layer.name
        held = {key: a.shape for key, a in layer.held().items() if key != "scale"}
        values |= {f"{prefix}/{key}": weights.take(key, shape) for key, shape in held.items()}
        if isinstance(layer, nn.BatchNorm):
            options[layer] = weights.options({"epsilon": epsilon, "momentum": momentum})
        if not isinstance(layer, BINARY):
            weights.check_left_out(held)
            continue
        kernel = values[f"{prefix}/kernel"]
        values[f"{prefix}/kernel"] = binarize(kernel)
        if magnitude := KERNEL_QUANTIZERS[layer.kernel_quantizer]:
            values[f"{prefix}/scale"] = magnitude(kernel).astype(np.float32)
        else:
            signed[layer.kernel.name] = int(np.sum(np.abs(kernel) != 1))
        if "bias" in weights.arrays:
            bias = weights.take("bias", kernel.shape[-1:])
            if bias.any():
                mean = f"{_norm_behind(network.chain, layer, weights).name}/moving_mean"
                with np.errstate(over="ignore"):
                    values[mean] = values[mean] - bias.astype(np.float32)
                if not np.isfinite(values[mean]).all():
                    raise InputError(f"{weights.name}/bias and {mean} are too far apart")
                folded.append(f"{weights.name}/bias")
    network.load_state_dict(values)
    for layer, found in options.items():
        layer.epsilon, layer.momentum = found
    return Reading(names, signed, tuple(folded), tuple(left_out))


@dataclass(frozen=True)
class _Weights:
    """A layer of the network, and the name and arrays of the source's that belongs to it."""

    layer: nn.Layer
    name: str
    arrays: dict

    def take(self, key, shape):
        """One of their arrays, finite and of the shape the network needs."""
        theirs, mine = f"{self.name}/{key}", self.layer.name
        if key not in self.arrays:
            raise InputError(f"{theirs} is missing (for the network's {mine})")
        found = np.asarray(self.arrays[key])
        if found.shape != shape:
            words = f"but the network's {mine} needs {shape}"
            raise InputError(f"{theirs} has shape {found.shape}, {words}")
        if found.dtype.kind not in "fiu":
            raise InputError(f"{theirs} must be real numbers, found {found.dtype}")
        with np.errstate(over="ignore"):
            if not np.isfinite(found.astype(np.float32)).all():
                raise InputError(f"{theirs} holds NaN or infinity, as float32")
        return found

    def check_left_out(self, held):
        """InputError for an array that the network's layer does without and that does something."""
        for key, (option, neutral) in _OPTIONAL.items():
            if key not in held and np.any(np.asarray(self.arrays.get(key, neutral)) != neutral):
                found = f"{self.name}/{key} is not {neutral} everywhere"
                raise InputError(f"{found}, but the network's {self.layer.name} has {option}=False")

    def options(self, given):
        """Epsilon and momentum: those given, else theirs, else the network's own."""
        for key, value in given.items():
            if value is None:
                own = getattr(self.layer, key)
                given[key] = float(self.take(key, ())) if key in self.arrays else own
        checked = nn.BatchNorm(**given)
        return checked.epsilon, checked.momentum


def _by_name(layers, theirs, names):
    """dict of layer of the network to layer of the source."""
    mine = {layer.name: names.get(layer.name, layer.name) for layer in layers}
    for name in names.keys() - mine.keys():
        raise InputError(f"names: the network has no layer {name}; it has {', '.join(mine)}")
    for name, other in mine.items():
        if other not in theirs:
            raise InputError(f"layer {other}, for the network's {name}, is missing")
    return mine


def _in_order(layers, theirs):
    """The same by the order of each kind of layer; empty if all names are equal."""
    names = {}
    if all(layer.name in theirs for layer in layers):
        return names
    for what, kinds in (
        ("convolutions", _CONVOLUTIONS),
        ("dense layers", _DENSE),
        ("batch normalisations", nn.BatchNorm),
    ):
        mine = [layer.name for layer in layers if isinstance(layer, kinds)]
        others = [name for name, found in theirs.items() if _family(found) == what]
        if len(mine) != len(others):
            listed = ", ".join(others) or "none"
            raise InputError(f"expected {len(mine)} {what}, found {len(others)}: {listed}")
        _check_numbering(others, what)
        names |= dict(zip(mine, others, strict=True))
    return names


def _by_layer(source):
    """dict of layer to dict of what to array; and the names of what is no weight."""
    layers, left_out = {}, []
    for name, array in source.items():
        layer, _, what = name.removesuffix(":0").rpartition("/")
        if layer and what in KINDS + OPTIONS:
            layers.setdefault(layer, {})[what] = array
        else:
            left_out.append(name)
    return layers, left_out


def _family(found):
    if "moving_mean" in found:
        return "batch normalisations"
    axes = np.ndim(found.get("kernel", 0))
    return {4: "convolutions", 2: "dense layers"}.get(axes)


def _check_numbering(names, what):
    """InputError where Keras' own numbers (conv, conv_1, conv_2, ...) say another order."""
    parts = [re.fullmatch(r"(.*?)(?:_(\d+))?", name).groups() for name in names]
    numbers = [int(number or 0) for _, number in parts]
    if len({base for base, _ in parts}) == 1 and numbers != sorted(numbers):
        order = f"the {what} stand in the order {', '.join(names)}, not in that of their numbers"
        raise InputError(f"{order}; say which is which by names={{...}}")


def _norm_behind(chain, layer, weights):
    """The BatchNorm behind a layer, with nothing but max pooling between."""
    chains = [chain, *(inner for outer in chain.walk() for inner in outer.inner_chains())]
    (layers,) = (one.layers for one in chains if layer in one.layers)
    for following in layers[layers.index(layer) + 1 :]:
        if isinstance(following, nn.BatchNorm):
            return following
        if not isinstance(following, nn.MaxPool2D):
            break
    words = f"and no batch normalisation behind {layer.name} can take it"
    raise InputError(f"{weights.name}/bias is not 0, {words}")
