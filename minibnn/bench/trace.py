"""A training step taken apart: what each operation of each layer takes, and moves."""

import time
from collections import defaultdict
from statistics import median
from unittest.mock import patch

import numpy as np

from minibnn.ops import backend
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed


def product_of(operation):
    """Which product of ``bench.products`` an operation is, "" of others.

    >>> product_of("binary_conv2d_pool_grad_input"), product_of("binary_dense"), product_of("batch")
    ('input gradient', 'forward', '')
    """
    if not operation.startswith(("binary_conv2d", "binary_dense")):
        return ""
    _, grad, side = operation.partition("_grad_")
    return f"{side} gradient" if grad else "forward"


def traced(training, steps):
    """The median seconds of whole steps, and a dict per operation of one taken apart, in order.

    ``pass`` is the name under which operations of all layers are added up, ``product`` that of
    ``bench.products``, "" of others; ``bytes`` are those read and written once.
    """
    for _ in range(2):
        training.step()
    seen, whole = defaultdict(list), []
    for _ in range(steps):
        begin = time.perf_counter()
        training.step()
        whole.append(time.perf_counter() - begin)
        for place, call in enumerate(one_step(training)):
            seen[place, *call[:2]].append(call[2:])
    rows, first = [], None
    for (_, layer, operation), found in seen.items():
        product = product_of(operation)
        first = first or (layer if product else None)
        kind = "convolutions" if layer.startswith("conv") else "dense layers"
        kind = f"{product} of {'first layer' if layer == first else kind}"
        rows.append(
            {
                "layer": layer,
                "operation": operation,
                "product": product,
                "pass": kind if product else operation.replace("_", " "),
                "bytes": found[0][1],
                "seconds": median(seconds for seconds, _ in found),
            }
        )
    return median(whole), rows


def by_pass(rows, fields):
    """Rows of the same pass of all layers, their ``fields`` added up: ``{pass: row}``."""
    totals = {}
    for row in rows:
        total = totals.setdefault(row["pass"], {"pass": row["pass"], **dict.fromkeys(fields, 0)})
        for field in fields:
            total[field] += row[field]
    return totals


def one_step(training):
    """Train once, operation by operation; (layer, operation, seconds, bytes moved) of each."""
    chain, calls, layer = training.net.chain, [], [""]

    def timed(name, operation):
        """``operation`` of the backend, noted whenever it is called."""

        def call(*arguments, **options):
            begin = time.perf_counter()
            result = operation(*arguments, **options)
            seconds = time.perf_counter() - begin
            if not any(result is a for a in arguments):  # else nothing was to be done
                moved = _bytes((arguments, tuple(options.values()), result))
                calls.append((layer[0], name, seconds, moved))
            return result

        return call if callable(operation) else operation

    own = {"backend": backend.backend_name()} | vars(backend.ops)
    with (
        patch.object(backend.ops, "__dict__", {k: timed(k, v) for k, v in own.items()}),
        patch.object(chain, "steps", [_Step(step, layer) for step in chain.steps]),
    ):
        training.differentiate()
    parameters = training.net.parameters()
    begin = time.perf_counter()
    training.optimizer.step(parameters)
    moved = 2 * training.optimizer.state_bytes()
    moved += sum(2 * p.value.nbytes + p.grad.nbytes for p in parameters)
    return [*calls, ("", "optimizer_steps", time.perf_counter() - begin, moved)]


class _Step:
    """A step that notes in ``layer`` whose operations follow.

    That is its first one that has a name: fused pairs go by their first.
    """

    def __init__(self, step, layer):
        self._step, self._layer = step, layer
        while hasattr(step, "first"):
            step = step.first
        self._name = step.name

    def __getattr__(self, name):
        self._layer[0] = self._name
        return getattr(self._step, name)


def _bytes(value):
    if isinstance(value, Signs):
        return value.words.nbytes
    if isinstance(value, Fixed):
        return value.integers.nbytes
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(_bytes, value)) if isinstance(value, tuple) else 0
