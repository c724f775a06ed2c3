"""What each layer is in ONNX; which sums are integers is followed from layer to layer."""

import math
from dataclasses import dataclass, replace

import numpy as np

from minibnn import nn
from minibnn.data.folder.images import scale_and_offset
from minibnn.deploy.fold import fold
from minibnn.deploy.onnx.graph import Graph
from minibnn.errors import InputError
from minibnn.nn.layers.threshold import Threshold
from minibnn.ops.rounding import BYTE_SCALE, bn_factor

HALVES = 2**23  # below, float32 holds every integer and every half between two


@dataclass(frozen=True)
class Value:
    """What lies between two layers of the graph, where images are NCHW: ONNX convolves those.

    With a ``bound`` the graph holds integers z, |z| <= bound, of which the layers see
    float32(z) * unit if there is a unit. A ``scale`` of its channels is not in it yet.
    """

    name: str  # in the graph
    shape: tuple  # as the layers here see it: without the batch, channels last
    bound: int | None = None
    unit: np.float32 | None = None
    operand: bool = False  # signs or bytes: its products with signs are sums of integers, too
    scale: np.ndarray | None = None

    @property
    def signs(self):
        return self.operand and self.unit is None

    @property
    def dtype(self):
        """In the graph: float64 where sums over bytes could not be compared exactly in float32."""
        return np.float64 if self.bound is not None and self.bound >= HALVES else np.float32


def translate(network, image_form):
    """The GraphProto of a Sequential network."""
    walk = _Walk()
    value = walk.images("images", network.input_shape, image_form)
    value = walk.real(walk.chain(network.chain, value))
    if len(value.shape) != 1 or not walk.nodes:
        words = "let it end with Flatten or GlobalAvgPool2D"
        raise InputError(f"{network.name} gives {value.shape}: {words}")
    last = walk.nodes[-1]
    last.name = last.output[0] = "logits"
    return walk.proto(
        network.name or "network",
        ("images", np.float32 if image_form == "arrays" else np.uint8, network.input_shape),
        ("logits", np.float32, value.shape),
    )


class _Walk(Graph):
    """Layer after layer into one graph; what a layer gives has the layer's name."""

    def images(self, given, shape, form):
        """Bytes b as the integers 2 b - 255, or normalised as those of an image folder."""
        x = given if form == "arrays" else self.cast(given, np.float32, f"{given}/numbers")
        if len(shape) == 3:
            x = self.node("Transpose", [x], f"{given}/nchw", perm=[0, 3, 1, 2])
        if form == "image-folder":
            if shape[2:] != (3,):
                raise InputError(f"an image folder has RGB images, found inputs of {shape}")
            scale, offset = scale_and_offset(1)
            value = self._with("Mul", Value(x, shape), "images/scale", scale, "images/scaled")
            return self._with("Add", value, "images/offset", offset, "images/normalised")
        if form == "unit":
            x = self.node("Div", [x, self.number(255)], f"{given}/unit")
        if form in ("unit", "arrays"):
            return Value(x, shape)
        x = self.node("Mul", [x, self.number(2)], f"{given}/doubled")
        x = self.node("Sub", [x, self.number(255)], f"{given}/centred")
        return Value(x, shape, 255, BYTE_SCALE, operand=True)

    def chain(self, chain, value):
        rest = list(chain.layers)
        while rest:
            value, done = self.folded(rest, value) or (self.layer(rest[0], value), 1)
            del rest[:done]
        return value

    def layer(self, layer, value):
        if type(layer) not in _KINDS:
            kinds = ", ".join(kind.__name__ for kind in _KINDS)
            found = f"{layer.name} ({type(layer).__name__})"
            raise InputError(f"layers in ONNX must be of {kinds}, found {found}")
        value = value if value.scale is None else self.real(value)
        return _KINDS[type(layer)](self, layer, value)

    def folded(self, layers, value):
        """What comes before the next sign as one comparison, and of how many layers; or None."""
        if value.bound is None or value.signs:
            return None
        found = fold(layers, value.shape[-1], value.bound, value.scale, value.unit)
        if found is None:
            return None
        (*firsts, last), done = found
        name = layers[done - 1].name
        for layer in firsts:
            value = _KINDS[type(layer)](self, layer, value, f"{layer.name or name}/first")
        return _KINDS[type(last)](self, last, value, name), done

    # -- products -----------------------------------------------------------------------------

    def dense(self, layer, value):
        """(B, I) times (I, O)."""
        x, product = self._product(layer, value, math.prod(value.shape))
        if product.dtype is np.float64:
            x = self.cast(x, np.float64, f"{layer.name}/input")
        kernel = self._kernel(layer, layer.kernel.value, product.dtype)
        y = self.node("MatMul", [x, kernel], layer.name)
        return self._bias(layer, replace(product, name=y, shape=(layer.units,)))

    def conv(self, layer, value):
        """HWIO becomes OIHW; padding is written out, the odd pixel at bottom and right."""
        terms = math.prod((*layer.kernel_size, value.shape[2]))
        x, product = self._product(layer, value, terms)
        if product.dtype is np.float64:
            raise InputError(f"{layer.name} sums {terms} bytes, too many for ONNX to be exact")
        seen = layer.windows_on(value.shape)
        pads = _pads(seen)
        if any(pads) and getattr(layer, "pad_value", 0):
            one = self.number(1 if product.unit is None else 255)
            ends = np.int64([0, 0, *pads[:2], 0, 0, *pads[2:]])  # before and behind each of NCHW
            axes = self.constant(f"pads/{'-'.join(map(str, pads))}", ends)
            x = self.node("Pad", [x, axes, one], f"{layer.name}/padded")
            pads = [0, 0, 0, 0]
        kernel = self._kernel(layer, layer.kernel.value.transpose(3, 2, 0, 1), np.float32)
        y = self.node("Conv", [x, kernel], layer.name, pads=pads, strides=list(layer.strides))
        return self._bias(layer, replace(product, name=y, shape=(*seen.output, layer.filters)))

    def _product(self, layer, value, terms):
        """Name of the left operand, and what kind of Value the product will be."""
        scale = layer.kernel.scale
        if layer.kernel.binary and value.operand:
            return value.name, Value("", (), value.bound * terms, value.unit, scale=scale)
        return self.real(value).name, Value("", (), scale=scale)

    def _kernel(self, layer, array, dtype):
        name = layer.kernel.name
        return self.signs(name, array, dtype) if layer.kernel.binary else self.constant(name, array)

    def _bias(self, layer, value):
        if not getattr(layer, "use_bias", False):
            return value
        return self._with("Add", value, layer.bias.name, layer.bias.value, f"{layer.name}/biased")

    # -- normalisation and sign ---------------------------------------------------------------

    def norm(self, layer, value):
        """Subtract, multiply, add: three roundings, in the order of ``batch_norm``."""
        value, name = self.real(value), layer.name
        gamma = layer.gamma.value if layer.scale else None
        factor = bn_factor(layer.moving_variance, layer.epsilon, gamma)
        value = self._with("Sub", value, f"{name}/mean", layer.moving_mean, f"{name}/centred")
        value = self._with("Mul", value, f"{name}/factor", factor, f"{name}/scaled")
        return self._with("Add", value, f"{name}/beta", layer.beta.value, name)

    def threshold(self, layer, value, name=None):
        """+1 from the level on, or from halfway before, in case a runtime rounds a little."""
        level, rising, name = layer.level, layer.direction > 0, name or layer.name
        halfway = np.where(rising, level - 0.5, level + 0.5).astype(value.dtype)
        plus = self._with("Greater", value, f"{name}/threshold", halfway, f"{name}/above")
        if not rising.all():
            plus = self._with("Xor", plus, f"{name}/falling", ~rising, f"{name}/plus")
        return self._chosen(plus, 1, -1, name)

    def sign(self, layer, value):
        """±1, with +1 for 0; ONNX's own Sign makes 0 of it."""
        if value.signs:
            return replace(value, name=self.node("Identity", [value.name], layer.name))
        value, name = self.real(value), layer.name
        minus = self.node("Less", [value.name, self.number(0)], f"{name}/minus")
        return self._chosen(replace(value, name=minus), -1, 1, name)

    def _chosen(self, condition, yes, no, name):
        self.node("Where", [condition.name, self.number(yes), self.number(no)], name)
        return Value(name, condition.shape, 1, operand=True)

    # -- pooling and shapes -------------------------------------------------------------------

    def pool(self, layer, value, name=None):
        """Largest of integers, floats or signs, or mean, of the pixels that exist."""
        kind, options = "MaxPool", {}
        if type(layer) is nn.AvgPool2D:
            value, kind, options = self.real(value), "AveragePool", {"count_include_pad": 0}
        size, strides, seen = layer.pool_size, layer.strides, layer.windows_on(value.shape)
        options |= {"kernel_shape": list(size), "strides": list(strides), "pads": _pads(seen)}
        y = self.node(kind, [value.name], name or layer.name, **options)
        return replace(value, name=y, shape=(*seen.output, value.shape[2]))

    def global_avg_pool(self, layer, value):
        value = self.real(value)
        y = self.node("GlobalAveragePool", [value.name], f"{layer.name}/nchw")
        y = self.node("Flatten", [y], layer.name)
        return replace(value, name=y, shape=value.shape[2:])

    def flatten(self, layer, value, name=None):
        """Back to channels last, whose order the next kernel's inputs have."""
        y, name = value.name, name or layer.name
        if len(value.shape) == 3:
            y = self.node("Transpose", [y], f"{name}/nhwc", perm=[0, 2, 3, 1])
        y = self.node("Flatten", [y], name)
        return replace(value, name=y, shape=(math.prod(value.shape),))

    # -- floats -------------------------------------------------------------------------------

    def relu(self, layer, value):
        value = self.real(value)
        return replace(value, name=self.node("Relu", [value.name], layer.name))

    def residual(self, layer, value):
        body, shortcut = (self.real(self.chain(c, value)) for c in (layer.body, layer.shortcut))
        return replace(body, name=self.node("Add", [body.name, shortcut.name], layer.name))

    def real(self, value):
        """The floats that the layers here see."""
        x = value.name
        if value.dtype is np.float64:
            x = self.cast(x, np.float32, f"{value.name}/float32")
        if value.unit is not None:
            x = self.node("Mul", [self.constant("byte_scale", value.unit), x], f"{value.name}/real")
        real = Value(x, value.shape)
        if value.scale is None:
            return real
        return self._with("Mul", real, f"{value.name}/factor", value.scale, f"{value.name}/scaled")

    def _with(self, kind, value, constant, array, name):
        """An operator with a number per channel, (C,), beside NCHW or (B, C)."""
        array = array[:, None, None] if len(value.shape) == 3 else array
        inputs = [value.name, self.constant(constant, array)]
        if kind == "Mul":  # else onnxruntime puts the factor into a kernel: sums are not integers
            inputs.reverse()
        return replace(value, name=self.node(kind, inputs, name))


_KINDS = {
    nn.AvgPool2D: _Walk.pool,
    nn.BatchNorm: _Walk.norm,
    nn.BinaryConv2D: _Walk.conv,
    nn.BinaryDense: _Walk.dense,
    nn.Conv2D: _Walk.conv,
    nn.Dense: _Walk.dense,
    nn.Flatten: _Walk.flatten,
    nn.GlobalAvgPool2D: _Walk.global_avg_pool,
    nn.MaxPool2D: _Walk.pool,
    nn.ReLU: _Walk.relu,
    nn.Residual: _Walk.residual,
    nn.Sign: _Walk.sign,
    Threshold: _Walk.threshold,
}


def _pads(seen):
    return [seen.top, seen.left, seen.bottom, seen.right]
