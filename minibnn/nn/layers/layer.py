"""What layers share: the base class, windows, parameters, and arrays of every kind as floats."""

from inspect import signature
from math import prod
from operator import attrgetter

import numpy as np

from minibnn.errors import InputError, check_shape, one_of, ours
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.rounding import BYTE_SCALE
from minibnn.ops.shapes import PADDINGS, pair, windows

KINDS = {}  # every layer by its kind, as configurations name it
MOST_NUMBERS = 1 << 26  # of one sample between two layers; more is a damaged file


class Layer:
    """One step of a network, with hand-written ``forward`` and ``backward``.

    A layer takes and gives Signs, integers or floats; a first layer also takes bytes. With integer
    gradients Fixed goes both ways: sums of bytes forward, gradients backward. In place of all these
    a layer of one's own gets floats, unless it ``takes_fixed`` as heirs of some here do. Shapes are
    without the batch. The defaults are a layer's without parameters that keeps its input's shape.
    """

    prefix = "layer"  # of the name a network gives: prefix1, prefix2, ...
    arguments = ()  # of __init__, each kept under its own name; of minibnn's layers, read from it
    kept = ()  # names of arrays, attributes, that belong to the layer but are not trained
    name = None  # until a network owns the layer
    gradient_bits = None  # of integer gradients, see Sequential.gradients
    takes_fixed = False  # whether it takes Fixed, both ways
    across = None  # where inputs are a piece of a batch: see ops.reference.batch_statistics

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls.kind = cls.__name__
        if ours(cls) and "__init__" in vars(cls) and "arguments" not in vars(cls):
            cls.arguments = tuple(signature(cls).parameters)
        if cls.kind[0] != "_" if ours(cls) else not ours(KINDS.get(cls.kind)):
            KINDS[cls.kind] = cls

    def forward(self, x, training=False):
        """The output for a batch x, the caller's to keep; keeps what the backward pass needs.

        Without ``training`` several threads may be here: a layer must not read what it keeps.
        """
        raise NotImplementedError

    def backward(self, dy, need_dx=True):
        """dL/dx from dy = dL/dy, None without ``need_dx``; overwrites ``grad`` of parameters."""
        raise NotImplementedError

    def build(self, input_shape, rng):
        """Create the parameters, drawn by ``rng``; InputError if ``input_shape`` does not fit."""

    def arrays(self, input_shape):
        """What ``build`` would make of an ``input_shape``: dict of name to (dtype, shape)."""
        return {}

    def output_shape(self, input_shape):
        """The shape that an ``input_shape`` becomes."""
        return input_shape

    def parameters(self):
        """What an optimizer trains: a list of Parameter, in a fixed order."""
        return [p for chain in self.inner_chains() for p in chain.parameters()]

    def state(self):
        """Copies of the arrays that are ``kept``, by name."""
        return {key: getattr(self, key).copy() for key in self.kept}

    def held(self):
        """All its arrays by name: the values of its parameters, and copies of what is ``kept``."""
        return {p.name.rpartition("/")[2]: p.value for p in self.parameters()} | self.state()

    def check_state(self, arrays):
        """InputError, naming the array, unless ``load_state`` could put ``arrays`` back."""
        for key, own in self.state().items():
            array = np.asarray(arrays[key])
            check_shape(array.shape, own.shape, f"{self.name}/{key}")
            if array.dtype.kind not in "fiu":
                raise InputError(f"{self.name}/{key} must be real numbers, found {array.dtype}")

    def load_state(self, arrays):
        """Put back the ``arrays`` that ``state`` gave."""
        for key in self.kept:
            getattr(self, key)[...] = arrays[key]

    def penalty(self):
        """What the layer adds to the loss by itself, whatever its input; a float."""
        return 0.0

    def config(self):
        """A plain dict (JSON) to rebuild the layer from, without its arrays."""
        return {"kind": self.kind} | {key: getattr(self, key) for key in self.arguments}

    def inner_chains(self):
        """Tuple of the chains of layers inside this one."""
        return ()

    def gives_signs(self, given_signs):
        """Whether the output is Signs; ``given_signs`` says whether the input is."""
        return False

    def same_everywhere(self, exact):
        """Whether, of signs or bytes if ``exact``, its floats are the same bits everywhere."""
        return True

    def macs(self, input_shape):
        """Multiply-adds of one sample of ``input_shape``."""
        return 0

    def __repr__(self):
        options = ", ".join(f"{key}={getattr(self, key)!r}" for key in self.arguments)
        return f"{type(self).__name__}({options})"


class _Windowed(Layer):
    """What convolutions and pools share: windows on images; arguments are named as in Keras."""

    def __init__(self, window, name, strides, padding):
        self.window = pair(window, name)
        self.strides = pair(strides, "strides")
        self.padding = one_of(padding, "padding", PADDINGS)

    def windows_on(self, input_shape):
        """The Windows on images of ``input_shape``."""
        expect_axes(self, input_shape, 3)
        try:
            found = windows(tuple(input_shape[:2]), self.window, self.strides, self.padding)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from None
        if max(prod(found.padded), *self.strides) > MOST_NUMBERS:
            raise InputError(f"{self.name}: windows of {self.window} by {self.strides} too large")
        return found

    def output_shape(self, input_shape):
        return (*self.windows_on(input_shape).output, input_shape[2])


class Parameter:
    """A named array of a layer with its gradient.

    ``name`` is "layer/what", unique in a network; ``value`` is copied, as int8 if ``binary``, when
    others than ±1 are an InputError, else as float32. ``magnitude``, a function of latent weights,
    gives a binary kernel a scale.

    ``grad`` is dL/dvalue, overwritten by each backward pass, or None. ``trainable`` says whether
    optimizers change it. ``scale`` (outputs,) float32, or None, are factors of a binary kernel's
    outputs: an optimizer with latent weights sets them by ``rescale``; else they stay 1.
    ``version`` is another object after each ``assign``: where it changed, an optimizer signs its
    latent weights anew.
    """

    def __init__(self, name, value, binary=False, magnitude=None):
        self.name = name
        self.binary = binary
        self._magnitude = magnitude
        self.grad = None
        self.trainable = True
        self._array = np.empty(np.shape(value), np.int8 if binary else np.float32)
        self.assign(value)
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
        self.writable()[...] = self.check(array)
        self.version = object()

    def check(self, array):
        """A copy of ``array`` as this parameter would hold it; InputError if it does not fit."""
        array = np.asarray(array)
        check_shape(array.shape, self.shape, self.name)
        if array.dtype.kind not in "fiu":
            raise InputError(f"{self.name} must be real numbers, found {array.dtype}")
        if self.binary and (odd := array[np.abs(array) != 1]).size:
            raise InputError(f"{self.name} is binary: every entry must be +1 or -1, found {odd[0]}")
        return array.astype(self._array.dtype)

    def rescale(self, latent):
        """Set the scale, if there is one, to that of ``latent`` weights like the value."""
        if self.scale is not None:
            self.scale[...] = self._magnitude(latent)

    def writable(self):
        """The array itself, to be written to at once; packed forms are made anew afterwards."""
        self._signs = self._signs_t = None
        return self._array

    @property
    def signs(self):
        """A binary kernel packed for the forward product, along its inputs (axis -2)."""
        if self._signs is None:  # cached_property has a lock in Python 3.11: a fork would keep it
            self._signs = ops.pack_signs(self._array, -min(2, len(self.shape)))
        return self._signs

    @property
    def signs_t(self):
        """Inputs and outputs swapped, packed along the outputs: for the gradient of the input."""
        if self._signs_t is None:
            self._signs_t = ops.pack_signs(self._array.swapaxes(-1, -2), -2)
        return self._signs_t

    def __repr__(self):
        kind = "binary" if self.binary else "real"
        return f"<Parameter {self.name} {self.shape} {kind}>"


def as_array(x):
    """Signs as ±1, bytes as (2b - 255) / 255 and Fixed, all float32; other arrays as they are."""
    if isinstance(x, Signs):
        return x.unpack(np.float32)
    if isinstance(x, Fixed):
        return x.floats()
    if getattr(x, "dtype", None) == np.uint8:
        return (2 * x.astype(np.float32) - 255) * BYTE_SCALE
    return x


def as_floats(x):
    """Like ``as_array``, and integers as float32."""
    return floats(as_array(x))


def floats(x):
    """An array as it is if it is of float32 or float64, else as float32."""
    x = np.asarray(x)
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)


def operand(x, signs=True):
    """x as a product takes it: bytes, floats and, if they will do, Signs; others as float32."""
    if isinstance(x, Signs):
        return x if signs else as_floats(x)
    return x if isinstance(x, np.ndarray) and x.dtype == np.uint8 else as_floats(x)


def expect_axes(layer, input_shape, axes):
    """InputError unless the inputs have this many axes, without the batch."""
    if len(input_shape) != axes:
        wanted = "vectors (put Flatten before)" if axes == 1 else "images (height, width, channels)"
        name = type(layer).__name__
        raise InputError(f"{name} takes {wanted}, found inputs of shape {input_shape}")
