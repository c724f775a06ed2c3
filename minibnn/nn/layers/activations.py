"""Layers without a kernel that work on each number by itself: Sign and ReLU."""

from minibnn.nn.layers.layer import Layer, as_array
from minibnn.nn.quantizers import SteSign, SwishSign, get_quantizer, quantizer_config
from minibnn.ops.backend import ops


class Sign(Layer):
    """Signs of x, packed along the channels; sign(0) = +1.

    ``quantizer`` is the pseudo-gradient, one of ``minibnn.nn.quantizers`` or its name.
    """

    prefix = "sign"

    def __init__(self, quantizer="ste_sign"):
        self.quantizer = get_quantizer(quantizer)
        self.takes_fixed = type(self.quantizer) is SteSign  # which multiplies by 0 or 1

    def config(self):
        return {"kind": self.kind, "quantizer": quantizer_config(self.quantizer)}

    def forward(self, x, training=False):
        self.x = x = as_array(x)
        return ops.pack_signs(x, -1)

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
