"""A network: layers with names, parameters, a state that can be saved, and a summary."""

import copy
from collections import Counter
from hashlib import sha256
from math import prod
from operator import index

import numpy as np

from minibnn.errors import InputError
from minibnn.files.memory import machine_memory
from minibnn.nn.chain import Chain, layers_from_config
from minibnn.nn.inputs import Predictor, check_names, check_pictures
from minibnn.nn.layers.layer import numbers
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense
from minibnn.nn.own import check_own
from minibnn.nn.summary import summarize
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import WIDTHS


class Sequential(Predictor):
    """Layers one after another on inputs of one shape.

    Parameters
    ----------
    layers : list of layers
        Each becomes this network's own and gets its name: "conv1", "batch_norm1", "conv2", ...
    input_shape : tuple of int
        Of one input: (height, width, channels), or (features,).
    seed : int
        Of the random start of the kernels.
    name : str
    gradients : "float32", or "int2" to "int10"
        How gradients travel through binary layers: in floats, as in the paper; or rounded at each
        to integers of so many bits (with one power of two for a layer), and summed exactly. Then
        no weight depends on the machine, its threads or the backend. May be set at any time.

    Attributes
    ----------
    classes : tuple of str, or None
        Names of the outputs, if they are not plain numbers; ``fit`` sets both.
    pictures : str
        What it was trained on, see ``minibnn.nn.inputs``.

    Raises
    ------
    InputError
        For layers that do not fit one another or belong to another network, naming them.

    Examples
    --------
    >>> from minibnn import nn
    >>> layers = [nn.Flatten(), nn.BinaryDense(3), nn.BatchNorm()]
    >>> net = nn.Sequential(layers, (2, 2, 1), seed=0)
    >>> net.forward(np.zeros((5, 2, 2, 1), np.uint8)).shape
    (5, 3)
    """

    classes, pictures = None, "bytes"

    def __init__(self, layers, input_shape, seed=0, name="sequential", gradients="float32"):
        try:
            self._settle(layers, input_shape, seed, name, gradients)
            self._build()
        except InputError:
            for layer in self._named:  # nobody's again: they may be put together differently
                layer.name = None
            raise

    def _settle(self, layers, input_shape, seed=0, name="sequential", gradients="float32"):
        """All but the arrays."""
        self._named = []
        self.chain = Chain(layers_from_config(layers))
        self.input_shape = _shape(input_shape)
        self.seed = _seed(seed)
        self.name = name
        counts = Counter()
        for layer in self.chain.walk():
            if layer.name is not None:
                raise InputError(f"{layer.name} already belongs to a network: make a new layer")
            counts[layer.prefix] += 1
            layer.name = f"{layer.prefix}{counts[layer.prefix]}"
            self._named.append(layer)
        self.gradients = gradients

    @property
    def gradients(self):
        """How gradients travel through binary layers: "float32", or "int2" to "int10"."""
        return self._gradients

    @gradients.setter
    def gradients(self, name):
        bits = _gradient_bits(name)
        if bits and not any(isinstance(layer, BinaryDense | BinaryConv2D) for layer in self._named):
            raise InputError(f"gradients {name}: {self.name} has no binary layer to use them")
        self._gradients = name
        for layer in self._named:
            layer.gradient_bits = bits

    def _build(self):
        """Make the arrays; InputError, and no array, if they are more than there is memory."""
        sizes = [np.dtype(d).itemsize * prod(s) for d, s in self.arrays().values()]
        if sum(sizes) + 2 * max(sizes, default=0) > machine_memory():  # kernels are drawn in parts
            most = min(sum(sizes), 10**24)  # an int may be too long for a float
            raise InputError(
                f"{self.name}: its arrays take {most / 1e9:,.1f} GB, and while they are made "
                f"more memory than the {machine_memory() / 1e9:,.1f} GB there are"
            )
        self.chain.build(self.input_shape, np.random.default_rng(self.seed))
        self.output_shape = self.chain.output_shape(self.input_shape)

    def _adopt(self, frozen=None, classes=None, pictures=None):
        """What a configuration tells beside layers."""
        self.classes = check_names(classes, self.output_shape)
        self.pictures = check_pictures(pictures or "bytes")
        own = {p.name: p for p in self.parameters()}
        for name in frozen or ():
            if name not in own:
                raise InputError(f"frozen must name parameters, found {name!r:.60}")
            own[name].trainable = False

    @property
    def layers(self):
        """The layers, in order."""
        return self.chain.layers

    def arrays(self):
        """Data type and shape of every array of ``state_dict``, by name.

        Returns
        -------
        dict of name to (dtype, shape)
            int8 is a binary one.
        """
        return self.chain.arrays(self.input_shape)

    def parameters(self):
        """All parameters, in layer order.

        Returns
        -------
        list of Parameter
        """
        return self.chain.parameters()

    def forward(self, x, training=False):
        """The last layer's output.

        Parameters
        ----------
        x : (B, *input_shape) uint8, float32, float64 or Signs
            Bytes b stand for (2b - 255) / 255.
        training : bool
            Normalise by the batch's own statistics, and move the moving ones.

        Returns
        -------
        (B, *output_shape) array
            The caller's to keep. In training with integer gradients float64, of which losses are
            the same bits on every machine.

        Raises
        ------
        InputError
            For another shape or type, and for NaN and infinity.
        """
        y = self.chain.forward(self.checked(x), training)
        if training and self.gradients != "float32" and not isinstance(y, Signs):
            return numbers(y).astype(np.float64)
        return y

    def backward(self, dy, need_dx=False):
        """Set ``grad`` of every parameter, for the last forward pass.

        Parameters
        ----------
        dy : (B, *output_shape) float
            dL/dy.
        need_dx : bool
            Whether the gradient of the input is wanted.

        Returns
        -------
        dx : (B, *input_shape) float, or None
        """
        for p in self.parameters():
            p.grad = None  # its memory, which the kernels take again, serves the new one
        dx = self.chain.backward(dy, need_dx)
        return dx if dx is None else numbers(dx)

    def penalty(self):
        """What regularised layers add to the loss; ``backward`` adds its gradient to theirs.

        Returns
        -------
        float
        """
        return sum(layer.penalty() for layer in self.chain.walk())

    def state_dict(self):
        """Copies of all arrays.

        Returns
        -------
        dict of name to array
            Binary kernels are int8 ±1.
        """
        arrays = {p.name: p.value.copy() for p in self.parameters()}
        for layer in self.chain.walk():
            arrays |= {f"{layer.name}/{key}": value for key, value in layer.state().items()}
        return arrays

    def digest(self):
        """12 hexadecimal digits for all arrays: two networks agree in every bit or differ in these.

        Returns
        -------
        str
            The beginning of the SHA-256 of the bytes of ``state_dict``, in its order.
        """
        arrays = self.state_dict().values()
        data = b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays)
        return sha256(data).hexdigest()[:12]

    def machine_dependent(self, inputs=np.uint8):
        """Layers whose last bits may differ between machines, whatever ``gradients`` is.

        Those that multiply real numbers, by BLAS, or take functions of the C library.

        Parameters
        ----------
        inputs : NumPy type
            Of the images: float ones are real numbers to a first binary layer.

        Returns
        -------
        list of str
        """
        return self.chain.machine_dependent(np.dtype(inputs) == np.uint8)

    def load_state_dict(self, arrays):
        """Put back what ``state_dict`` gave.

        Parameters
        ----------
        arrays : dict of name to array

        Raises
        ------
        InputError
            If it does not fit; nothing changes then.
        """
        mine = self.state_dict()
        for name in mine.keys() ^ arrays.keys():
            where = "is missing" if name in mine else "is not part of this network"
            raise InputError(f"array {name} {where}")
        parameters = self.parameters()
        states = [
            (layer, {key: arrays[f"{layer.name}/{key}"] for key in layer.state()})
            for layer in self.chain.walk()
        ]
        for p in parameters:
            p.check(arrays[p.name])
        for layer, state in states:
            layer.check_state(state)
        for p in parameters:
            p.assign(arrays[p.name])
        for layer, state in states:
            layer.load_state(state)

    def config(self):
        """Plain dict (JSON) to rebuild the network from, without its arrays.

        Returns
        -------
        dict
        """
        config = {
            "kind": "Sequential",
            "name": self.name,
            "input_shape": list(self.input_shape),
            "seed": self.seed,
            "layers": copy.deepcopy(self.chain.config()),
        }
        usual = {"gradients": "float32", "frozen": [], "classes": None, "pictures": "bytes"}
        about = {name: getattr(self, name) for name in ("gradients", "classes", "pictures")}
        about["frozen"] = [p.name for p in self.parameters() if not p.trainable]
        check_own(self)
        return config | {name: about[name] for name in usual if about[name] != usual[name]}

    @classmethod
    def from_config(cls, config, check=None):
        """A network with freshly drawn kernels from the dict of ``config()``.

        Parameters
        ----------
        config : dict
        check : callable (arrays), optional
            Called with the dict of ``arrays()`` before one of them is made: it may raise an
            InputError where the file that is to fill them holds others.

        Returns
        -------
        Sequential

        Raises
        ------
        InputError
            For anything else.
        """
        options = dict(config) if isinstance(config, dict) else {}
        if options.pop("kind", None) != "Sequential" or "layers" not in options:
            raise InputError("a network's configuration must be a dict of kind Sequential")
        network = cls.__new__(cls)
        about = {key: options.pop(key, None) for key in ("frozen", "classes", "pictures")}
        try:
            network._settle(**options)
            if check is not None:
                check(network.arrays())
            network._build()
            network._adopt(**about)
        except InputError:
            raise
        except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
            raise InputError(
                f"a network cannot be built from this configuration: {error}"
            ) from None
        return network

    def copy(self):
        """An independent network with the same arrays.

        Returns
        -------
        Sequential
        """
        twin = Sequential.from_config(self.config())
        twin.load_state_dict(self.state_dict())
        return twin

    def save(self, path):
        """Write configuration and arrays into one file; ``minibnn.load`` reads it.

        Parameters
        ----------
        path : path

        Raises
        ------
        InputError
            If it cannot be written; nothing half-written remains.
        """
        from minibnn.nn.saving import save_network

        save_network(self, path)

    def summary(self):
        """Table of the layers; ``print`` it.

        Returns
        -------
        Summary
        """
        return summarize(self)

    def __repr__(self):
        return f"<Sequential {self.name} {self.input_shape} -> {self.output_shape}>"


def _gradient_bits(name):
    """The width behind a name of ``gradients``, None of float32; or InputError."""
    names = {"float32": None} | {f"int{bits}": bits for bits in WIDTHS}
    if not isinstance(name, str) or name not in names:
        raise InputError(
            f"gradients must be float32 or int{WIDTHS[0]} to int{WIDTHS[-1]}, found {name!r:.60}"
        )
    return names[name]


def _seed(value):
    try:
        if index(value) >= 0:
            return index(value)
    except TypeError:
        pass
    raise InputError(f"seed must be a whole number from 0 on, found {value!r}")


def _shape(values):
    try:
        shape = tuple(index(v) for v in values)
    except TypeError:
        shape = ()
    if not shape or min(shape) < 1:
        raise InputError(f"input_shape must be positive whole numbers, found {values!r}")
    return shape
