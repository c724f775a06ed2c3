"""What all steps of a packed network share.

A step is planned from its options and the ``Value`` it is given; then it knows the dtype and shape
of every array it needs, and it is filled with them. Networks and files take the same way, so that
a file is checked before anything of it is read.

The arithmetic of a step is that of the layers it stands for, in evaluation mode and bit for bit.
"""

import math
from typing import ClassVar

import numpy as np

from minibnn.deploy.value import MOST_NUMBERS
from minibnn.errors import InputError, integer
from minibnn.ops.shapes import check_padding, windows


class Step:
    """One step. Subclasses say ``kind``, ``fields``, ``plan``, ``needs``, ``fill`` and ``run``.

    Attributes
    ----------
    name : str
        Unique in a network, the name of the layer it comes from; its arrays are NAME/WHAT.
    given, output : Value
    arrays : dict of str to array
        As a file holds them.
    """

    kind = ""
    fields: ClassVar[dict] = {}  # option -> the check that gives its value, or raises InputError

    def __init__(self, name, given, **options):
        self.name, self.given, self.arrays = name, given, {}
        for key in options.keys() ^ self.fields.keys():
            raise InputError(f"{name} ({self.kind}): option {key} is missing or not known")
        for key, check in self.fields.items():
            setattr(self, key, check(options[key], key))
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

    def options(self):
        """Plain dict (JSON) of the options."""
        return {key: getattr(self, key) for key in self.fields}

    def inner(self):
        """Lists of steps inside this one."""
        return ()

    def run(self, x):
        """The output for a batch."""
        raise NotImplementedError

    def refuse(self, why):
        raise InputError(f"{self.name} ({self.kind}): {why}")

    def expect(self, given, axes, *kinds):
        if len(given.shape) != axes or (kinds and given.kind not in kinds):
            self.refuse(f"cannot be given {given.kind} of shape {given.shape}")

    def __repr__(self):
        options = "".join(f", {key}={value!r}" for key, value in self.options().items())
        return f"<{self.kind} {self.name}{options}>"


# -- lists of steps -------------------------------------------------------------------------------


def run(steps, x):
    """One step after another."""
    for step in steps:
        x = step.run(x)
    return x


def walk(steps):
    """Every step, those inside others too."""
    for step in steps:
        yield step
        for inner in step.inner():
            yield from walk(inner)


def describe(steps):
    """Plain list (JSON) that ``plan`` makes the steps from, without their arrays."""
    return [{"kind": step.kind, "name": step.name, **step.options()} for step in steps]


# -- what the checks of options are made of ------------------------------------------------------


def flag(value, name):
    if isinstance(value, bool):
        return value
    raise InputError(f"{name} must be true or false, found {value!r}")


def at_least_one(value, name):
    return integer(value, name, 1)


def zero_or_one(value, name):
    if value in (0, 1):
        return int(value)
    raise InputError(f"{name} must be 0 or 1, found {value!r}")


def positive_float(value, name):
    if isinstance(value, float) and 0 < value < math.inf:
        return value
    raise InputError(f"{name} must be a number above 0, found {value!r}")


def same_or_valid(value, name):
    return check_padding(value)


def place_of(step, given, size):
    """The Windows of a kernel or pool on the pixels given."""
    step.expect(given, 3)
    place = windows(tuple(given.shape[:2]), size, step.strides, step.padding)
    if max(step.strides) > MOST_NUMBERS or math.prod(place.padded) > MOST_NUMBERS:
        step.refuse(f"a window of {size} by steps of {step.strides} is too large")
    return place
