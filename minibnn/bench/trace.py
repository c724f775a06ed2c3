"""A training step taken apart: what each operation of each layer takes, and moves."""

import time
from collections import defaultdict
from statistics import median
from unittest.mock import patch

import numpy as np

from minibnn.ops import backend
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels import fixed_norm

# Which product of ``bench.products`` an operation is.
OPERATIONS = {
    "binary_conv2d": "forward",
    "binary_conv2d_pool": "forward",
    "binary_dense": "forward",
    "binary_conv2d_grad_input": "input gradient",
    "binary_conv2d_pool_grad_input": "input gradient",
    "binary_dense_grad_input": "input gradient",
    "binary_conv2d_grad_kernel": "kernel gradient",
    "binary_conv2d_pool_grad_kernel": "kernel gradient",
    "binary_dense_grad_kernel": "kernel gradient",
}

# What a pass of batch normalisation's gradient from integers makes of its entries, by mode.
ENTRIES = {
    fixed_norm.VALUES: "values",
    fixed_norm.LARGEST: "largest entry",
    fixed_norm.ROUNDED: "rounding",
}


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
        product = OPERATIONS.get(operation, "")
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
    chain, recorder = training.net.chain, _Recorder()
    timed, entries = recorder.timed, fixed_norm._entries
    passes = {
        "_exact_sums": timed("batch_norm_grad: exact sums", fixed_norm._exact_sums),
        "_entries": lambda *a: timed("batch_norm_grad: " + ENTRIES[a[-2]], entries)(*a),
    }
    with (
        patch.object(backend.ops, "__dict__", recorder.operations()),
        patch.object(chain, "steps", [_Step(step, recorder) for step in chain.steps]),
        patch.multiple(fixed_norm, **passes),
    ):
        training.differentiate()
    parameters = training.net.parameters()
    begin = time.perf_counter()
    training.optimizer.step(parameters)
    moved = 2 * training.optimizer.state_bytes()
    moved += sum(2 * p.value.nbytes + p.grad.nbytes for p in parameters)
    return [*recorder.calls, ("", "optimizer_steps", time.perf_counter() - begin, moved)]


class _Recorder:
    """Passes every operation on and notes what it took.

    Of one whose passes are timed too, what is left: the time of its own, and no bytes.
    """

    def __init__(self):
        self.calls, self.layer, self._inside = [], "", 0.0

    def operations(self):
        """Those of the active backend, by name, each noted whenever it is called."""
        own = {"backend": backend.backend_name()} | vars(backend.ops)
        return {k: self.timed(k, v) if callable(v) else v for k, v in own.items()}

    def timed(self, name, operation):
        """``operation``, noted as ``name`` whenever it is called."""

        def call(*arguments, **options):
            inside, begin = self._inside, time.perf_counter()
            result = operation(*arguments, **options)
            seconds = time.perf_counter() - begin
            if any(result is a for a in arguments):  # nothing was to be done
                return result
            own, moved = seconds, _bytes((arguments, tuple(options.values()), result))
            if self._inside > inside:
                own, moved = seconds - (self._inside - inside), 0
            self._inside = inside + seconds
            self.calls.append((self.layer, name, own, moved))
            return result

        return call


class _Step:
    """A step that tells the recorder which layer's operations follow.

    That is its first one that has a name: fused pairs go by their first.
    """

    def __init__(self, step, recorder):
        self._step, self._recorder = step, recorder
        while hasattr(step, "first"):
            step = step.first
        self._name = step.name

    def __getattr__(self, name):
        self._recorder.layer = self._name
        return getattr(self._step, name)


def _bytes(value):
    if isinstance(value, Signs):
        return value.words.nbytes
    if isinstance(value, Fixed):
        return value.integers.nbytes
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(map(_bytes, value)) if isinstance(value, tuple) else 0
