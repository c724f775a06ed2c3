"""What all steps of a packed network share.

A step is planned from its options and the ``Value`` it is given; then it knows the dtype and shape
of every array it needs, and it is filled with them. Networks and files take the same way, so that
a file is checked before anything of it is read.

The arithmetic of a step is that of the layers it stands for, in evaluation mode and bit for bit.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minibnn.errors import InputError

IMAGES, SIGNS, SUMS, REALS = "images", "signs", "sums", "reals"
MOST_NUMBERS = 1 << 26  # of one input between two layers; more is no network but a damaged file


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

    @property
    def channels(self):
        return self.shape[-1]


class Kind(NamedTuple):
    """A kind of step: its name in files, its class, a layer if it has one, and its options."""

    name: str
    step: type
    layer: type | None = None
    fields: tuple = ()
    chains: tuple = ()  # options that are lists of steps

    def make(self, name, given, **options):
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

    def needs(self):
        """dict of str to (dtype, shape): the arrays to be filled in."""
        return {}

    def fill(self, arrays):
        """Take the arrays, of the dtypes and shapes that ``needs`` said."""
        for key, (dtype, shape) in self.needs().items():
            found = arrays[key]
            if found.dtype != dtype or found.shape != shape:
                raise InputError(
                    f"{self.name}/{key} must be {np.dtype(dtype)} {shape}, "
                    f"found {found.dtype} {found.shape}"
                )
        self.arrays = arrays
        return self

    def describe(self):
        """Plain dict (JSON) that the step is planned from."""
        inner = {key: describe(self.options[key]) for key in self.of.chains}
        return {"kind": self.kind, "name": self.name, **self.options, **inner}

    @property
    def inner(self):
        """Lists of steps inside this one."""
        return [self.options[key] for key in self.of.chains]

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


def walk(steps, depth=0):
    """Every step and how deep it is inside others, those inside behind the one they are in."""
    for step in steps:
        yield step, depth
        for inner in step.inner:
            yield from walk(inner, depth + 1)


def describe(steps):
    """Plain list (JSON) that ``plan`` makes the steps from, without their arrays."""
    return [step.describe() for step in steps]
