"""What each layer is as a step, by itself."""

import numpy as np

from minibnn import nn
from minibnn.deploy import binary, real, shape
from minibnn.errors import InputError


def translate(layer, given):
    """The step that does what a layer does on a Value; InputError if there is none."""
    if type(layer) not in _KINDS:
        known = ", ".join(kind.__name__ for kind in _KINDS)
        raise InputError(
            f"{layer.name} cannot be packed: it is of kind {type(layer).__name__}, and packed "
            f"networks have {known} and Residual"
        )
    return _KINDS[type(layer)](layer, given)


class Scale:
    """The scale of a binary layer's outputs, as if it were a layer."""

    arguments = ()

    def __init__(self, layer):
        self.name, self.scale = f"{layer.name}_scale", layer.kernel.scale.copy()


def spread(layers):
    """The layers, and behind each binary one the Scale of its outputs if there is one."""
    for layer in layers:
        yield layer
        if type(layer) in (nn.BinaryConv2D, nn.BinaryDense) and layer.kernel.scale is not None:
            yield Scale(layer)


def normalisation(layer, given, kind=real.BatchNorm):
    """BatchNorm as a step: with its sign for ``real.BatchNormSign``."""
    arrays = {
        "mean": layer.moving_mean.copy(),
        "variance": layer.moving_variance.copy(),
        "beta": layer.beta.value.copy(),
    }
    if layer.scale:
        arrays["gamma"] = layer.gamma.value.copy()
    return kind(layer.name, given, epsilon=layer.epsilon, scale=layer.scale).fill(arrays)


def _by_options(kind):
    """A translation by the options that layer and step have in common."""

    def translation(layer, given):
        step = kind(layer.name, given, **{key: getattr(layer, key) for key in kind.fields})
        arrays = {}
        for p in layer.parameters():
            value = p.signs.words if p.binary else p.value
            arrays[p.name.rpartition("/")[2]] = np.array(value)
        return step.fill(arrays)

    return translation


_KINDS = {
    nn.BinaryConv2D: _by_options(binary.BinaryConv2D),
    nn.BinaryDense: _by_options(binary.BinaryDense),
    Scale: lambda layer, given: real.Scale(layer.name, given).fill({"scale": layer.scale}),
    nn.BatchNorm: normalisation,
    nn.Sign: _by_options(real.Sign),
    nn.ReLU: _by_options(real.ReLU),
    nn.Flatten: _by_options(shape.Flatten),
    nn.MaxPool2D: _by_options(shape.MaxPool2D),
    nn.AvgPool2D: _by_options(real.AvgPool2D),
    nn.GlobalAvgPool2D: _by_options(real.GlobalAvgPool2D),
    nn.Dense: _by_options(real.Dense),
    nn.Conv2D: _by_options(real.Conv2D),
}
