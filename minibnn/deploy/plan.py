"""Steps from a plain description, as a file has it, and back."""

import re

import numpy as np

from minibnn.deploy import binary, real, shape
from minibnn.deploy.step import Step, describe, run
from minibnn.deploy.value import REALS, Value
from minibnn.errors import InputError
from minibnn.nn.layers.layer import as_floats

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DEEPEST = 8  # Residuals inside each other


class Residual(Step):
    """y = body(x) + shortcut(x), in floats; both are lists of steps."""

    kind = "residual"

    def __init__(self, name, given, body, shortcut):
        self.body, self.shortcut = body, shortcut
        super().__init__(name, given)

    def plan(self, given):
        shapes = [steps[-1].output.shape if steps else given.shape for steps in self.inner()]
        if shapes[0] != shapes[1]:
            self.refuse(f"adds outputs of one shape, found {shapes[0]} and {shapes[1]}")
        return Value(REALS, shapes[0])

    def inner(self):
        return self.body, self.shortcut

    def options(self):
        return {"body": describe(self.body), "shortcut": describe(self.shortcut)}

    def run(self, x):
        return np.add(*(as_floats(run(steps, x)) for steps in self.inner()))


KINDS = {
    kind.kind: kind
    for kind in (
        binary.BinaryConv2D,
        binary.BinaryConv2DThreshold,
        binary.BinaryDense,
        binary.BinaryDenseThreshold,
        binary.FirstConv2D,
        binary.FirstDense,
        binary.Threshold,
        real.AvgPool2D,
        real.BatchNorm,
        real.BatchNormSign,
        real.Conv2D,
        real.Dense,
        real.GlobalAvgPool2D,
        real.ReLU,
        real.Scale,
        real.Sign,
        shape.Flatten,
        shape.MaxPool2D,
    )
}


def plan(description, given, depth=0):
    """Steps without arrays, from what ``describe`` gave, for a Value.

    Raises InputError for anything else, naming the step.
    """
    if not isinstance(description, list) or depth > _DEEPEST:
        raise InputError("steps must be a list, and not too deep inside each other")
    steps = []
    for entry in description:
        steps.append(_planned(entry, given, depth))
        given = steps[-1].output
    return steps


def _planned(entry, given, depth):
    options = dict(entry) if isinstance(entry, dict) else {}
    kind, name = options.pop("kind", None), options.pop("name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"a step must have a name of letters and digits, found {name!r:.60}")
    if kind == Residual.kind and options.keys() == {"body", "shortcut"}:
        chains = (plan(options[key], given, depth + 1) for key in ("body", "shortcut"))
        return Residual(name, given, *chains)
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"{name} is of a kind that is not known: {kind!r:.60}")
    kind = KINDS[kind]
    if not issubclass(kind, binary.First):
        return kind(name, given, **options)
    floats = options.pop("floats", None)
    product = {key: value for key, value in options.items() if key in kind.product.fields}
    sums = kind.product(name, given, **product).output
    return kind(name, given, plan(floats, sums, depth + 1), **options)
