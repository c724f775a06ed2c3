"""What a packed network holds and moves, step by step."""

import math
from dataclasses import dataclass

import numpy as np

from minibnn.deploy.steps import walk
from minibnn.tables import Rows, Table


@dataclass(frozen=True)
class PackedSummary(Rows):
    """A row, a dict, for what each step holds: iterate over them, or print it.

    ``output`` is the shape of what it gives, ``gives`` what its numbers are: images, sums, signs
    or reals; ``bits`` are its binary weights, ``nbytes`` the bytes of its arrays, ``depth`` is how
    many steps it is inside of.
    """

    name: str
    rows: tuple

    @property
    def bits(self):
        """Binary weights of all steps."""
        return self.total("bits")

    def tables(self):
        """One table, the totals at its foot."""
        lines = []
        for row in self.rows:
            output = "x".join(map(str, row["output"]))
            numbers = [f"{row[key]:,}" if row[key] else "-" for key in ("bits", "nbytes")]
            step = "  " * row["depth"] + row["step"]
            lines.append([step, row["kind"], output, row["gives"], *numbers])
        head = ["step", "kind", "output", "of", "1-bit weights", "bytes"]
        foot = [["total", "", "", "", f"{self.bits:,}", f"{self.total('nbytes'):,}"]]
        return [Table(head, lines, left=4, title=self.name, foot=foot)]


def summarize(packed):
    """The PackedSummary of a PackedNetwork."""
    rows = []
    for step, depth in walk(packed.steps):
        kernel = step.arrays.get("kernel")
        binary = kernel is not None and kernel.dtype == np.uint32
        row = {"step": step.name, "kind": step.kind, "output": step.output.shape}
        row |= {"gives": step.output.kind, "bits": math.prod(step.kernel_shape) if binary else 0}
        row |= {"nbytes": sum(a.nbytes for a in step.arrays.values()), "depth": depth}
        rows.append(row)
    return PackedSummary(packed.name, tuple(rows))
