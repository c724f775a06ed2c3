"""Which neighbouring layers run as one pass, so that between them only integers and bits move.

``fuse`` turns a list of layers into a list of steps: a step is a layer, or some layers whose
operations the backend has as one. Alone they give the same bits, or round float gradients later.
"""

from itertools import pairwise

import numpy as np

from minibnn.nn.layers.activations import Sign
from minibnn.nn.layers.batch_norm import BatchNorm
from minibnn.nn.layers.pooling import MaxPool2D
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense
from minibnn.nn.layers.threshold import Threshold
from minibnn.nn.quantizers import SteSign
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs

BINARY = BinaryConv2D, BinaryDense


def fuse(layers):
    """Steps that do what the layers do one after another."""
    steps, rest = [], list(layers)
    while rest:
        counts = {kind: kind.fits(*rest[:3]) for kind in _FUSED if len(rest) > 1}
        kind = max(counts, key=counts.get, default=None)
        if kind is None or not counts[kind]:
            steps.append(rest.pop(0))
            continue
        steps.append(kind(*rest[: counts[kind]]))
        del rest[: counts[kind]]
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

    def backward(self, dy, need_dx=True):
        dy = dy if self.kept is not None else self.last.backward(dy)
        return self.first.backward(dy, need_dx, self.kept)


class NormaliseAndSign(_Fused):
    """Batch normalisation and its sign: only the signs and a bit for the estimator are kept."""

    @staticmethod
    def fits(first, second, *_):
        sign = type(second) is Sign and type(second.quantizer) is SteSign
        return 2 if type(first) is BatchNorm and sign else 0

    def forward(self, x, training=False):
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            return self.one_by_one(x, training)
        normalisation = self.first.normalisation(x, training)
        signs, self.kept = ops.batch_norm_sign(*normalisation, self.last.quantizer.clip_value)
        return signs

    def backward(self, dy, need_dx=True):
        if self.kept is None:
            return self.first.backward(self.last.backward(dy), need_dx)
        return self.first.backward(dy, need_dx, self.kept)


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
