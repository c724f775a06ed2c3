"""What an optimizer trains: a binary kernel of ±1, or an array of floats."""

from operator import attrgetter

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.backend import ops


class Parameter:
    """A named array of a layer with its gradient.

    ``name`` is "layer/what", unique in a network; ``value`` is copied, as int8 ±1 if ``binary``,
    else as float32. ``magnitude``, a function of latent weights, gives a binary kernel a scale.

    ``grad`` is dL/dvalue, overwritten by each backward pass, or None. ``trainable`` says whether
    optimizers change it. ``scale`` (outputs,) float32, or None, are factors of a binary kernel's
    outputs: an optimizer with latent weights sets them by ``rescale``; else they stay 1.
    ``version`` counts the calls of ``assign``: where it changed, an optimizer signs its latent
    weights anew.
    """

    def __init__(self, name, value, binary=False, magnitude=None):
        self.name = name
        self.binary = binary
        self._magnitude = magnitude
        self.grad = None
        self.trainable = True
        self.version = 0
        self._array = np.array(value, np.int8 if binary else np.float32, order="C")
        self._packed = {}
        self.scale = None if magnitude is None else np.ones(self.shape[-1], np.float32)

    shape = property(attrgetter("_array.shape"), doc="Shape of the value.")
    size = property(attrgetter("_array.size"), doc="Number of entries of the value.")

    @property
    def value(self):
        """Read-only view of the array, int8 ±1 or float32; it follows every later change."""
        view = self._array.view()
        view.flags.writeable = False
        return view

    def assign(self, array):
        """Replace the value by an ``array`` like it; InputError, and no change, if it is none."""
        checked = self.check(array)
        self.writable()[...] = checked
        self.version += 1

    def check(self, array):
        """A copy of ``array`` as this parameter would hold it; InputError if it does not fit."""
        array = np.asarray(array)
        if array.shape != self.shape:
            raise InputError(f"{self.name} must have shape {self.shape}, found {array.shape}")
        if not (np.issubdtype(array.dtype, np.number) and np.isrealobj(array)):
            raise InputError(f"{self.name} must be real numbers, found {array.dtype}")
        if self.binary and not np.all((array == 1) | (array == -1)):
            odd = array[(array != 1) & (array != -1)][0]
            raise InputError(f"{self.name} is binary: every entry must be +1 or -1, found {odd}")
        return array.astype(self._array.dtype)

    def rescale(self, latent):
        """Set the scale, if there is one, to that of ``latent`` weights like the value."""
        if self.scale is not None:
            self.scale[...] = self._magnitude(latent)

    def writable(self):
        """The array itself, to be written to at once; packed forms are made anew afterwards."""
        self._packed.clear()
        return self._array

    @property
    def signs(self):
        """A binary kernel packed for the forward product, along its inputs (axis -2)."""
        return self._pack("signs", self._array)

    @property
    def signs_t(self):
        """Inputs and outputs swapped, packed along the outputs: for the gradient of the input."""
        return self._pack("signs_t", self._array.swapaxes(-1, -2))

    def _pack(self, name, array):
        if name not in self._packed:
            self._packed[name] = ops.pack_signs(array, -2)
        return self._packed[name]

    def __repr__(self):
        kind = "binary" if self.binary else "real"
        return f"<Parameter {self.name} {self.shape} {kind}>"
