"""Optimizer steps in bytes per second, beside a plain copy that moves as many."""

import numpy as np

from minibnn import nn, optim
from minibnn.bench.clock import FULL, measure
from minibnn.bench.peaks import copy_rate

WEIGHTS = 9 * 512 * 1024  # as many as the largest kernel of BinaryNet has
NAMES = ("Bop", "Bop2ndOrder", "CEMA", "LatentSGD", "LatentSGD, momentum", "LatentAdam", "SGD",
         "Adam")  # fmt: skip


def optimizers():
    """Name -> a new optimizer of each kind."""
    made = (
        optim.Bop(gamma=1e-4, threshold=1e-8),
        optim.Bop2ndOrder(),
        optim.CEMA(),
        optim.LatentSGD(lr=0.1),
        optim.LatentSGD(lr=0.1, momentum=0.9),
        optim.LatentAdam(lr=1e-3),
        optim.SGD(lr=0.1),
        optim.Adam(lr=0.01),
    )
    return dict(zip(NAMES, made, strict=True))


def measure_optimizers(weights=WEIGHTS, effort=FULL, seed=0):
    """Yield a dict per optimizer: its step on one parameter of ``weights`` entries.

    The step is the one training calls, checks included. What it has to move, and is counted, is
    the gradient once, and the weights and its state twice: read and written.
    """
    rng = np.random.default_rng(seed)
    gradient = rng.normal(size=weights).astype(np.float32)
    signs = 1 - 2 * rng.integers(0, 2, weights, np.int8)
    copies = {}
    for name, optimizer in optimizers().items():
        binary = optimizer.trains == "binary"
        p = nn.Parameter("kernel", signs if binary else gradient, binary=binary)
        p.grad = gradient
        run = measure(lambda optimizer=optimizer, p=p: optimizer.step([p]), effort)
        moved = gradient.nbytes + 2 * (p.value.nbytes + optimizer.state_bytes())
        if moved not in copies:
            copies[moved] = copy_rate(moved, effort)
        yield {
            "optimizer": name,
            "weights": weights,
            "bytes": moved,
            "seconds": run.median,
            "low": run.low,
            "high": run.high,
            "runs": run.runs,
            "gb_per_s": moved / run.median / 1e9,
            "copy_gb_per_s": copies[moved] / 1e9,
        }
