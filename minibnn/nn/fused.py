"""Which neighbouring layers run as one pass, so that between them only whole numbers and bits move.

``fuse`` turns a list of layers into a list of steps: a step is a layer, or two layers whose
operations the backend has as one. Layers keep their parameters and configuration; each can still
be run by itself and gives the same bits.
"""

from itertools import pairwise

import numpy as np

from minibnn.nn.layers.activations import Sign
from minibnn.nn.layers.batch_norm import BatchNorm
from minibnn.nn.layers.layer import numbers
from minibnn.nn.layers.pooling import MaxPool2D
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense
from minibnn.nn.quantizers import SteSign
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed


def fuse(layers):
    """Steps that do what the layers do one after another."""
    steps, rest = [], list(layers)
    while rest:
        for pair in (ConvolveAndPool, NormaliseAndSign):
            if len(rest) > 1 and pair.fits(*rest[:2]):
                steps.append(pair(*rest[:2]))
                del rest[:2]
                break
        else:
            steps.append(rest.pop(0))
    for before, step in pairwise(steps):
        layer = before.first if isinstance(before, ConvolveAndPool) else before
        if isinstance(step, NormaliseAndSign) and isinstance(layer, BinaryConv2D | BinaryDense):
            step.rounds_for = layer if layer.kernel.scale is None else None
    return steps


class _Pair:
    """Two neighbours; when their inputs do not fit the common pass, they run one by one."""

    takes_fixed = True

    def __init__(self, first, second):
        self.first, self.second = first, second

    def parameters(self):
        return self.first.parameters() + self.second.parameters()

    def _forward_apart(self, x, training):
        self.together = False
        return self.second.forward(self.first.forward(x, training), training)

    def _backward_apart(self, dy, need_dx):
        return self.first.backward(self.second.backward(dy), need_dx)


class ConvolveAndPool(_Pair):
    """A binary convolution of signs and 2x2 max pooling: the sums before pooling are not kept."""

    @staticmethod
    def fits(first, second):
        return (
            type(first) is BinaryConv2D  # not of one's own, which may do something else
            and first.kernel.scale is None
            and type(second) is MaxPool2D
            and second.place == ((2, 2), (2, 2), "valid")
        )

    def forward(self, x, training=False):
        if not isinstance(x, Signs):
            return self._forward_apart(x, training)
        self.together = True
        self.x, conv = x, self.first
        y, self.where = ops.binary_conv2d_pool(
            x, conv.kernel.signs, conv.strides, conv.padding, conv.pad_value
        )
        return y

    def backward(self, dy, need_dx=True):
        if not self.together:
            return self._backward_apart(dy, need_dx)
        conv = self.first
        dy, place = conv.rounded(dy), (conv.strides, conv.padding, conv.pad_value)
        conv.kernel.grad = ops.binary_conv2d_pool_grad_kernel(
            self.x, dy, self.where, conv.kernel_size, *place, **conv.whole_sums
        )
        if not need_dx:
            return None
        return ops.binary_conv2d_pool_grad_input(
            dy, self.where, conv.kernel.signs_t, self.x.shape, conv.strides, conv.padding
        )


class NormaliseAndSign(_Pair):
    """Batch normalisation and its sign: only the signs and a bit for the estimator are kept."""

    rounds_for = None  # the binary layer before, for which dx is rounded to integers here already

    @staticmethod
    def fits(first, second):
        return (
            type(first) is BatchNorm and type(second) is Sign and type(second.quantizer) is SteSign
        )

    def forward(self, x, training=False):
        if not isinstance(x, Fixed) and (x := numbers(x)).dtype == np.float64:
            return self._forward_apart(x, training)
        self.together = True
        signs, self.gate = ops.batch_norm_sign(
            *self.first.normalisation(x, training), self.second.quantizer.clip_value
        )
        return signs

    def backward(self, dy, need_dx=True):
        if not self.together:
            return self._backward_apart(dy, need_dx)
        norm = self.first
        dy = norm.exact(dy)
        whole = isinstance(dy, Fixed) and self.rounds_for and self.rounds_for.across is norm.across
        bits = norm.gradient_bits if whole else None
        dx, norm.gamma.grad, norm.beta.grad = ops.batch_norm_sign_grad(
            dy, self.gate, norm.x, norm.mean, norm.variance, norm.epsilon, norm.gamma_value(),
            norm.across, bits,
        )  # fmt: skip
        if not norm.training:
            dx = norm.scaled(np.where(self.gate.unpack() > 0, dy, dy.dtype.type(0)))
        return dx if need_dx else None
