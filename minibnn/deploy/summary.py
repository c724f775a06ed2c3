"""What a packed network holds and moves, step by step."""

import math


def summarize(packed):
    """The table as a text: what each step gives, its binary weights, and its bytes."""
    head = ["step", "kind", "output", "of", "1-bit weights", "bytes"]
    rows, weights = [], 0
    for depth, step in _indented(packed.steps):
        bits = math.prod(step.kernel_shape) if _binary(step) else 0
        held = sum(array.nbytes for array in step.arrays.values())
        output = "x".join(map(str, step.output.shape))
        rows.append(
            [
                "  " * depth + step.name,
                step.kind,
                output,
                step.output.kind,
                _count(bits),
                _count(held),
            ]
        )
        weights += bits
    total = ["total", "", "", "", _count(weights), _count(packed.nbytes)]
    widths = [max(map(len, column)) for column in zip(head, *rows, total, strict=True)]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    lines = [_line(row, widths) for row in (head, *rows, total)]
    return "\n".join([packed.name, rule, lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _indented(steps, depth=0):
    for step in steps:
        yield depth, step
        for inner in step.inner():
            yield from _indented(inner, depth + 1)


def _binary(step):
    return "kernel" in step.arrays and step.arrays["kernel"].dtype.kind == "u"


def _line(cells, widths):
    """Names to the left, numbers to the right."""
    aligned = (
        cell.ljust(width) if k < 4 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()


def _count(n):
    return f"{n:,}" if n else "-"
