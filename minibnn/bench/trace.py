"""A training step taken apart: what each operation of each layer takes, and moves."""

import time
from collections import defaultdict
from math import prod
from statistics import median
from unittest.mock import patch

import numpy as np

from minibnn.nn import BinaryConv2D, BinaryDense
from minibnn.ops import backend


def product_of(operation):
    """Which product of a layer an operation is, "" of others.

    >>> product_of("binary_conv2d_pool_grad_input"), product_of("binary_dense"), product_of("batch")
    ('input gradient', 'forward', '')
    """
    if not operation.startswith(("binary_conv2d", "binary_dense")):
        return ""
    _, grad, side = operation.partition("_grad_")
    return f"{side} gradient" if grad else "forward"


def traced(training, steps):
    """The median seconds of whole steps, and a dict per operation of one taken apart, in order.

    ``pass`` is the name under which operations of all layers are added up. Of a product, ``shape``
    is that of the matrix product it amounts to (rows, length of the sums, columns); ``macs`` are
    its multiply-adds, also where 2x2 max pooling is part of it (``pooled``) and leaves some out;
    ``signs`` tells whether its input is signs rather than bytes.
    """
    for _ in range(2):
        training.step()
    seen, whole = defaultdict(list), []
    for _ in range(steps):
        begin = time.perf_counter()
        training.step()
        whole.append(time.perf_counter() - begin)
        for place, (layer, operation, seconds, moved) in enumerate(one_step(training)):
            seen[place, layer, operation, moved].append(seconds)
    rows, shapes, first = [], _shapes(training), training.net.layers[0].name
    for (_, layer, operation, moved), seconds in seen.items():
        product = product_of(operation)
        row = {"layer": layer, "operation": operation, "product": product}
        row |= {"pass": operation.replace("_", " "), "bytes": moved, "seconds": median(seconds)}
        if product:
            kind = "convolutions" if layer.startswith("conv") else "dense layers"
            row["pass"] = f"{product} of {'first layer' if layer == first else kind}"
            row |= {"shape": shapes[layer], "macs": prod(shapes[layer])}
            row |= {"pooled": "_pool" in operation, "signs": layer != first}
        rows.append(row)
    return median(whole), rows


def _shapes(training):
    """{layer: [rows, length of the sums, columns]} of all layers with a binary kernel."""
    found, shape = {}, training.net.input_shape
    for layer in training.net.layers:
        shape = layer.output_shape(shape)
        if isinstance(layer, BinaryConv2D | BinaryDense):
            *inner, columns = layer.kernel.shape
            found[layer.name] = [len(training.x) * prod(shape[:-1]), prod(inner), columns]
    return found


def summed(rows, keys, fields):
    """A row for each combination of ``keys``, with the sums of ``fields``."""
    totals = {}
    for row in rows:
        group = {key: row[key] for key in keys}
        total = totals.setdefault(tuple(group.values()), group | dict.fromkeys(fields, 0))
        for field in fields:
            total[field] += row[field]
    return [*totals.values()]


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

    own = {"backend": backend.ops.backend} | vars(backend.ops)
    with (
        patch.object(backend.ops, "__dict__", {k: timed(k, v) for k, v in own.items()}),
        patch.object(chain, "steps", [_Step(step, layer) for step in chain.steps]),
    ):
        training.differentiate()
    parameters = training.net.parameters()
    begin = time.perf_counter()
    training.optimizer.step(parameters)
    seconds = time.perf_counter() - begin
    moved = 2 * training.optimizer.state_bytes()
    moved += sum(2 * p.value.nbytes + p.grad.nbytes for p in parameters)
    return [*calls, ("", "optimizer_steps", seconds, moved)]


class _Step:
    """A step that notes in ``layer`` whose operations follow: of fused ones the first."""

    def __init__(self, step, layer):
        self._step, self._layer = step, layer
        while hasattr(step, "first"):
            step = step.first
        self._name = step.name

    def __getattr__(self, name):
        self._layer[0] = self._name
        return getattr(self._step, name)


def _bytes(value):
    if isinstance(value, tuple):
        return sum(map(_bytes, value))
    array = getattr(value, "words", getattr(value, "integers", value))  # of Signs, of Fixed
    return array.nbytes if isinstance(array, np.ndarray) else 0
