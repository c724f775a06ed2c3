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
    check_scale(layer)
    return _KINDS[type(layer)](layer, given)


def check_scale(layer):
    """InputError for a binary kernel whose outputs have a scale: what leaves has none."""
    if getattr(layer, "kernel_quantizer", "ste_sign") != "ste_sign":
        raise InputError(
            f"{layer.name} cannot be packed or written: its kernel_quantizer is "
            f"{layer.kernel_quantizer}, and only kernels of ste_sign can"
        )


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
