"""What the ranks of test_distributed run: ``mpiexec -n 2 python mpi_programs.py NAME ...``."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from small_runs import fit, optimizer, small_net

import minibnn as bnn
from minibnn.data import Batches
from minibnn.ops import reference
from minibnn.ops.backend import ops
from minibnn.training.distributed import Ranks
from minibnn.training.run import Run

BATCH = 20
GAMMA, THRESHOLD = 1e-2, 1e-6  # of small_runs.BOP
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}


def step_by_step(ranks, data, net, steps, seed=1):
    """At each step, from one state: all ranks with synchronised statistics, and one rank alone.

    Yields what differs: (signs that differ, of which within rounding of the threshold, worst
    difference of a gradient by its scale, whether moving statistics of integers are equal).
    """
    from minibnn.nn import LOSSES

    batches = Batches(data.train_images, data.train_labels, data_batch(data), seed, augment="none")
    loss = LOSSES["softmax_cross_entropy"]
    whole_net = net.copy()
    ours, whole = optimizer(), optimizer()
    for one, n in ((ours, net), (whole, whole_net)):
        one.bind(steps, steps)
        one.prepare(n.parameters())
    together = Run("together", net, ours, loss, ranks, sync_batch_norm=True)
    alone = Run("alone", whole_net, whole, loss)
    epoch = zip(batches.epoch(0, rank=ranks.rank, ranks=ranks.size), batches.epoch(0), strict=True)
    record_terms(terms := [])
    with together.exchange:
        for number, (piece, batch) in enumerate(epoch):
            if number == steps:
                return
            alone.load_state(*together.state())
            together.train_step(*piece)
            terms.clear()
            alone.train_step(*batch)
            yield compare(net, whole_net, whole, terms)


def data_batch(data):
    return BATCH if data.name == "digits" else 50


def compare(net, whole_net, whole, terms):
    """One row of ``step_by_step``.

    The scale of a kernel's gradient is, per output, the sum of the magnitudes of its terms
    (activations are at most 1): how far two orders of a float32 sum can be apart depends on it,
    and the terms cancel. That of another gradient is its largest entry.
    """
    differ = near = 0
    worst = 0.0
    for p, q in zip(net.parameters(), whole_net.parameters(), strict=True):
        scale = terms.pop() if p.binary else np.abs(q.grad).max()
        error = np.abs(p.grad - q.grad)
        worst = max(worst, float((error / np.maximum(scale, 1e-30)).max()))
        if p.binary:
            other = p.value != q.value
            m = np.abs(whole.binary.state_dict()[f"{p.name}/m"])
            differ += int(other.sum())
            near += int((other & (np.abs(m - THRESHOLD) <= 1e-6 * (GAMMA * scale + m))).sum())
    assert not terms
    exact = True
    pairs = zip(net.chain.walk(), whole_net.chain.walk(), strict=True)
    norms = [(a, b) for a, b in pairs if isinstance(a, bnn.nn.BatchNorm)]
    for a, b in norms[1:]:  # the first one's are sums of floats, equal but for rounding
        exact &= np.array_equal(a.mean, b.mean) and np.array_equal(a.variance, b.variance)
    return differ, near, worst, exact


def record_terms(terms):
    """From now on, each gradient of a kernel adds the sums of |dy| per output to ``terms``."""

    def recording(function):
        def grad_kernel(x, dy, *rest):
            terms.append(np.abs(dy).sum(tuple(range(dy.ndim - 1)), dtype=np.float64))
            return function(x, dy, *rest)

        return grad_kernel

    for name in reference.__all__:
        if name.endswith("grad_kernel"):
            setattr(ops, name, recording(getattr(ops, name)))


def equal_steps(steps, cifar=None):
    ranks = Ranks.world(required=True)
    data = bnn.data.load("cifar10", cifar) if cifar else bnn.data.load("digits")
    net = small_net(filters=8)
    if cifar:
        net = bnn.zoo.binarynet(data.input_shape, 10, filters=16, dense_units=64, seed=0)
    with ranks.guard():
        found = list(step_by_step(ranks, data, net, int(steps)))
        assert len(set(ranks.gather(net.digest()))) == 1
    if ranks.first:
        print(json.dumps(found))


def run_folder(out, *words):
    """A small run; words such as epochs=4, or kill=12: the last rank dies at its 12th batch."""
    given = dict(word.split("=") for word in words)
    ranks = Ranks.world(required=True)
    for name in ("kill", "term", "fail"):
        if name in given and ranks.rank == ranks.size - 1:
            at(int(given[name]), name, out)
        given.pop(name, None)
    settings = {name: int(value) for name, value in given.items()}
    try:
        history = fit(out, ranks=ranks, augment="paper", **settings)
    except (KeyboardInterrupt, bnn.InputError) as error:
        if ranks.first:
            print(error)
        sys.exit(getattr(error, "exit_code", 2))
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    assert len(set(map(json.dumps, ranks.gather(rows)))) == 1
    if ranks.first:
        print("done")


def at(batch, what, out):
    """At the start of that batch, kill or stop this process, or raise an error in it.

    A file in ``out`` tells when it was killed.
    """
    step, count = Run.train_step, [0]

    def train_step(self, x, labels):
        count[0] += 1
        if count[0] == batch:
            if what == "fail":
                raise bnn.InputError("this image is torn")
            Path(out, "killed").touch()
            os.kill(os.getpid(), SIGNALS[what])
        step(self, x, labels)

    Run.train_step = train_step


PROGRAMS = {"equal_steps": equal_steps, "run_folder": run_folder}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
