"""The paper's three ImageNet networks in plain data, for frameworks that build them from it.

A layer is a dict whose "kind" and options are named as in ``minibnn.nn``; what none of the three
uses is left out. Batch normalisation has scale and offset. "Same" padding is TensorFlow's: half of
it, rounded down, on top and left.

Needs NumPy only: minibnn itself takes the networks of its zoo, and a test compares the two.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def _conv(filters, size, strides=1, padding="same", kind="BinaryConv2D", **more):
    place = {"kernel_size": size, "strides": strides, "padding": padding}
    return {"kind": kind, "filters": filters, **place, **more}


def _real(filters, size, strides=1, l2=0.0):
    return _conv(filters, size, strides, kind="Conv2D", use_bias=False, l2=l2)


def _max_pool(padding="valid"):
    return {"kind": "MaxPool2D", "pool_size": 3, "strides": 2, "padding": padding}


def _norm(momentum=0.9, epsilon=1e-3):
    return {"kind": "BatchNorm", "momentum": momentum, "epsilon": epsilon}


SIGN = {"kind": "Sign", "quantizer": "ste_sign"}
RELU, FLATTEN = {"kind": "ReLU"}, {"kind": "Flatten"}


def binary_alexnet(filters, dense_units, classes):
    f = filters
    layers = [_conv(f, 11, 4), _max_pool(), _norm()]
    layers += [SIGN, _conv(3 * f, 5), _max_pool(), _norm()]
    layers += [SIGN, _conv(6 * f, 3), _norm(), SIGN, _conv(6 * f, 3), _norm()]
    layers += [SIGN, _conv(4 * f, 3), _max_pool(), _norm(), SIGN, FLATTEN]
    for units in (dense_units, dense_units, classes):
        layers += [{"kind": "BinaryDense", "units": units}, _norm(), SIGN]
    return layers[:-1]


def xnornet(filters, dense_units, classes):
    f, norm = filters // 3, _norm(epsilon=1e-4)
    layers = [_real(3 * f, 11, 4, l2=5e-7), _norm(epsilon=1e-5), RELU, _max_pool(), norm]
    layers += [SIGN, _conv(8 * f, 5), _max_pool(), norm]
    layers += [SIGN, _conv(12 * f, 3), norm, SIGN, _conv(12 * f, 3), norm]
    layers += [SIGN, _conv(8 * f, 3), _max_pool(), norm]
    layers += [SIGN, _conv(dense_units, 6, padding="valid"), norm]
    layers += [SIGN, _conv(dense_units, 1, padding="valid"), _norm(), RELU, FLATTEN]
    return [*layers, {"kind": "Dense", "units": classes, "use_bias": False, "l2": 5e-7}]


def birealnet(filters, dense_units, classes):
    norm = _norm(momentum=0.8)
    layers = [_real(filters, 7, 2), norm, _max_pool("same")]
    for stage in range(4):
        width = filters * 2**stage
        for block in range(4):
            halves = stage > 0 and block == 0
            sign = {"kind": "Sign", "quantizer": "approx_sign"}
            body = [sign, _conv(width, 3, 2 if halves else 1), norm]
            mean = {"kind": "AvgPool2D", "pool_size": 2, "strides": 2, "padding": "same"}
            shortcut = [mean, _real(width, 1), norm] if halves else []
            layers.append({"kind": "Residual", "body": body, "shortcut": shortcut})
    dense = {"kind": "Dense", "units": classes, "use_bias": True, "l2": 0.0}
    return [*layers, {"kind": "GlobalAvgPool2D"}, dense]


@dataclass(frozen=True)
class Network:
    """One of them: ``layers(filters, dense_units, classes)``, its published sizes and its title."""

    layers: Callable
    title: str
    filters: int
    dense_units: int = 4096
    image: tuple = (224, 224, 3)
    classes: int = 1000
    lr: float = 2.5e-3  # of Adam, at the start; gamma and threshold are those of ``step``

    def sized(self, filters, dense_units):
        return self.layers(filters, dense_units, self.classes)

    def units(self, filters):
        """Dense units in proportion to the filters."""
        return self.dense_units * filters // self.filters


NETWORKS = {
    "binary_alexnet": Network(binary_alexnet, "Binary AlexNet", 64),
    "xnornet": Network(xnornet, "XNOR-Net", 96),
    "birealnet": Network(birealnet, "Bi-Real Net", 64),
}


def walk(layers, shape):
    """(layer, shape of its input, of its output) in the order of minibnn's parameters.

    Shapes are those of one image, (H, W, C) or (features,); what is inside a Residual comes
    instead of it, its body first.
    """
    for layer in layers:
        if layer["kind"] == "Residual":
            inner = list(walk(layer["body"], shape))
            yield from inner
            yield from walk(layer["shortcut"], shape)
            shape = inner[-1][2]
        else:
            output = _output(layer, shape)
            yield layer, shape, output
            shape = output


def _output(layer, shape):
    kind = layer["kind"]
    if kind == "Flatten":
        return (math.prod(shape),)
    if kind == "GlobalAvgPool2D":
        return shape[2:]
    if "units" in layer:
        return (layer["units"],)
    if "strides" not in layer:
        return shape
    size = layer.get("kernel_size") or layer["pool_size"]
    unused = 0 if layer["padding"] == "same" else size - 1
    sides = (-(-(n - unused) // layer["strides"]) for n in shape[:2])
    return (*sides, layer.get("filters", shape[2]))


def first_kernels(layers, shape, seed=0):
    """Random kernels in layer order, HWIO and [inputs, units]: int8 signs, or float32 if real."""
    rng = np.random.default_rng(seed)
    kernels = []
    for layer, given, output in walk(layers, shape):
        if "kernel_size" in layer:
            size = (layer["kernel_size"],) * 2 + (given[2], output[2])
        elif "units" in layer:
            size = (*given, *output)
        else:
            continue
        if layer["kind"].startswith("Binary"):
            kernels.append(1 - 2 * rng.integers(0, 2, size, np.int8))
        else:  # glorot_uniform
            limit = math.sqrt(6 / (math.prod(size[:-2]) * sum(size[-2:])))
            kernels.append(rng.uniform(-limit, limit, size).astype(np.float32))
    return kernels
