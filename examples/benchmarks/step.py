"""The step that every peer makes, and how a peer is asked for it.

The network is BinaryNet: six 3x3 convolutions (f, f, pool, 2f, 2f, pool, 4f, 4f, pool) and three
dense layers without biases; max pooling stands before batch normalisation, which has no scale;
the sign of every layer's input but the first's is taken, its gradient passes where |x| <= 1. A step
is: bytes to [-1, 1], forward, softmax cross-entropy, backward, Bop on the binary kernels, Adam on
the offsets of batch normalisation. Every peer starts from the same kernels and trains on the same
images, so that the losses and flips of its first steps show that it does the same.

With ``--network`` it is one of the paper's ImageNet networks instead, as ``networks.py`` describes
them, on random floats of 224x224; Adam then trains all that is real, at the rate of the recipes.

Needs NumPy only. A peer's script calls ``main`` with a function that makes an object with
``train() -> loss``, ``infer() -> logits``, ``kernels() -> the binary ones in this order`` and
``versions``; ``counts()``, if it has that, gives the numbers of its parameters and of its logits;
``compiled``, if it has that, says that code was compiled that the next process finds on disk;
``jobs``, that not both of train and infer are to be timed.
"""

import argparse
import json
import os
import platform
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from networks import NETWORKS
from networks import first_kernels as first_kernels_of

IMAGE, CLASSES = (32, 32, 3), 10
GAMMA, THRESHOLD, LR = 1e-4, 1e-8, 0.01  # section 5.2 of the paper
EPSILON, MOMENTUM = 1e-3, 0.99  # of batch normalisation
POOLED = (1, 3, 5)  # the convolutions followed by 2x2 max pooling
WARM = 3  # training steps before anything is timed


def kernel_shapes(filters, dense_units):
    """Shapes of the kernels, HWIO and [inputs, units]."""
    f, height = filters, IMAGE[0] - 2
    widths = (IMAGE[2], f, f, 2 * f, 2 * f, 4 * f, 4 * f)
    shapes = [(3, 3, *pair) for pair in pairwise(widths)]
    units = ((height // 8) ** 2 * 4 * f, dense_units, dense_units, CLASSES)
    return shapes + list(pairwise(units))


def first_kernels(filters, dense_units, seed=0):
    """Random signs, int8."""
    rng = np.random.default_rng(seed)
    return [1 - 2 * rng.integers(0, 2, s, np.int8) for s in kernel_shapes(filters, dense_units)]


def batch(size, network="binarynet", seed=0):
    """Random images, NHWC, and labels: bytes, or for an ImageNet network normalised floats."""
    rng = np.random.default_rng([seed, size])
    if network == "binarynet":
        return rng.integers(0, 256, (size, *IMAGE), np.uint8), rng.integers(0, CLASSES, size)
    known = NETWORKS[network]
    images = rng.standard_normal((size, *known.image), np.float32)
    return images, rng.integers(0, known.classes, size)


def kernels_of(network, filters, dense_units):
    """The first kernels of any network: int8 where binary, else float32."""
    if network == "binarynet":
        return first_kernels(filters, dense_units)
    known = NETWORKS[network]
    return first_kernels_of(known.sized(filters, dense_units), known.image)


def main(make, networks=("binarynet",)):
    """Run a peer: by itself, or with ``--worker`` for ``run.py``.

    ``make(filters, dense_units, batch_size, threads)`` makes the peer; one that knows more
    ``networks`` is given ``network`` too.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__.splitlines()[0])
    parser.add_argument("--network", choices=networks, default="binarynet")
    parser.add_argument("--filters", type=int, metavar="N", help="default: as published")
    parser.add_argument("--dense-units", type=int, metavar="N", help="default: in proportion")
    parser.add_argument("--batch-size", type=int, metavar="N", help="default: 50, of ImageNet's 16")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--steps", type=int, default=10, metavar="N", help="timed steps")
    parser.add_argument("--worker", action="store_true", help="obey JSON lines on standard input")
    asked = parser.parse_args()
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w") if asked.worker else sys.stdout
    if asked.worker:
        os.dup2(2, 1)
    size, batch_size = settled(asked)
    begin = time.perf_counter()
    more = {"network": asked.network} if len(networks) > 1 else {}
    peer = make(*size, batch_size, asked.threads, **more)
    losses = [float(peer.train()) for _ in range(WARM)]
    seconds = time.perf_counter() - begin
    binary = [k for k in kernels_of(asked.network, *size) if k.dtype == np.int8]
    changed = zip(binary, peer.kernels(), strict=True)
    flips = [int(np.count_nonzero(np.sign(a) != np.sign(b))) for a, b in changed]
    ready = {
        "losses": losses,
        "flips": flips,
        "counts": peer.counts() if hasattr(peer, "counts") else None,
        "compiled": getattr(peer, "compiled", False),
        "jobs": getattr(peer, "jobs", ("train", "infer")),
        "versions": {"Python": platform.python_version(), **peer.versions},
        "ready_seconds": seconds,
    }
    if not asked.worker:
        trained = timed(peer.train, asked.steps)
        peer.infer()  # may compile
        inferred = timed(peer.infer, asked.steps)
        print(json.dumps(ready, indent=2))
        for name, seconds in (("training", trained), ("inference", inferred)):
            middle = sorted(seconds)[len(seconds) // 2]
            print(f"{name}: {batch_size / middle:.1f} images/s")
        print(f"peak memory: {peak_memory() / 1e6:.0f} MB")
        return
    _answer(answers, ready)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "memory":
            _answer(answers, {"peak_bytes": peak_memory()})
        else:
            call = {"train": peer.train, "infer": peer.infer}[order["do"]]
            call()  # caches and clock belonged to somebody else
            _answer(answers, {"seconds": timed(call, order["steps"])})


def settled(asked):
    """((filters, dense units), batch size), as asked for or the network's own."""
    known = NETWORKS.get(asked.network)
    filters = asked.filters or (known.filters if known else 128)
    units = asked.dense_units or (known.units(filters) if known else 8 * filters)
    return (filters, units), asked.batch_size or (16 if known else 50)


def timed(call, steps):
    """Seconds of each of ``steps`` calls."""
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return seconds


def peak_memory():
    """The most bytes this process has held in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would remember the process that started this one
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _answer(answers, what):
    print(json.dumps(what), file=answers, flush=True)
