"""Small runs with integer gradients whose every bit is known: ``python golden_runs.py [NAME ...]``.

Prints a line for each run: its name, the network's digest, and what the run reports. They must be
those of ``golden.txt`` on every machine, backend, vector path and BLAS, with any number of threads
and of MPI ranks. A change of what is computed has to change that file, and say so.
"""

import sys
from pathlib import Path

import numpy as np

import minibnn as bnn
from minibnn.training import Ranks

GOLDEN = Path(__file__).with_name("golden.txt")
OPTIMIZERS = {
    "bop": "bop:gamma=cosine:1e-2:1e-4,threshold=1e-6",
    "latent-sgd": "latent-sgd:lr=cosine:3:0,momentum=0.9",
    "latent-adam": "latent-adam:lr=exp:1e-2:0.5:30",
}


def golden():
    """{name: the rest of its line}."""
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))


def optimizer(text):
    binary = bnn.optim.parse_optimizer(text)
    return bnn.optim.Split(binary=binary, real=bnn.optim.Adam(lr=0.01))


def digits(name, ranks):
    """Three epochs of the digits."""
    data = bnn.data.load("digits")
    net = bnn.zoo.digits_net(filters=16, dense_units=64, seed=0, gradients="int8")
    how = {"epochs": 3, "batch_size": 50, "seed": 0, "progress": False}
    ranked = {"ranks": ranks, "sync_batch_norm": True}
    history = bnn.fit(net, optimizer(OPTIMIZERS[name]), data, **how, **ranked)
    last = history.last
    return net, [last["train_loss"], last["test_loss"], last["test_accuracy"]]


def binarynet(gradients, ranks, steps=20, batch_size=10):
    """Twenty steps of a narrow BinaryNet on made images."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (steps * batch_size, 32, 32, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, len(images))
    data = bnn.data.from_arrays(images, labels, images[:10], labels[:10])
    net = bnn.zoo.binarynet(filters=8, dense_units=32, seed=0, gradients=gradients)
    how = {"epochs": 1, "batch_size": batch_size, "seed": 0, "progress": False}
    ranked = {"ranks": ranks, "sync_batch_norm": True}
    history = bnn.fit(net, optimizer(OPTIMIZERS["bop"]), data, **how, **ranked)
    return net, [history.last["train_loss"]]


RUNS = {name: lambda ranks, name=name: digits(name, ranks) for name in OPTIMIZERS}
RUNS["binarynet"] = lambda ranks: binarynet("int9", ranks)
RUNS["centred"] = lambda ranks: binarynet("int8-centred", ranks)


def line(name, ranks):
    """What a run gives: its digest and its figures, to the last digit."""
    net, figures = RUNS[name](ranks)
    return " ".join([net.digest(), *map(repr, map(float, figures))])


if __name__ == "__main__":
    ranks = Ranks.world()
    for name in sys.argv[1:] or RUNS:
        text = line(name, ranks)
        if ranks.first:
            print(name, text, flush=True)
