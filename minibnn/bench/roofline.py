"""Where the milliseconds of a training step go, and what each pass would take at its limit.

A product cannot be faster than its tile on operands in the first-level cache (the first layer with
floats: than BLAS), and nothing faster than its inputs and outputs can be copied; the limit of a
pass is the later of the two. Arrays that stay in a cache may beat the copy, which is of arrays that
do not.
"""

import time
from collections import defaultdict
from statistics import median
from unittest.mock import patch

import numpy as np

from minibnn.bench.networks import Training, binarynet
from minibnn.bench.peaks import COPIED, copy_rate, peak_rates
from minibnn.bench.products import limits, products
from minibnn.ops import backend
from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed
from minibnn.ops.kernels import fixed_norm
from minibnn.ops.threads import compute_threads

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


def measure_roofline(
    threads=None, filters=128, dense_units=None, batch_size=50, gradients="float32", steps=9
):  # fmt: skip
    """A dict with the step's median seconds and a row per pass and layer, in their order."""
    import numba

    with compute_threads(threads), backend.using("numba"):
        threads = numba.get_num_threads()
        net = binarynet(filters, dense_units, gradients=gradients)
        known = {
            (p.layer, p.product): (p.macs, p.limit, p.signs)
            for p in products(net, batch_size, (gradients,))
        }
        peaks = peak_rates(threads)
        rates, copied = limits(peaks), copy_rate(COPIED)
        training = Training(net, batch_size)
        for _ in range(2):
            training.step()
        seen, whole = defaultdict(list), []
        for _ in range(steps):
            begin = time.perf_counter()
            training.step()
            whole.append(time.perf_counter() - begin)
            for place, call in enumerate(_one_step(training)):
                seen[place, *call[:2]].append(call[2:])
    rows = []
    for (_, layer, operation), found in seen.items():
        seconds, moved = median(s for s, _ in found), found[0][1]
        product = OPERATIONS.get(operation, "")
        macs, limit, signs = known.get((layer, product), (0, "", False))
        at_peak = macs / rates[limit] if rates.get(limit) else 0.0
        at_memory = moved / copied
        rows.append(
            {
                "layer": layer,
                "operation": operation,
                "product": product,
                "signs": signs,
                "macs": macs,
                "bytes": moved,
                "seconds": seconds,
                "limit_seconds": max(at_peak, at_memory),
                "limit": "peak" if at_peak > at_memory else "memory",
            }
        )
    return {
        "seconds": median(whole),
        "filters": filters,
        "batch": batch_size,
        "threads": threads,
        "gradients": gradients,
        "copy_gb_per_s": copied / 1e9,
        "peaks_gmacs_per_s": {k: v and v / 1e9 for k, v in peaks.items()},
        "rows": rows,
    }


def by_pass(rows):
    """Rows of the same pass of all layers added up; see ``PASSES``."""
    out = {}
    for row in rows:
        name = _pass_of(row)
        total = out.setdefault(
            name, {"pass": name, "macs": 0, "bytes": 0, "seconds": 0.0, "limit_seconds": 0.0}
        )
        for field in ("macs", "bytes", "seconds", "limit_seconds"):
            total[field] += row[field]
    return list(out.values())


def _pass_of(row):
    if not row["product"]:
        return row["operation"].replace("_", " ")
    kind = "convolutions" if row["layer"].startswith("conv") else "dense layers"
    if not row["signs"]:
        kind = "first layer"
    return f"{row['product']} of {kind}"


def _one_step(training):
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
