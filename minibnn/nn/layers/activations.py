"""Layers without a kernel that work on each number by itself: Sign, ReLU, Flatten."""

import math

from minibnn.nn.layers.layer import Layer, as_array
from minibnn.nn.quantizers import SteSign, SwishSign, get_quantizer, quantizer_config
from minibnn.ops.backend import ops
from minibnn.ops.bits import WORD, Signs


class Sign(Layer):
    """Signs of x, packed along the channels; sign(0) = +1.

    ``quantizer`` is the pseudo-gradient, one of ``minibnn.nn.quantizers`` or its name.
    """

    prefix = "sign"
    arguments = ("quantizer",)

    def __init__(self, quantizer="ste_sign"):
        self.quantizer = get_quantizer(quantizer)
        self.takes_fixed = isinstance(self.quantizer, SteSign)  # which multiplies by 0 or 1

    def config(self):
        return {"kind": self.kind, "quantizer": quantizer_config(self.quantizer)}

    def forward(self, x, training=False):
        self.x = x = as_array(x)
        return ops.sign(x)

    def backward(self, dy, need_dx=True):
        return self.quantizer.gradient(dy, self.x) if need_dx else None

    def gives_signs(self, given_signs):
        return True

    def same_everywhere(self, exact):
        return not isinstance(self.quantizer, SwishSign)  # exp and tanh of the C library


class ReLU(Layer):
    """max(x, 0)."""

    prefix = "relu"

    def forward(self, x, training=False):
        self.x = x = as_array(x)
        return ops.relu(x)

    def backward(self, dy, need_dx=True):
        return ops.relu_grad(dy, self.x) if need_dx else None


class Flatten(Layer):
    """(B, H, W, C) to (B, H W C), in that order; Signs stay Signs."""

    prefix = "flatten"
    takes_fixed = True

    def forward(self, x, training=False):
        self.shape = x.shape
        flat = (len(x), math.prod(x.shape[1:]))
        if not isinstance(x, Signs):
            return x.reshape(flat)
        if x.axis == x.ndim - 1 and (x.ndim == 2 or x.shape[-1] % WORD == 0):
            return Signs(x.words.reshape(len(x), -1), flat, 1)  # the words already stand in a row
        return ops.pack_signs(x.unpack().reshape(flat), 1)

    def backward(self, dy, need_dx=True):
        return dy.reshape(self.shape) if need_dx else None

    def output_shape(self, input_shape):
        return (math.prod(input_shape),)

    def gives_signs(self, given_signs):
        return given_signs
