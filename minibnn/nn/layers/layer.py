"""What all layers share: their names, configuration and the kinds of array they are handed."""

from operator import index

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.rounding import BYTE_SCALE

KINDS = {}  # every layer by its kind, as configurations tell it


def ours(it):
    """Whether a class or function is minibnn's, not one's own."""
    return getattr(it, "__module__", "").partition(".")[0] == "minibnn"


class Layer:
    """One step of a network.

    The backward pass belongs to the last forward one, and overwrites ``grad`` of the layer's
    parameters. A layer hands on Signs, whole numbers or floats; a first layer also gets bytes.
    With integer gradients Fixed goes both ways: sums of bytes forward, gradients backward.
    Shapes are without the batch.
    """

    prefix = "layer"  # of the name a network gives: prefix1, prefix2, ...
    arguments = ()  # of __init__, each kept under its own name
    name = None  # until a network owns the layer
    gradient_bits = None  # of integer gradients, see Sequential.gradients
    takes_fixed = False  # whether ``backward`` takes Fixed, too; others get floats
    across = None  # where inputs are a piece of a batch: see ops.reference.batch_statistics

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        cls.kind = cls.__name__
        if ours(cls) or cls.kind not in KINDS or not ours(KINDS[cls.kind]):
            KINDS[cls.kind] = cls

    def forward(self, x, training=False):
        """The output; keeps what the backward pass needs.

        In evaluation several threads may be in it at once, so it reads nothing that it keeps.

        Parameters
        ----------
        x : Signs, whole numbers or floats; bytes too for a first layer
            With the batch as its first axis.
        training : bool
            Whether to use and move statistics of the batch.

        Returns
        -------
        Signs or array
            The caller's to keep.
        """
        raise NotImplementedError

    def backward(self, dy, need_dx=True):
        """The gradient of the input; sets those of the parameters.

        Parameters
        ----------
        dy : float array
            dL/dy of the last forward pass.
        need_dx : bool
            Whether the gradient of the input is wanted.

        Returns
        -------
        dx : float array, or None if it is not wanted
        """
        raise NotImplementedError

    def build(self, input_shape, rng):
        """Create the parameters.

        Parameters
        ----------
        input_shape : tuple of int
        rng : numpy.random.Generator
            Of the random start.

        Raises
        ------
        InputError
            For inputs the layer cannot take.
        """

    def arrays(self, input_shape):
        """What ``build`` would make.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        dict of name to (dtype, shape)
            Of parameters and state.
        """
        return {}

    def output_shape(self, input_shape):
        """Shape of the output.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        tuple of int
        """
        return input_shape

    def parameters(self):
        """What an optimizer trains, in a fixed order.

        Returns
        -------
        list of Parameter
        """
        return []

    def state(self):
        """Copies of the arrays that belong to the layer but are not trained.

        Returns
        -------
        dict of name to array
        """
        return {}

    def check_state(self, arrays):
        """Raise unless these are what ``load_state`` can put back.

        Parameters
        ----------
        arrays : dict of name to array

        Raises
        ------
        InputError
            Naming the array that does not fit.
        """
        for key, own in self.state().items():
            array = np.asarray(arrays[key])
            if array.shape != own.shape:
                found = array.shape
                raise InputError(f"{self.name}/{key} must have shape {own.shape}, found {found}")
            if array.dtype.kind not in "fiu":
                raise InputError(f"{self.name}/{key} must be real numbers, found {array.dtype}")

    def load_state(self, arrays):
        """Put back what ``state`` gave.

        Parameters
        ----------
        arrays : dict of name to array
        """

    def penalty(self):
        """What the layer adds to the loss by itself, whatever its input.

        Returns
        -------
        float
        """
        return 0.0

    def config(self):
        """Plain dict (JSON) to rebuild the layer from, without its arrays.

        Returns
        -------
        dict
        """
        return {"kind": self.kind} | {key: getattr(self, key) for key in self.arguments}

    def inner_chains(self):
        """Chains of layers inside this one.

        Returns
        -------
        tuple of Chain
        """
        return ()

    def gives_signs(self, given_signs):
        """Whether the output is Signs.

        Parameters
        ----------
        given_signs : bool
            Whether the input is.

        Returns
        -------
        bool
        """
        return False

    def same_everywhere(self, exact):
        """Whether its floats are the same bits on every machine, with integer gradients.

        Parameters
        ----------
        exact : bool
            Whether its input is signs or bytes.

        Returns
        -------
        bool
        """
        return True

    def macs(self, input_shape):
        """Multiply-adds of one sample.

        Parameters
        ----------
        input_shape : tuple of int

        Returns
        -------
        int
        """
        return 0

    def __repr__(self):
        options = ", ".join(f"{key}={getattr(self, key)!r}" for key in self.arguments)
        return f"{type(self).__name__}({options})"


def numbers(x):
    """Signs as ±1, bytes as (2b - 255) / 255 and Fixed, all float32; other arrays as they are."""
    if isinstance(x, Signs):
        return x.unpack(np.float32)
    if isinstance(x, Fixed):
        return x.floats()
    if x.dtype == np.uint8:
        return (2 * x.astype(np.float32) - 255) * BYTE_SCALE
    return x


def floats(x):
    """Like ``numbers``, and whole numbers as float32."""
    x = numbers(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float32)


def operand(x):
    """x as a product takes it: Signs, bytes and floats as they are, whole numbers as float32."""
    is_bytes = isinstance(x, np.ndarray) and x.dtype == np.uint8
    return x if isinstance(x, Signs) or is_bytes else floats(x)


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
