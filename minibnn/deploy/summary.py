"""What a packed network holds and moves, step by step."""

import math
from dataclasses import dataclass

import numpy as np

from minibnn.deploy.step import walk
from minibnn.tables import Shown, Table, columns_of


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
class PackedSummary(Shown):
    """Rows per step: iterate over the rows, print it, or let Jupyter show it."""

    name: str
    rows: tuple
    nbytes: int

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        """The rows, one per step."""
        return iter(self.rows)

    @property
    def bits(self):
        """Binary weights of all steps."""
        return sum(row.bits for row in self.rows)

    def to_dict(self):
        """Columns as lists: step, kind, output, gives, bits, nbytes and depth."""
        return columns_of([vars(row) for row in self.rows])

    def tables(self):
        """One table, the totals at its foot."""
        lines = [
            [
                "  " * row.depth + row.step,
                row.kind,
                "x".join(map(str, row.output)),
                row.gives,
                _count(row.bits),
                _count(row.nbytes),
            ]
            for row in self.rows
        ]
        head = ["step", "kind", "output", "of", "1-bit weights", "bytes"]
        foot = [["total", "", "", "", _count(self.bits), _count(self.nbytes)]]
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
    return PackedSummary(packed.name, tuple(rows), packed.nbytes)


def _count(n):
    return f"{n:,}" if n else "-"
