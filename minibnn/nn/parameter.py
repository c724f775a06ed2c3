"""What an optimizer trains: a binary kernel of ±1, or an array of floats."""

from contextlib import contextmanager

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.backend import ops


class Parameter:
    """A named array of a layer with its gradient.

    Parameters
    ----------
    name : str
        "layer/what", unique in a network.
    value : array
        Copied. As an attribute, a read-only view of the current value; int8 ±1 for a binary one,
        else float32. It follows every later change: copy it to keep it.
    binary : bool
    magnitude : callable, optional
        Makes a scale of latent weights; without one there is no scale.

    Attributes
    ----------
    grad : array or None
        dL/dvalue, overwritten by each backward pass.
    trainable : bool
        Whether optimizers change it; set it to False to freeze it. A network's copies and files
        keep it so.
    scale : None, or float32 (outputs,)
        Factors of a binary kernel's outputs (its last axis). They are not trained: an optimizer
        with latent weights sets them by ``rescale``; else they stay 1.
    version : int
        How often ``assign`` was called: an optimizer with latent weights signs them anew when it
        changed.
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

    @property
    def value(self):
        """Read-only view of the current value; int8 ±1 for a binary parameter, else float32."""
        view = self._array.view()
        view.flags.writeable = False
        return view

    @property
    def shape(self):
        """Shape of the value."""
        return self._array.shape

    @property
    def size(self):
        """Number of entries of the value."""
        return self._array.size

    def assign(self, array):
        """Replace the value.

        Parameters
        ----------
        array : array like the value

        Raises
        ------
        InputError
            If shape or entries do not fit; nothing changes then.
        """
        checked = self.check(array)
        with self.writable() as own:
            own[...] = checked
        self.version += 1

    def check(self, array):
        """An array as this parameter would hold it.

        Parameters
        ----------
        array : array like the value

        Returns
        -------
        int8 or float32 array
            A copy.

        Raises
        ------
        InputError
            If shape or entries do not fit.
        """
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
        """Set the scale, if there is one, to that of real weights.

        Parameters
        ----------
        latent : float array like the value
        """
        if self.scale is not None:
            self.scale[...] = self._magnitude(latent)

    @contextmanager
    def writable(self):
        """The array itself, for an optimizer's step; packed forms are made anew afterwards.

        Yields
        ------
        int8 or float32 array
        """
        try:
            yield self._array
        finally:
            self._packed.clear()

    @property
    def signs(self):
        """A binary kernel packed for the forward product, along its inputs (axis -2)."""
        return self._pack("signs", lambda kernel: kernel)

    @property
    def signs_t(self):
        """Inputs and outputs swapped, packed along the outputs: for the gradient of the input."""
        return self._pack("signs_t", lambda kernel: kernel.swapaxes(-1, -2))

    def _pack(self, which, view):
        if (packed := self._packed.get(which)) is None:
            packed = self._packed[which] = ops.pack_signs(view(self._array), -2)
        return packed

    def __repr__(self):
        kind = "binary" if self.binary else "real"
        return f"<Parameter {self.name} {self.shape} {kind}>"
