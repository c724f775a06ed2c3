"""What rounding does to the gradient that Bop follows: the mean over many batches.

The gradient of one batch is mostly noise, which inertia averages away, and with it what rounding
adds at random. What rounding adds to every batch alike is a bias. Both are seen below the noise by
dealing the batches into two halves: their means a and a' are independent, each the true mean plus
noise, so the inner product <a, a'> has the square of the true one as its expectation. ``signal`` is
the root of that for gradients in float32, and under a width that for what rounding to it adds; both
in units of one batch's gradient (root mean square over the batches).

    python examples/results/rounding.py FILE --data-dir FOLDER   ends in kept/rounding.csv

FILE is a trained network, such as runs/results/packaged/checkpoint.npz; make.py draws the table.
"""

import argparse
import csv
from itertools import islice
from pathlib import Path

import numpy as np

import minibnn as bnn
from minibnn.data.batches import Batches
from minibnn.nn.losses import softmax_cross_entropy

KEPT = Path(__file__).resolve().parent / "kept" / "rounding.csv"
WIDTHS, BATCHES = ("int8", "int10"), 300


def measure(net, batches, widths=WIDTHS):
    """A dict per binary layer: its name, the signal, and the bias of each width."""
    kinds, kernels = ("float32", *widths), [p for p in net.parameters() if p.binary]
    sums = {(kind, p.name): np.zeros((2, *p.shape)) for kind in kinds for p in kernels}
    power, count = dict.fromkeys((p.name for p in kernels), 0.0), 0
    for count, (images, labels) in enumerate(batches, 1):
        for kind in kinds:
            net.gradients = kind
            _, dlogits = softmax_cross_entropy(net.forward(images, training=True), labels)
            net.backward(dlogits)
            for p in kernels:
                sums[kind, p.name][count % 2] += p.grad
                if kind == "float32":
                    power[p.name] += np.square(p.grad, dtype=np.float64).sum()
    rows = []
    for p in kernels:
        exact = sums["float32", p.name]
        unit = power[p.name] * count / 4  # of products of sums over half of the batches
        parts = {"signal": exact} | {kind: sums[kind, p.name] - exact for kind in widths}
        shares = {name: max(0, np.vdot(*halves)) / unit for name, halves in parts.items()}
        rows.append({"layer": p.name} | {name: f"{x**0.5:.4f}" for name, x in shares.items()})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="checkpoint.npz of a run")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where the files of CIFAR-10 are")
    asked = parser.parse_args()
    data = bnn.data.load("cifar10", asked.data_dir)
    batches = Batches(data.train_images, data.train_labels, 100, seed=0, augment="paper")
    rows = measure(bnn.load(asked.file), islice(batches.epoch(1), BATCHES))
    with open(KEPT, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
