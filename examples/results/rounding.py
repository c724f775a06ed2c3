"""What rounding does to the gradient that Bop follows: the mean over many batches.

The gradient of one batch is mostly noise, which inertia averages away, and with it what rounding
adds at random. What rounding adds to every batch alike stays. Both are seen below the noise by the
inner products of different batches' gradients: of g and g', each the true mean plus its own noise,
the expectation of <g, g'> is the square of the true one. ``signal`` is the root of the mean of that
over all pairs, for gradients in float32, and under a width that for what rounding to it adds; both
in units of one batch's gradient (root mean square over the batches). A negative mean counts as 0.

    python examples/results/rounding.py FILE --data-dir FOLDER   ends in kept/rounding.csv

FILE is a trained network, such as runs/results/cutout/checkpoint.npz; make.py draws the table.
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


def gradients(net, kind, images, labels):
    """Of the binary kernels, with that width of gradients."""
    net.gradients = kind
    net.backward(softmax_cross_entropy(net.forward(images, training=True), labels)[1])
    return [p.grad.astype(np.float64) for p in net.parameters() if p.binary]


def measure(net, batches, widths=WIDTHS):
    """A dict per binary layer: its name, the signal, and what each width adds."""
    kernels = [p for p in net.parameters() if p.binary]
    sums = {name: [np.zeros(p.shape) for p in kernels] for name in ("signal", *widths)}
    squares, count = {name: np.zeros(len(kernels)) for name in sums}, 0
    for images, labels in batches:
        exact = gradients(net, "float32", images, labels)
        parts = {"signal": exact}
        for kind in widths:
            rounded = gradients(net, kind, images, labels)
            parts[kind] = [g - e for g, e in zip(rounded, exact, strict=True)]
        for name, own in parts.items():
            for k, part in enumerate(own):
                sums[name][k] += part
                squares[name][k] += np.vdot(part, part)
        count += 1
    rows = []
    for k, p in enumerate(kernels):
        row, unit = {"layer": p.name}, (count - 1) * squares["signal"][k]
        for name, own in sums.items():
            pairs = np.vdot(own[k], own[k]) - squares[name][k]  # products of different batches
            row[name] = f"{max(0, pairs / unit) ** 0.5:.4f}"
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="checkpoint.npz of a run")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where the files of CIFAR-10 are")
    asked = parser.parse_args()
    data = bnn.data.load("cifar10", asked.data_dir)
    batches = Batches(data.train_images, data.train_labels, 100, seed=0, augment="cutout")
    rows = measure(bnn.load(asked.file), islice(batches.epoch(1), BATCHES))
    with open(KEPT, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
