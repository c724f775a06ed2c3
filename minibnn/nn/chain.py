"""How layers stand together: the loops that Sequential and Residual share, and Flatten.

``fuse`` turns layers into steps: a step is a layer, or neighbours that the backend computes in one
pass, so that between them only integers and bits move. Layers run one by one give the same outputs,
and gradients but for roundings. It also tells a batch normalisation which binary layer stands
before it (``rounds_for``): for that layer it rounds integer gradients in its own pass.
"""

from itertools import pairwise
from math import prod

import numpy as np

from minibnn.errors import InputError, ours
from minibnn.nn.layers.activations import Sign
from minibnn.nn.layers.batch_norm import BatchNorm
from minibnn.nn.layers.layer import KINDS, MOST_NUMBERS, Layer, as_array, as_floats, floats
from minibnn.nn.layers.pooling import MaxPool2D
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense
from minibnn.nn.layers.threshold import Threshold
from minibnn.nn.quantizers import SteSign
from minibnn.ops.backend import ops
from minibnn.ops.bits import WORD, Signs

BINARY = BinaryConv2D, BinaryDense


class Chain:
    """A list of layers run in order, and backwards in reverse order."""

    def __init__(self, layers):
        self.layers = layers_from_config(layers)
        self.own = {}  # input shapes of layers of one's own
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise InputError(f"layers must be layers of minibnn.nn, found {layer!r}")

    def arrays(self, input_shape):
        """What ``build`` would make: {"layer/what": (dtype, shape)} of all that has a name."""
        found = {}
        for layer in self.layers:
            found |= {f"{layer.name}/{what}": x for what, x in layer.arrays(input_shape).items()}
            for chain in layer.inner_chains():
                found |= chain.arrays(input_shape)
            input_shape = layer.output_shape(input_shape)
        return found

    def build(self, input_shape, rng):
        """Make the arrays of the layers; the shape of what they give."""
        for layer in self.layers:
            if prod(input_shape) > MOST_NUMBERS:
                raise InputError(f"{layer.name}: inputs of shape {input_shape} are too large")
            layer.build(input_shape, rng)
            if not (layer.takes_fixed or ours(type(layer))):
                self.own[layer] = input_shape
            input_shape = layer.output_shape(input_shape)
        self.steps = fuse(self.layers)
        trained = [k for k, step in enumerate(self.steps) if step.parameters()]
        self.first_trained = min(trained, default=len(self.steps))
        return input_shape

    def output_shape(self, input_shape):
        for layer in self.layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def forward(self, x, training=False):
        for step in self.steps:
            if step not in self.own:
                x = step.forward(x, training)
            else:
                shape = len(x), *step.output_shape(self.own[step])
                x = step.forward(as_floats(x), training)
                x = check_given(step, x, "forward", shape)
        return x

    def backward(self, dy, need_dx=True):
        """dx; without ``need_dx`` None, and nothing is computed before the first parameter."""
        for k in reversed(range(len(self.steps))):
            wanted, step = need_dx or k > self.first_trained, self.steps[k]
            given, dy = dy, step.backward(dy if step.takes_fixed else as_array(dy), wanted)
            if not wanted:
                return None
            if step in self.own:
                dy = floats(check_given(step, dy, "backward", (len(given), *self.own[step])))
        return dy if need_dx else None

    def machine_dependent(self, exact):
        """Names of the layers that are not ``same_everywhere`` on signs or bytes, if ``exact``."""
        found = []
        for layer in self.layers:
            for chain in layer.inner_chains():
                found += chain.machine_dependent(exact)
            if not layer.same_everywhere(exact):
                found.append(layer.name)
            exact = layer.gives_signs(exact)
        return found

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]

    def config(self):
        return [layer.config() for layer in self.layers]

    def walk(self):
        """Every layer, those inside others included; an outer one before its inner ones."""
        for layer in self.layers:
            yield layer
            for chain in layer.inner_chains():
                yield from chain.walk()


def check_given(layer, y, method, shape):
    """What an own layer gives, as floats if none here gives its type; InputError if it misfits."""
    found = getattr(y, "shape", None)
    if found != shape:
        raise InputError(f"{layer.name}: {method} must return an array {shape}, found {found}")
    if isinstance(y, np.ndarray) and not np.isfinite(y).all():
        words = "must return finite numbers, found NaN or infinity"
        raise InputError(f"{layer.name}: {method} {words}")
    return y if isinstance(y, Signs) or y.dtype in (np.int16, np.int32) else floats(y)


def fuse(layers):
    """Steps that do what the layers do one after another."""
    steps, rest = [], list(layers)
    while rest:
        counts = {kind: kind.fits(*rest[:3]) for kind in _FUSED if len(rest) > 1}
        kind = max(counts, key=counts.get, default=None)
        count = counts.get(kind, 0)
        steps.append(kind(*rest[:count]) if count else rest[0])
        del rest[: count or 1]
    for before, step in pairwise(steps):
        layer = before.first if isinstance(before, ConvolveAndPool) else before
        norm = step.first if isinstance(step, NormaliseAndSign) else step
        if type(norm) is BatchNorm and isinstance(layer, BINARY):
            norm.rounds_for = layer if layer.kernel.scale is None else None
    return steps


class _Fused:
    """Neighbours; where their inputs do not fit the common pass, they run one by one."""

    takes_fixed = True
    kept = None  # of the common pass, for the way back; None if there was none

    def __init__(self, *layers):
        self.layers = layers
        self.first, self.last = layers[0], layers[-1]

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]

    def one_by_one(self, x, training):
        self.kept = None
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy, need_dx=True):
        dy = dy if self.kept is not None else self.last.backward(dy)
        return self.first.backward(dy, need_dx, self.kept)


class ConvolveAndPool(_Fused):
    """A binary convolution of signs and 2x2 max pooling: the sums before pooling are not kept."""

    @staticmethod
    def fits(first, second, *_):
        plain = type(first) is BinaryConv2D and first.kernel.scale is None  # not one's own class
        return 2 if plain and halves(second) else 0

    def forward(self, x, training=False):
        if not isinstance(x, Signs):
            return self.one_by_one(x, training)
        conv, self.first.x = self.first, x
        y, self.kept = ops.binary_conv2d_pool(x, conv.kernel.signs, *conv.geometry)
        return y


class NormaliseAndSign(_Fused):
    """Batch normalisation and its sign: only the signs and a bit for the estimator are kept."""

    @staticmethod
    def fits(first, second, *_):
        sign = type(second) is Sign and type(second.quantizer) is SteSign
        return 2 if type(first) is BatchNorm and sign else 0

    def forward(self, x, training=False):
        normalisation = self.first.normalisation(x, training)
        signs, self.kept = ops.batch_norm_sign(*normalisation, self.last.quantizer.clip_value)
        return signs


class MultiplyAndCompare(_Fused):
    """A binary layer of signs, perhaps 2x2 max pooling, and a Threshold, in packed networks."""

    @staticmethod
    def fits(first, *others):
        if type(first) not in BINARY or first.kernel.scale is not None:
            return 0
        pool = type(first) is BinaryConv2D and halves(others[0])
        return 2 + pool if type([*others, None][pool]) is Threshold else 0

    def forward(self, x, training=False):
        return self.compare(x) if isinstance(x, Signs) else self.one_by_one(x, training)

    def compare(self, x):
        """The signs of Signs or, with levels for their sums 2 b - 255, of bytes."""
        layer, thresholds = self.first, self.last.thresholds
        if isinstance(layer, BinaryDense):
            return ops.binary_dense_threshold(x, layer.kernel.signs, thresholds)
        how = *layer.geometry, len(self.layers) == 3
        return ops.binary_conv2d_threshold(x, layer.kernel.signs, thresholds, *how)


def halves(layer=None):
    """Whether a layer is the pooling that convolutions do themselves."""
    return type(layer) is MaxPool2D and layer.geometry == ((2, 2), (2, 2), "valid")


_FUSED = MultiplyAndCompare, ConvolveAndPool, NormaliseAndSign


class Residual(Layer):
    """y = body(x) + shortcut(x), in floats.

    ``body`` and ``shortcut`` are lists of layers, or of their configurations, that give the same
    shape; a shortcut of None is x itself.
    """

    prefix = "residual"

    def __init__(self, body, shortcut=None):
        self.body, self.shortcut = Chain(body), Chain([] if shortcut is None else shortcut)

    def config(self):
        shortcut = self.shortcut.config() or None
        return {"kind": self.kind, "body": self.body.config(), "shortcut": shortcut}

    def inner_chains(self):
        return self.body, self.shortcut

    def build(self, input_shape, rng):
        body, shortcut = (chain.build(input_shape, rng) for chain in self.inner_chains())
        if body != shortcut:
            raise InputError(f"Residual adds equal shapes, found body {body}, shortcut {shortcut}")

    def output_shape(self, input_shape):
        return self.body.output_shape(input_shape)

    def forward(self, x, training=False):
        body = as_floats(self.body.forward(x, training))
        return ops.add(body, as_floats(self.shortcut.forward(x, training)))

    def backward(self, dy, need_dx=True):
        dx = self.body.backward(dy, need_dx)
        dx_shortcut = self.shortcut.backward(dy, need_dx)
        return ops.add(as_array(dx), as_array(dx_shortcut)) if need_dx else None

    def __repr__(self):
        return f"Residual({self.body.layers}, shortcut={self.shortcut.layers or None})"


class Flatten(Layer):
    """(B, H, W, C) to (B, H W C), in that order; Signs stay Signs."""

    prefix = "flatten"
    takes_fixed = True

    def forward(self, x, training=False):
        self.shape = x.shape
        flat = (x.shape[0], prod(x.shape[1:]))
        if not isinstance(x, Signs):
            return x.reshape(flat)
        if x.axis == len(x.shape) - 1 and (x.axis == 1 or x.shape[-1] % WORD == 0):
            return Signs(x.words.reshape(flat[0], -1), flat, 1)  # the words already stand in a row
        return ops.pack_signs(x.unpack().reshape(flat), 1)

    def backward(self, dy, need_dx=True):
        return dy.reshape(self.shape) if need_dx else None

    def output_shape(self, input_shape):
        return (prod(input_shape),)

    def gives_signs(self, given_signs):
        return given_signs


def layers_from_config(layers):
    """Layers, from layers or from the plain dicts of their ``config()``."""
    if not isinstance(layers, list | tuple):
        raise InputError(f"layers must be a list of layers, found {layers!r:.60}")
    return [_from_config(layer) if isinstance(layer, dict) else layer for layer in layers]


def _from_config(config):
    options = dict(config)
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        hint = "(of one of your own, import the module that defines it)"
        known = ", ".join(KINDS)
        raise InputError(f"a layer's kind must be one of {known}, found {kind!r:.60} {hint}")
    try:
        return KINDS[kind](**options)
    except TypeError as error:
        raise InputError(f"{kind} cannot be built from {options}: {error}") from None
