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
from minibnn.files.atomic import write_atomic
from minibnn.files.paths import expanded
from minibnn.nn.quantizers import KERNEL_QUANTIZERS
from minibnn.ops.bits import binarize

KINDS = ("kernel", "bias", "beta", "gamma", "moving_mean", "moving_variance")
OPTIONS = ("epsilon", "momentum")
_CONVOLUTIONS = (nn.BinaryConv2D, nn.Conv2D)
_DENSE = (nn.BinaryDense, nn.Dense)
_BINARY = (nn.BinaryConv2D, nn.BinaryDense)


# -- out ------------------------------------------------------------------------------------------


def arrays(network):
    """dict of LAYER/WHAT to array, in the order of the layers: what Keras' layers would hold.

    Kernels are float32 ±1, or ±scale where their outputs have one: the magnitude of which Larq
    makes it. epsilon and momentum of each batch normalisation are there as well.
    """
    found = {}
    for layer in network.chain.walk():
        if layer.inner_chains():
            continue
        found |= {p.name: p.value.astype(np.float32) for p in layer.parameters()}
        if isinstance(layer, _BINARY) and layer.kernel.scale is not None:
            found[layer.kernel.name] *= layer.kernel.scale
        else:
            found |= {f"{layer.name}/{key}": value for key, value in layer.state().items()}
        if isinstance(layer, nn.BatchNorm):
            found |= {f"{layer.name}/{key}": np.float64(getattr(layer, key)) for key in OPTIONS}
    return found


def write(network, path):
    """Write ``arrays(network)`` as an .npz; the file is whole or not there."""
    file = io.BytesIO()
    np.savez(file, **arrays(network))
    write_atomic(path, file.getvalue())


# -- in -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """What ``read`` did."""

    layers: dict  # layer of the network -> layer of the file
    signed: dict  # binary kernel without a scale -> how many entries were not ±1, and were signed
    folded: tuple  # biases of binary layers that went into the moving mean behind them
    left_out: tuple  # arrays of the file that are of no kind known here

    def __str__(self):
        width = max(map(len, self.layers), default=0)
        lines = [f"{mine:{width}} from {theirs}" for mine, theirs in self.layers.items()]
        latent = {name: count for name, count in self.signed.items() if count}
        for name, count in latent.items():
            lines.append(f"{name}: {count:,} entries were not ±1 and were signed")
        lines += [f"{name}: went into the moving mean behind it" for name in self.folded]
        lines += [f"{name}: left out" for name in self.left_out]
        return "\n".join(lines)


def read(source, network, names=None, epsilon=None, momentum=None):
    """Fill a network with the weights of a Larq or Keras model; returns a Reading.

    ``source`` is an .npz of ``numpy.savez``, or a dict of LAYER/WHAT to array; a ``:0`` at the end
    of a name is taken off. ``network`` has the same layers. Layers of the same names belong
    together; if the names are others, convolutions, dense layers and batch normalisations are each
    taken in the order of the source, or by ``names``, a dict of layer of the network to layer of
    the source. ``epsilon`` and ``momentum`` are of every batch normalisation; else what the source
    says of each, else the network's own.

    Real kernels of binary layers (latent weights) become their signs, sign(0) = +1, and the scales
    of ``magnitude_aware_sign`` their mean magnitudes. A bias of a binary layer is subtracted from
    the moving mean of the normalisation behind it, which rounds once. InputError names the array
    that is missing, or its shape and the one expected; the network is then as it was.
    """
    where = ""
    if not isinstance(source, dict):
        where, path = f"{source}: ", expanded(source)
        with archive.opened(path, "file of numpy.savez") as file:
            source = file.read_all()
    try:
        return _Reader(network, source, names).read({"epsilon": epsilon, "momentum": momentum})
    except InputError as error:
        raise InputError(f"{where}{error}") from None


class _Reader:
    """A network, the layers of a source, and which belongs to which."""

    def __init__(self, network, source, names):
        self.network = network
        self.theirs, self.left_out = _by_layer(source)
        self.layers = [
            layer
            for layer in network.chain.walk()
            if isinstance(layer, (*_CONVOLUTIONS, *_DENSE, nn.BatchNorm))
        ]
        self.names = self._by_name(names) if names is not None else self._in_order()

    def _by_name(self, names):
        mine = {layer.name: names.get(layer.name, layer.name) for layer in self.layers}
        for name in names.keys() - mine.keys():
            raise InputError(f"names: the network has no layer {name}; it has {', '.join(mine)}")
        for name, other in mine.items():
            if other not in self.theirs:
                raise InputError(f"layer {other}, for the network's {name}, is missing")
        return mine

    def _in_order(self):
        if all(layer.name in self.theirs for layer in self.layers):
            return {layer.name: layer.name for layer in self.layers}
        names = {}
        for what, kinds in (
            ("convolutions", _CONVOLUTIONS),
            ("dense layers", _DENSE),
            ("batch normalisations", nn.BatchNorm),
        ):
            mine = [layer.name for layer in self.layers if isinstance(layer, kinds)]
            theirs = [name for name, found in self.theirs.items() if _family(found) == what]
            if len(mine) != len(theirs):
                listed = ", ".join(theirs) or "none"
                raise InputError(f"expected {len(mine)} {what}, found {len(theirs)}: {listed}")
            _check_numbering(theirs, what)
            names |= dict(zip(mine, theirs, strict=True))
        return {layer.name: names[layer.name] for layer in self.layers}

    def read(self, given):
        self.values, self.signed, self.folded = {}, {}, []
        options = {}
        for layer in self.layers:
            if isinstance(layer, nn.BatchNorm):
                options[layer] = self._normalisation(layer, given)
        for layer in self.layers:
            if not isinstance(layer, nn.BatchNorm):
                self._product(layer)
        self.network.load_state_dict(self.values)
        for layer, found in options.items():
            for key, value in found.items():
                setattr(layer, key, value)
        return Reading(self.names, self.signed, tuple(self.folded), tuple(self.left_out))

    def _normalisation(self, layer, given):
        """Take the arrays; returns the epsilon and momentum to set."""
        channels = layer.moving_mean.shape
        for key in ("moving_mean", "moving_variance"):
            self._take(layer, key, channels)
        if (self.values[f"{layer.name}/moving_variance"] < 0).any():
            raise InputError(f"{self._their(layer, 'moving_variance')} has entries below 0")
        for key, there, option, none in (
            ("beta", layer.center, "center", 0),
            ("gamma", layer.scale, "scale", 1),
        ):
            if there:
                self._take(layer, key, channels)
            else:
                self._expect_all(layer, key, none, f"{option}=False")
        found = self.theirs[self.names[layer.name]]
        options = {}
        for key, value in given.items():
            if value is None and key in found:
                value = float(self._array(layer, key, ()))
            options[key] = getattr(layer, key) if value is None else value
        checked = nn.BatchNorm(**options)
        return {key: getattr(checked, key) for key in options}

    def _product(self, layer):
        kernel = self._array(layer, "kernel", layer.kernel.shape)
        if isinstance(layer, _BINARY):
            if magnitude := KERNEL_QUANTIZERS[layer.kernel_quantizer]:
                self.values[f"{layer.name}/scale"] = magnitude(kernel).astype(np.float32)
            else:
                self.signed[layer.kernel.name] = int(np.sum(np.abs(kernel) != 1))
            kernel = binarize(kernel)
            self._fold_bias(layer)
        elif layer.use_bias:
            self._take(layer, "bias", layer.bias.shape)
        else:
            self._expect_all(layer, "bias", 0, "use_bias=False")
        self.values[layer.kernel.name] = kernel

    def _fold_bias(self, layer):
        if "bias" not in self.theirs[self.names[layer.name]]:
            return
        bias = self._array(layer, "bias", layer.kernel.shape[-1:])
        if not bias.any():
            return
        norm = _norm_behind(self.network.chain, layer)
        if norm is None:
            raise InputError(
                f"{self._their(layer, 'bias')} is not 0, and {layer.name} has no batch "
                "normalisation behind it that could take it"
            )
        mean = f"{norm.name}/moving_mean"
        self.values[mean] = self.values[mean] - bias
        self.folded.append(self._their(layer, "bias"))

    def _expect_all(self, layer, key, value, option):
        if key not in self.theirs[self.names[layer.name]]:
            return
        if np.any(np.asarray(self.theirs[self.names[layer.name]][key]) != value):
            raise InputError(
                f"{self._their(layer, key)} is not {value} everywhere, but the network's "
                f"{layer.name} has {option}"
            )

    def _take(self, layer, key, shape):
        self.values[f"{layer.name}/{key}"] = self._array(layer, key, shape)

    def _array(self, layer, key, shape):
        """One of their arrays, finite and of the shape the network needs."""
        theirs = self._their(layer, key)
        found = self.theirs[self.names[layer.name]].get(key)
        if found is None:
            raise InputError(f"{theirs} is missing (for the network's {layer.name})")
        found = np.asarray(found)
        if found.shape != shape:
            raise InputError(
                f"{theirs} has shape {found.shape}, but the network's {layer.name} needs {shape}"
            )
        if found.dtype.kind not in "fiu":
            raise InputError(f"{theirs} must be real numbers, found {found.dtype}")
        with np.errstate(over="ignore"):
            if not np.isfinite(found.astype(np.float32)).all():
                raise InputError(f"{theirs} holds NaN or infinity, as float32")
        return found

    def _their(self, layer, key):
        return f"{self.names[layer.name]}/{key}"


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
        raise InputError(
            f"the {what} stand in the order {', '.join(names)}, not in that of their numbers; "
            "say which is which by names={...}"
        )


def _norm_behind(chain, layer):
    """The BatchNorm behind a layer with nothing but max pooling between, or None."""
    layers = chain.layers
    if layer not in layers:
        inner = (one for outer in layers for one in outer.inner_chains())
        return next((found for one in inner if (found := _norm_behind(one, layer))), None)
    for following in layers[layers.index(layer) + 1 :]:
        if isinstance(following, nn.BatchNorm):
            return following
        if not isinstance(following, nn.MaxPool2D):
            return None
    return None
