"""The steps of a packed network: layers as they are, comparisons in place of sums, and Residual.

A step is planned from its options and the ``Value`` it is given; then it knows the dtype and shape
of every array it needs, and it is filled with them. Networks and files take the same way, so that
a file is checked before anything of it is read.

The arithmetic of a step is that of the layers it stands for, in evaluation mode and bit for bit.
"""

import math
import re
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minibnn import nn
from minibnn.errors import InputError
from minibnn.nn.layers.layer import as_array, as_floats
from minibnn.ops.backend import ops
from minibnn.ops.bits import WORD, Signs, packed_shape
from minibnn.ops.thresholds import Thresholds

IMAGES, SIGNS, SUMS, REALS = "images", "signs", "sums", "reals"
MOST_NUMBERS = 1 << 26  # of one input between two layers; more is no network but a damaged file
BYTE = 255  # the largest magnitude of 2 b - 255
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BINARY = nn.BinaryConv2D, nn.BinaryDense


@dataclass(frozen=True)
class Value:
    """The output of a step, or the input of the network.

    ``kind`` is "images", what the network is given, bytes or floats; "signs", packed ±1; "sums",
    integers; or "reals", floats. ``shape`` is that of one sample, ``most`` the largest magnitude of
    sums. InputError for a shape that is empty or of more than ``MOST_NUMBERS`` numbers.
    """

    kind: str
    shape: tuple
    most: int = 0

    def __post_init__(self):
        if min(self.shape, default=0) < 1 or math.prod(self.shape) > MOST_NUMBERS:
            raise InputError(f"a layer's output cannot have the shape {self.shape}")


class Kind(NamedTuple):
    """A kind of step: its name in files, its class, a layer if it has one, and its options."""

    name: str
    step: type
    layer: type | None = None
    fields: tuple = ()
    chains: tuple = ()  # options that are lists of steps

    def make(self, name, given, options):
        """A step without arrays; InputError for what does not fit."""
        return self.step(self, name, given, options)


class Step:
    """One step. Subclasses say ``plan``, ``needs``, ``fill`` and ``run``.

    ``name`` is unique in a network, the name of the layer it comes from; ``given`` and ``output``
    are Values; ``arrays`` are those of a file, where they are called NAME/WHAT.
    """

    def __init__(self, kind, name, given, options):
        self.of, self.kind, self.name = kind, kind.name, name
        self.given, self.options, self.arrays = given, options, {}
        for key in options.keys() ^ {*kind.fields, *kind.chains}:
            self.refuse(f"option {key} is missing or not known")
        self.output = self.plan(given)

    def plan(self, given):
        """The Value of the output; InputError if ``given`` is none this step can take."""
        return given

    def planned(self, key, given):
        """The steps inside this one, of the option ``key``, and the Value they give."""
        steps = self.options[key] = plan(self.options[key], given)
        return steps[-1].output if steps else given

    def needs(self):
        """dict of str to (dtype, shape): the arrays to be filled in."""
        return {}

    def fill(self, arrays):
        """Take the arrays, of the dtypes and shapes that ``needs`` said."""
        self.arrays = arrays
        return self

    def describe(self):
        """Plain dict (JSON) that the step is planned from."""
        inner = {key: [s.describe() for s in self.options[key]] for key in self.of.chains}
        return {"kind": self.kind, "name": self.name, **self.options, **inner}

    def run(self, x):
        """The output for a batch."""
        raise NotImplementedError

    def refuse(self, why):
        raise InputError(f"{self.name} ({self.kind}): {why}")

    def __repr__(self):
        return f"<{self.kind} {self.name}, {self.options}>"


def run(steps, x):
    """One step after another."""
    for step in steps:
        x = step.run(x)
    return x


def walk(steps):
    """Every step, those inside others behind the one they are in."""
    for step in steps:
        yield step
        for key in step.of.chains:
            yield from walk(step.options[key])


def plan(description, given):
    """Steps without arrays for a Value, from what ``describe`` gave; steps stay as they are."""
    if not isinstance(description, list):
        raise InputError(f"steps must be a list, found {description!r:.60}")
    steps = []
    for entry in description:
        if not isinstance(entry, Step):
            options = dict(entry) if isinstance(entry, dict) else {}
            kind, name = options.pop("kind", None), options.pop("name", None)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InputError(
                    f"a step must have a name of letters and digits, found {name!r:.60}"
                )
            if not isinstance(kind, str) or kind not in KINDS:
                raise InputError(f"{name} is of a kind that is not known: {kind!r:.60}")
            entry = KINDS[kind].make(name, given, options)
        steps.append(entry)
        given = entry.output
    return steps


class Scale:
    """The scale of a binary layer's outputs, as if it were a layer by itself."""

    name, scale = "", None
    arguments = ()

    def arrays(self, input_shape):
        return {"scale": (np.float32, input_shape[-1:])}

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return ops.scale_channels(as_array(x), self.scale)


class Constant:
    """What a layer has in place of a Parameter: its value, or its packed signs."""

    scale = None

    def __init__(self, array):
        self.value = self.signs = array


class LayerStep(Step):
    """A layer of ``minibnn.nn``; behind a binary one, its scale is a step of its own."""

    def plan(self, given):
        own = {key: self.options[key] for key in self.of.fields if key != "pool"}
        layer = self.layer = self.of.layer(**own)
        layer.name = self.name
        for key, value in own.items():
            taken = getattr(layer, key)
            taken = list(taken) if isinstance(value, list) and isinstance(taken, tuple) else taken
            if taken != value or isinstance(taken, bool) != isinstance(value, bool):
                self.refuse(f"option {key} cannot be {value!r:.60}")
        if hasattr(layer, "windows_on"):
            padded = layer.windows_on(given.shape).padded
            if max(layer.strides) > MOST_NUMBERS or math.prod(padded) > MOST_NUMBERS:
                self.refuse(f"windows in steps of {layer.strides} are too large")
        shape, self.layer_arrays = layer.output_shape(given.shape), layer.arrays(given.shape)
        self.kernel_shape = self.layer_arrays.get("kernel", (None, ()))[1]
        self.terms = math.prod(self.kernel_shape[:-1])
        self.axis = len(self.kernel_shape) - 2  # that a binary kernel is packed along: its inputs
        if isinstance(layer, nn.Flatten | nn.MaxPool2D):
            return Value(given.kind, shape, given.most)
        if isinstance(layer, nn.ReLU) and given.kind == SUMS:
            return Value(SUMS, shape, given.most)
        if isinstance(layer, nn.Sign):
            return Value(SIGNS, shape)
        if isinstance(layer, _BINARY) and given.kind == SIGNS:
            return Value(SUMS, shape, self.terms)
        return Value(REALS, shape)

    def needs(self):
        """Those of the layer, with packed signs."""
        needs = dict(self.layer_arrays)
        if isinstance(self.layer, _BINARY):
            needs["kernel"] = np.uint32, packed_shape(self.kernel_shape, self.axis)
        return needs

    def fill(self, arrays):
        super().fill(arrays)
        for key in self.layer_arrays:
            array = arrays[key]
            if key == "kernel" and isinstance(self.layer, _BINARY):
                array = self._signs(array)
            elif key not in ("kernel", "bias") and not np.isfinite(array).all():
                self.refuse(f"{key} holds NaN or infinity")
            plain = key.startswith("moving_") or key == "scale"
            setattr(self.layer, key, array if plain else Constant(array))
        if isinstance(self.layer, nn.BatchNorm):
            variance = arrays["moving_variance"]
            if (variance < 0).any() or not (variance + np.float32(self.layer.epsilon)).all():
                self.refuse("moving_variance + epsilon must be above 0")
        return self

    def _signs(self, words):
        unused = -self.kernel_shape[self.axis] % WORD
        if unused and (words.take(-1, self.axis) >> np.uint32(WORD - unused)).any():
            self.refuse("the kernel has bits set beyond its channels")
        return Signs(words, self.kernel_shape, self.axis)

    def run(self, x):
        return copy(self.layer).forward(x)  # the copy keeps what backward would need


class NormaliseAndSignStep(LayerStep):
    """The signs of ``BatchNorm``, where what is normalised may be real: after the first layer."""

    def plan(self, given):
        return Value(SIGNS, super().plan(given).shape)

    def run(self, x):
        return ops.batch_norm_sign(*copy(self.layer).normalisation(x, False))[0]


class Comparison(Step):
    """A level for each channel: the sign is +1 for z >= level, or for z <= level if falling."""

    def level_needs(self, channels, most):
        """A level lies within the sums, or just beyond one of their ends."""
        dtype = np.int16 if most < np.iinfo(np.int16).max else np.int32
        return {"level": (dtype, (channels,)), "falling": (np.uint8, (-(-channels // 8),))}

    def fill(self, arrays):
        super().fill(arrays)
        level = arrays["level"].astype(np.int32)
        falling = np.unpackbits(arrays["falling"], count=len(level), bitorder="little")
        self.thresholds = Thresholds(level, falling == 0)
        return self


class ThresholdStep(Comparison):
    """Integers to signs."""

    def plan(self, given):
        if given.kind != SUMS:
            self.refuse(f"takes integers, found {given.kind}")
        return Value(SIGNS, given.shape)

    def needs(self):
        return self.level_needs(self.given.shape[-1], self.given.most)

    def fill_levels(self, level, rising):
        """``fill`` with integers (C,) and bools (C,)."""
        dtype, _ = self.needs()["level"]
        falling = np.packbits(~rising, bitorder="little")
        return self.fill({"level": level.astype(dtype), "falling": falling})

    def run(self, x):
        return ops.threshold_sign(x, self.thresholds)


class ProductStep(Comparison, LayerStep):
    """A binary layer of signs, 2x2 max pooling if ``pool``, and the signs of its sums, at once."""

    takes, magnitude = SIGNS, 1  # of what is multiplied

    def plan(self, given):
        if given.kind != self.takes:
            self.refuse(f"takes {self.takes}, found {given.kind}")
        shape, pool = super().plan(given).shape, self.options.get("pool", False)
        if not isinstance(pool, bool):
            self.refuse(f"pool must be true or false, found {pool!r:.60}")
        return Value(SIGNS, (shape[0] // 2, shape[1] // 2, shape[2]) if pool else shape)

    def needs(self):
        most = self.magnitude * self.terms
        return super().needs() | self.level_needs(self.output.shape[-1], most)

    def run(self, x):
        layer = self.layer
        if isinstance(layer, nn.BinaryDense):
            return ops.binary_dense_threshold(x, layer.kernel.signs, self.thresholds)
        return ops.binary_conv2d_threshold(
            x, layer.kernel.signs, self.thresholds, *layer.geometry, self.options["pool"]
        )


class FirstStep(ProductStep):
    """A binary layer of images, and its signs.

    Bytes b are summed as integers 2 b - 255 and compared with the levels; the sums over anything
    else go through ``floats``, steps that end with signs.
    """

    takes, magnitude = IMAGES, BYTE

    def plan(self, given):
        output = super().plan(given)
        shape = self.layer.output_shape(given.shape)
        if self.planned("floats", Value(REALS, shape)) != output:
            self.refuse("its steps for floats must end as those for bytes")
        return output

    def run(self, x):
        if isinstance(x, Signs) or x.dtype != np.uint8:
            return run(self.options["floats"], LayerStep.run(self, x))
        return super().run(x)


class ResidualStep(Step):
    """y = body(x) + shortcut(x), in floats; both are lists of steps."""

    def plan(self, given):
        shapes = [self.planned(key, given).shape for key in self.of.chains]
        if shapes[0] != shapes[1]:
            self.refuse(f"adds outputs of one shape, found {shapes[0]} and {shapes[1]}")
        return Value(REALS, shapes[0])

    def run(self, x):
        return np.add(*(as_floats(run(self.options[key], x)) for key in self.of.chains))


_WINDOWS = "kernel_size", "strides", "padding"
_CONV, _POOL = ("filters", *_WINDOWS, "pad_value"), ("pool_size", "strides", "padding")
_KINDS = (
    Kind("avg_pool2d", LayerStep, nn.AvgPool2D, _POOL),
    Kind("batch_norm", LayerStep, nn.BatchNorm, ("epsilon", "scale")),
    Kind("batch_norm_sign", NormaliseAndSignStep, nn.BatchNorm, ("epsilon", "scale")),
    Kind("binary_conv2d", LayerStep, nn.BinaryConv2D, _CONV),
    Kind("binary_conv2d_threshold", ProductStep, nn.BinaryConv2D, (*_CONV, "pool")),
    Kind("binary_dense", LayerStep, nn.BinaryDense, ("units",)),
    Kind("binary_dense_threshold", ProductStep, nn.BinaryDense, ("units",)),
    Kind("conv2d", LayerStep, nn.Conv2D, ("filters", *_WINDOWS, "use_bias")),
    Kind("dense", LayerStep, nn.Dense, ("units", "use_bias")),
    Kind("first_conv2d", FirstStep, nn.BinaryConv2D, (*_CONV, "pool"), ("floats",)),
    Kind("first_dense", FirstStep, nn.BinaryDense, ("units",), ("floats",)),
    Kind("flatten", LayerStep, nn.Flatten),
    Kind("global_avg_pool2d", LayerStep, nn.GlobalAvgPool2D),
    Kind("max_pool2d", LayerStep, nn.MaxPool2D, _POOL),
    Kind("relu", LayerStep, nn.ReLU),
    Kind("residual", ResidualStep, None, (), ("body", "shortcut")),
    Kind("scale", LayerStep, Scale),
    Kind("sign", LayerStep, nn.Sign),
    Kind("threshold", ThresholdStep),
)
KINDS = {kind.name: kind for kind in _KINDS}
BY_LAYER = {kind.layer: kind for kind in _KINDS if kind.step is LayerStep}


def translate(layer, given):
    """The step that does what a layer does on a Value; InputError if there is none."""
    kind = BY_LAYER.get(type(layer))
    if kind is None:
        known = ", ".join(one.__name__ for one in BY_LAYER)
        raise InputError(
            f"{layer.name} cannot be packed: it is of kind {type(layer).__name__}, and packed "
            f"networks have {known} and Residual"
        )
    return of_layer(kind, layer, given)


def of_layer(kind, layer, given):
    """A step of a kind with the options and copies of the arrays of a layer."""
    step = kind.make(layer.name, given, {key: getattr(layer, key) for key in kind.fields})
    arrays = {}
    for key in step.needs():
        found = getattr(layer, key)
        if isinstance(found, nn.Parameter):
            found = found.signs.words if found.binary else found.value
        arrays[key] = np.array(found)
    return step.fill(arrays)
