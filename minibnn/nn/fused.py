"""Which neighbouring layers run as one pass, so that between them only integers and bits move.

``fuse`` turns a list of layers into a list of steps: a step is a layer, or two layers whose
operations the backend has as one. Layers keep their parameters and configuration; each can still
be run by itself and gives the same bits.
"""

from itertools import pairwise

import numpy as np

from minibnn.nn.layers.activations import Sign
from minibnn.nn.layers.batch_norm import BatchNorm
from minibnn.nn.layers.pooling import MaxPool2D
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense
from minibnn.nn.quantizers import SteSign
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs


def fuse(layers):
    """Steps that do what the layers do one after another."""
    steps, rest = [], list(layers)
    while rest:
        pairs = (pair for pair in (ConvolveAndPool, NormaliseAndSign) if pair.fits(*rest[:2]))
        pair = next(pairs, None) if len(rest) > 1 else None
        step = pair(*rest[:2]) if pair else rest[0]
        del rest[: 2 if pair else 1]
        steps.append(step)
    for before, step in pairwise(steps):
        layer = before.first if isinstance(before, ConvolveAndPool) else before
        norm = step.first if isinstance(step, NormaliseAndSign) else step
        if type(norm) is BatchNorm and isinstance(layer, BinaryConv2D | BinaryDense):
            norm.rounds_for = layer if layer.kernel.scale is None else None
    return steps


class _Pair:
    """Two neighbours; where their inputs do not fit the common pass, they run one by one."""

    takes_fixed = True
    kept = None  # of the common pass, for the way back; None if there was none

    def __init__(self, first, second):
        self.first, self.second = first, second

    def parameters(self):
        return self.first.parameters() + self.second.parameters()


class ConvolveAndPool(_Pair):
    """A binary convolution of signs and 2x2 max pooling: the sums before pooling are not kept."""

    @staticmethod
    def fits(first, second):
        return (
            type(first) is BinaryConv2D  # not of one's own, which may do something else
            and first.kernel.scale is None
            and type(second) is MaxPool2D
            and second.geometry == ((2, 2), (2, 2), "valid")
        )

    def forward(self, x, training=False):
        if not isinstance(x, Signs):
            self.kept = None
            return self.second.forward(self.first.forward(x, training), training)
        conv, self.first.x = self.first, x
        y, self.kept = ops.binary_conv2d_pool(x, conv.kernel.signs, *conv.geometry)
        return y

    def backward(self, dy, need_dx=True):
        dy = dy if self.kept is not None else self.second.backward(dy)
        return self.first.backward(dy, need_dx, self.kept)


class NormaliseAndSign(_Pair):
    """Batch normalisation and its sign: only the signs and a bit for the estimator are kept."""

    @staticmethod
    def fits(first, second):
        return (
            type(first) is BatchNorm and type(second) is Sign and type(second.quantizer) is SteSign
        )

    def forward(self, x, training=False):
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            self.kept = None
            return self.second.forward(self.first.forward(x, training), training)
        normalisation = self.first.normalisation(x, training)
        signs, self.kept = ops.batch_norm_sign(*normalisation, self.second.quantizer.clip_value)
        return signs

    def backward(self, dy, need_dx=True):
        if self.kept is None:
            return self.first.backward(self.second.backward(dy), need_dx)
        return self.first.backward(dy, need_dx, self.kept)
