"""What all layers share: their names, configuration and the kinds of array they are handed."""

from operator import index

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.bits import Signs
from minibnn.ops.rounding import BYTE_SCALE


class Layer:
    """One step of a network.

    ``forward(x, training)`` keeps what ``backward(dy, need_dx)`` needs; the backward pass belongs
    to the last forward one, overwrites ``grad`` of the layer's parameters and returns dx, or None
    if ``need_dx`` is false. Shapes are without the batch.

    A layer hands on Signs, whole numbers or floats; a first layer also gets bytes.
    """

    prefix = "layer"  # of the name a network gives: prefix1, prefix2, ...
    arguments = ()  # of __init__, each kept under its own name
    name = None  # until a network owns the layer

    def build(self, input_shape, rng):
        """Create the parameters for inputs of this shape, with draws from ``rng``."""

    def output_shape(self, input_shape):
        return input_shape

    def parameters(self):
        """What an optimizer trains, in a fixed order."""
        return []

    def state(self):
        """Copies of the arrays that belong to the layer but are not trained."""
        return {}

    def load_state(self, arrays):
        """Put back what ``state`` gave."""

    def penalty(self):
        """What the layer adds to the loss by itself, whatever its input."""
        return 0.0

    def config(self):
        """Plain dict (JSON) to rebuild the layer from, without its arrays."""
        return {"kind": type(self).__name__} | {key: getattr(self, key) for key in self.arguments}

    def inner_chains(self):
        """Chains of layers inside this one."""
        return ()

    def gives_signs(self, given_signs):
        """Whether the output is Signs, if the input is (or is not)."""
        return False

    def macs(self, input_shape):
        """Multiply-adds of one sample."""
        return 0

    def __repr__(self):
        options = ", ".join(f"{key}={getattr(self, key)!r}" for key in self.arguments)
        return f"{type(self).__name__}({options})"


def numbers(x):
    """Signs as ±1 and bytes as (2b - 255) / 255, both float32; other arrays as they are."""
    if isinstance(x, Signs):
        return x.unpack(np.float32)
    if x.dtype == np.uint8:
        return (2 * x.astype(np.float32) - 255) * BYTE_SCALE
    return x


def floats(x):
    """Like ``numbers``, and whole numbers as float32."""
    x = numbers(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float32)


def operand(x):
    """x as a product takes it: Signs, bytes and floats as they are, whole numbers as float32."""
    return x if isinstance(x, Signs) or x.dtype == np.uint8 else floats(x)


def positive(value, name):
    """A positive whole number, or InputError."""
    try:
        if index(value) >= 1:
            return index(value)
    except TypeError:
        pass
    raise InputError(f"{name} must be a positive whole number, found {value!r}")


def expect_axes(layer, input_shape, axes):
    """InputError unless the inputs have this many axes, without the batch."""
    if len(input_shape) != axes:
        wanted = (
            "vectors (put Flatten before)" if axes == 1 else "pictures (height, width, channels)"
        )
        raise InputError(
            f"{type(layer).__name__} takes {wanted}, found inputs of shape {input_shape}"
        )
