"""A network: layers with names, parameters, a state that can be saved, and checked inputs.

A network tells by ``image_form`` what it was trained on, and so what becomes of an image file:

============  =====================================================================
bytes         uint8, or floats in [-1, 1]: byte b is (2 b - 255) / 255
unit          floats in [0, 1]: byte b is b / 255
image-folder  the image's middle by ImageNet's mean and deviation
arrays        other floats, which no image file can tell
============  =====================================================================
"""

import copy
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import sha256
from math import isfinite, prod
from operator import attrgetter

import numpy as np

from minibnn.errors import InputError, check_shape, integer, one_of
from minibnn.files import checkpoint
from minibnn.files.archive import machine_memory
from minibnn.files.atomic import save
from minibnn.nn.chain import BINARY, Chain
from minibnn.nn.layers.layer import as_array, floats
from minibnn.nn.own import check_own
from minibnn.nn.summary import summarize
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import WIDTHS, Fixed
from minibnn.ops.threads import apply_threads

IMAGE_FORMS = ("bytes", "unit", "image-folder", "arrays")
# What a configuration tells of a network beside its layers, and what it is where it tells nothing.
_USUAL = dict(gradients="float32", frozen=[], classes=None, image_form="bytes", dataset=None)


class Sequential:
    """Layers one after another on inputs of one shape.

    Each of the ``layers`` gets a name: "conv1", "batch_norm1", "conv2", ... ``input_shape`` is that
    of one input, (height, width, channels) or (features,). ``seed`` is of the random start of the
    kernels. InputError names layers that do not fit one another or belong to another network.

    ``gradients`` says how they travel through binary layers: "float32", as in the paper; or "int2"
    to "int10", rounded at each layer to integers of so many bits with one power of two, and summed
    exactly. Then no weight depends on the machine, its threads or the backend. "int8-centred" and
    so on take back the mean that rounding leaves in a channel before batch normalisation. It may be
    set between steps. ``fit`` sets ``classes``, names of the outputs or None, and ``image_form``,
    what the network was trained on, see ``minibnn.nn.network``. ``dataset`` may name data.
    ``frozen`` names parameters that are not trained. ``check`` is called with the dict of
    ``arrays()`` before one of them is made: it may raise an InputError where a file that is to fill
    them holds others.

    >>> from minibnn import nn
    >>> layers = [nn.Flatten(), nn.BinaryDense(3), nn.BatchNorm()]
    >>> net = nn.Sequential(layers, (2, 2, 1), seed=0)
    >>> net.forward(np.zeros((5, 2, 2, 1), np.uint8)).shape
    (5, 3)
    """

    def __init__(
        self, layers, input_shape, seed=0, name="sequential", gradients="float32",
        classes=None, image_form="bytes", dataset=None, frozen=(), check=None,
    ):  # fmt: skip
        self.chain = Chain(layers)
        self.input_shape = _shape(input_shape)
        self.seed, self.name, self._named = integer(seed, "seed"), str(name), []
        self._given = 0  # how many inputs the last forward pass had
        try:
            self._take(self.chain.walk())
            self.gradients = gradients
            if check is not None:
                check(self.arrays())
            self._build()
            self.classes = check_names(classes, self.output_shape)
            self.image_form = one_of(image_form, "image_form", IMAGE_FORMS)
            if dataset is not None and not isinstance(dataset, str):
                raise InputError(f"dataset must be a name, found {dataset!r:.60}")
            self.dataset = dataset
            own = {p.name: p for p in self._parameters}
            if isinstance(frozen, str) or not isinstance(frozen, Collection):
                raise InputError(f"frozen must be a list of parameter names, found {frozen!r:.60}")
            for parameter in frozen:
                own[one_of(parameter, "frozen", own)].trainable = False
        except Exception:  # one of an own layer's too
            for layer in self._named:  # nobody's again: they may be put together differently
                layer.name = None
            raise

    def _take(self, layers):
        counts = Counter()
        for layer in layers:
            if layer.name is not None:
                raise InputError(f"{layer.name} already belongs to a network: make a new layer")
            counts[layer.prefix] += 1
            layer.name = f"{layer.prefix}{counts[layer.prefix]}"
            self._named.append(layer)

    @property
    def gradients(self):
        """How gradients travel through binary layers, see ``Sequential``."""
        return self._gradients

    @gradients.setter
    def gradients(self, name):
        kinds = {"float32": (None, False)}
        for bits in WIDTHS:
            kinds |= {f"int{bits}": (bits, False), f"int{bits}-centred": (bits, True)}
        if not isinstance(name, str) or name not in kinds:
            words = "float32 or int{0} to int{1} (or int{0}-centred to int{1}-centred)"
            words = words.format(WIDTHS[0], WIDTHS[-1])
            raise InputError(f"gradients must be {words}, found {name!r:.60}")
        bits, centred = kinds[name]
        if bits and not any(isinstance(layer, BINARY) for layer in self._named):
            raise InputError(f"gradients {name}: {self.name} has no binary layer to use them")
        self._gradients = name
        for layer in self._named:
            layer.gradient_bits, layer.centred = bits, centred

    def _build(self):
        """Make the arrays; InputError, and no array, if they are more than there is memory."""
        sizes = [np.dtype(d).itemsize * prod(s) for d, s in self.arrays().values()]
        if sum(sizes) + 2 * max(sizes, default=0) > machine_memory():  # kernels are drawn in parts
            most, there = min(sum(sizes), 10**24) / 1e9, machine_memory() / 1e9
            words = f"and while they are made more memory than the {there:,.1f} GB there are"
            raise InputError(f"{self.name}: its arrays take {most:,.1f} GB, {words}")
        self.output_shape = self.chain.build(self.input_shape, np.random.default_rng(self.seed))
        self._parameters = self.chain.parameters()

    layers = property(attrgetter("chain.layers"), doc="The layers, in order.")

    def arrays(self):
        """Data type and shape of every array of ``state_dict``, by name; int8 is a binary one."""
        return self.chain.arrays(self.input_shape)

    def parameters(self):
        """List of every Parameter, in layer order."""
        return list(self._parameters)

    def forward(self, x, training=False):
        """The last layer's output (B, *output_shape), the caller's to keep.

        x (B, *input_shape) is uint8, float32, float64 or Signs; bytes b mean (2b - 255) / 255.
        InputError for anything else, and for NaN and infinity. ``training`` normalises by the
        batch's own statistics, and moves the moving ones. With integer gradients the output then
        is float64, of which losses are the same bits on every machine.
        """
        x = checked(x, self.input_shape, self.image_form)
        self._given, y = len(x), self._run(x, training)
        if training and self._gradients != "float32" and not isinstance(y, Signs):
            return as_array(y).astype(np.float64)
        return as_array(y) if isinstance(y, Fixed) else y

    def _run(self, x, training):  # packed networks have another way for bytes
        return self.chain.forward(x, training)

    def predict(self, images, batch_size=100):
        """Outputs (N, *output_shape) in evaluation mode; they do not depend on ``batch_size``.

        ``images`` (N, *input_shape) are as ``forward`` takes them.
        """
        batch_size = integer(batch_size, "batch_size", 1)
        try:
            starts = range(0, len(images), batch_size)
        except TypeError:
            raise InputError(f"inputs must be an array, found {images!r:.60}") from None
        if not starts:
            return np.zeros((0, *self.output_shape), np.float32)
        return np.concatenate([as_array(self.forward(images[k : k + batch_size])) for k in starts])

    def backward(self, dy, need_dx=False):
        """Set ``grad`` of every parameter from dy = dL/dy; dL/dx if ``need_dx``, else None.

        InputError unless dy has the shape of what the last ``forward`` gave.
        """
        check_shape(np.shape(dy), (self._given, *self.output_shape), "dy")
        for p in self._parameters:
            p.grad = None  # its memory, which the kernels take again, serves the new one
        dx = self.chain.backward(floats(dy), need_dx)
        return dx if dx is None else as_array(dx)

    def penalty(self):
        """What regularised layers add to the loss; ``backward`` adds its gradient to theirs."""
        return sum(layer.penalty() for layer in self.chain.walk())

    def state_dict(self):
        """Copies of all arrays, by name; binary kernels are int8 ±1."""
        arrays = {p.name: p.value.copy() for p in self.parameters()}
        for layer in self.chain.walk():
            arrays |= {f"{layer.name}/{key}": value for key, value in layer.state().items()}
        return arrays

    def digest(self):
        """12 hexadecimal digits: the beginning of the SHA-256 of the bytes of ``state_dict``."""
        arrays = self.state_dict().values()
        data = b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays)
        return sha256(data).hexdigest()[:12]

    def machine_dependent(self, inputs=np.uint8):
        """Names of layers whose last bits may differ between machines, whatever ``gradients`` is.

        They multiply real numbers, by BLAS, or take functions of the C library. ``inputs`` is the
        type of the images: float ones are real numbers to a first binary layer.
        """
        return self.chain.machine_dependent(np.dtype(inputs) == np.uint8)

    def load_state_dict(self, arrays):
        """Put back the ``arrays`` of ``state_dict``; InputError, and no change, if they misfit."""
        mine = self.state_dict()
        if not isinstance(arrays, Mapping):
            raise InputError(f"arrays must be a dict, as of state_dict, found {arrays!r:.60}")
        for name in mine.keys() ^ arrays.keys():
            where = "is missing" if name in mine else "is not part of this network"
            raise InputError(f"array {name} {where}")
        states = {
            layer: {key: arrays[f"{layer.name}/{key}"] for key in layer.state()}
            for layer in self.chain.walk()
        }
        for p in self._parameters:
            p.check(arrays[p.name])
        for layer, state in states.items():
            layer.check_state(state)
        for p in self._parameters:
            p.assign(arrays[p.name])
        for layer, state in states.items():
            layer.load_state(state)

    def config(self):
        """A plain dict (JSON) to rebuild the network from, without its arrays."""
        config = {
            "kind": type(self).__name__,
            "name": self.name,
            "input_shape": list(self.input_shape),
            "seed": self.seed,
            "layers": copy.deepcopy(self.chain.config()),
        }
        about = {key: getattr(self, key) for key in _USUAL if key != "frozen"}
        about["frozen"] = [p.name for p in self.parameters() if not p.trainable]
        check_own(self)
        return config | {key: about[key] for key in _USUAL if about[key] != _USUAL[key]}

    @classmethod
    def from_config(cls, config, check=None):
        """A network with freshly drawn kernels from the dict ``config``; else InputError.

        ``check`` is as in ``Sequential``.
        """
        options = dict(config) if isinstance(config, dict) else {}
        if options.pop("kind", None) != cls.__name__ or "layers" not in options:
            raise InputError(f"a network's configuration must be a dict of kind {cls.__name__}")
        try:
            return cls(**options, check=check)
        except InputError:
            raise
        except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
            text = f"a network cannot be built from this configuration: {error}"
            raise InputError(text) from None

    def copy(self):
        """An independent network with the same arrays."""
        twin = self.from_config(self.config())
        twin.load_state_dict(self.state_dict())
        return twin

    def save(self, path):
        """Write the file ``path``, whole or not at all; ``minibnn.load`` reads it."""
        arrays = {checkpoint.NETWORK + name: array for name, array in self.state_dict().items()}
        save(path, checkpoint.encode({"network": self.config()}, arrays))

    def summary(self):
        """Table of the layers; ``print`` it."""
        return summarize(self)

    def __repr__(self):
        return f"<{type(self).__name__} {self.name} {self.input_shape} -> {self.output_shape}>"


def _shape(values):
    with suppress(TypeError, InputError):
        if shape := tuple(integer(value, "input_shape", 1) for value in values):
            return shape
    raise InputError(f"input_shape must be positive integers, found {values!r}")


def load_network(path, kinds=(Sequential,)):
    """The network, of one of these ``kinds``, in the file ``path``; else InputError."""
    meta, arrays = checkpoint.read(path)
    prefix = checkpoint.NETWORK
    own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}

    def check(needed):
        for name in needed | own:
            wanted = needed[name][1] if name in needed else "none"
            found = own[name].shape if name in own else "none"
            check_shape(found, wanted, f"array {name}")

    config = meta.get("network")
    kind = config.get("kind") if isinstance(config, dict) else None
    if kind == "PackedNetwork":
        _ = ops.backend  # which it needs: a wrong MINIBNN_BACKEND is no fault of the file
    try:
        one_of(kind, "the kind of network", names := {kind.__name__: kind for kind in kinds})
        network = names[kind].from_config(config, check)
        network.load_state_dict(own)
    except InputError as error:
        raise InputError(f"{path} does not fit its own configuration: {error}") from None
    return network


def checked(x, shape, image_form):
    """A batch ``x`` as networks compute with it, or InputError: its shape, type and numbers."""
    if ops.backend == "numba":
        apply_threads()
    x = x if isinstance(x, Signs) else np.asarray(x)
    if x.shape[1:] != shape or not len(x):
        wanted = ", ".join(["N", *map(str, shape)])
        raise InputError(f"inputs must have shape ({wanted}), found {x.shape}")
    if isinstance(x, Signs):
        if x.axis != len(x.shape) - 1:
            raise InputError(f"signs must be packed along their last axis, found {x.axis}")
        return x
    if x.dtype == np.uint8 and image_form != "bytes":
        words = " (divide them by 255)" * (image_form == "unit")
        raise InputError(f"inputs must be floats, as those it was trained on, found bytes{words}")
    if x.dtype not in (np.uint8, np.float32, np.float64):
        raise InputError(f"inputs must be uint8 bytes or float32, found {x.dtype}")
    # A sign would hide NaN; vdot is the quickest sum that tells.
    if not (x.dtype == np.uint8 or isfinite(np.vdot(x, x)) or np.isfinite(x).all()):
        raise InputError("inputs must be finite numbers, found NaN or infinity")
    return x


def check_names(classes, output_shape):
    """Names of a network's outputs as a tuple, or None; InputError if they are not one for each."""
    if classes is None:
        return None
    if isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes):
        if (len(classes),) == output_shape[-1:]:
            return tuple(classes)
    raise InputError(f"classes must be {output_shape[-1]} names, found {classes!r:.60}")
