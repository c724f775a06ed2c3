"""What a packed network holds and moves, step by step."""

import math
from dataclasses import dataclass

import numpy as np

from minibnn.deploy.steps import walk
from minibnn.nn.summary import Rows
from minibnn.tables import Table


@dataclass(frozen=True)
class StepSize:
    """A step of a packed network: what it gives, its binary weights, and the bytes of its arrays.

    ``output`` is the shape of what it gives, ``gives`` what its numbers are: images, sums, signs
    or reals. ``depth`` is how many steps it is inside of.
    """

    step: str
    kind: str
    output: tuple
    gives: str
    bits: int
    nbytes: int
    depth: int = 0


@dataclass(frozen=True)
class PackedSummary(Rows):
    """What each step holds, and all of them."""

    fields = ("step", "kind", "output", "gives", "bits", "nbytes", "depth")

    @property
    def bits(self):
        """Binary weights of all steps."""
        return self.total("bits")

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return self.total("nbytes")

    def tables(self):
        """One table, the totals at its foot."""
        lines = []
        for row in self.rows:
            output = "x".join(map(str, row.output))
            numbers = [f"{n:,}" if n else "-" for n in (row.bits, row.nbytes)]
            lines.append(["  " * row.depth + row.step, row.kind, output, row.gives, *numbers])
        head = ["step", "kind", "output", "of", "1-bit weights", "bytes"]
        foot = [["total", "", "", "", f"{self.bits:,}", f"{self.nbytes:,}"]]
        return [Table(head, lines, left=4, title=self.name, foot=foot)]


def summarize(packed):
    """The PackedSummary of a PackedNetwork."""
    rows = []
    for step, depth in walk(packed.steps):
        kernel = step.arrays.get("kernel")
        binary = kernel is not None and kernel.dtype == np.uint32
        bits = math.prod(step.kernel_shape) if binary else 0
        held = sum(array.nbytes for array in step.arrays.values())
        output = step.output
        rows.append(StepSize(step.name, step.kind, output.shape, output.kind, bits, held, depth))
    return PackedSummary(packed.name, tuple(rows))
