"""How much of Bop's moving average several ranks would have to tell each other.

Bop's m is linear in the gradient: the mean of every rank's own average m_r is the average of the
mean gradient. A weight w flips where w m > threshold, which cannot be so unless w m_r > threshold
on some rank. So ranks may exchange one bit for each weight (does it look like a flip to me?) and
m_r itself only where any rank said yes; there every m_r is then set to the mean, which changes no
sum. Flips are the same as with all gradients exchanged, but for rounding. Nothing is saved on the
real parameters.

This plays N ranks in one process, on their pieces of the same batches, and counts such weights.
No times are taken. BinaryNet on CIFAR-10, settings of section 5.2.

    python exchange.py --data-dir FOLDER --ranks 2 10 --steps 1000
"""

import argparse
import json
import sys

import numpy as np

import minibnn as bnn
from minibnn.data import Batches

GAMMA, THRESHOLD, LR = np.float32(1e-4), np.float32(1e-8), 0.01  # section 5.2 of the paper


class Ranks:
    """Averages of N ranks on one flat vector of weights."""

    def __init__(self, count, size):
        self.own = np.zeros((count, size), np.float32)  # m_r
        self.whole = np.zeros(size, np.float32)  # m, of the mean gradient

    def step(self, w, gradients):
        """Take one gradient of each rank.

        Parameters
        ----------
        w : (size,) float32, ±1
        gradients : (ranks, size) float32

        Returns
        -------
        (flips as bools, how many weights were exchanged, how many flips the exchange of all
        gradients would have decided otherwise)
        """
        for m, g in zip(self.own, gradients, strict=True):
            m *= 1 - GAMMA
            m += GAMMA * g
        self.whole *= 1 - GAMMA
        self.whole += GAMMA * gradients.mean(0, dtype=np.float32)
        places = np.flatnonzero((w * self.own > THRESHOLD).any(0))
        mean = self.own[:, places].mean(0, dtype=np.float32)
        self.own[:, places] = mean
        flips = np.zeros(len(w), bool)
        flips[places] = w[places] * mean > THRESHOLD
        expected = w * self.whole > THRESHOLD
        return expected, len(places), int(np.count_nonzero(flips != expected))


def play(data, ranks, batch_size, filters, steps):
    """A dict: shares of weights exchanged along the run, flips, and those decided otherwise."""
    net = bnn.zoo.binarynet(filters=filters, dense_units=8 * filters)
    parameters = net.parameters()
    binary = [p for p in parameters if p.binary]
    real = [p for p in parameters if not p.binary]
    adam = bnn.optim.Adam(lr=LR)
    averages = Ranks(ranks, sum(p.size for p in binary))
    batches = Batches(data.train_images, data.train_labels, batch_size, 0, "paper")
    shares, flips, otherwise, done, epoch = [], 0, 0, 0, 0
    while done < steps:
        for images, labels in batches.epoch(epoch):
            gradients, real_gradients = [], []
            for piece in np.split(np.arange(batch_size), ranks):
                logits = net.forward(images[piece], training=True)
                _, dlogits = bnn.nn.softmax_cross_entropy(logits, labels[piece])
                net.backward(dlogits)
                gradients.append(np.concatenate([p.grad.ravel() for p in binary]))
                real_gradients.append([p.grad.copy() for p in real])
            w = np.concatenate([p.value.ravel() for p in binary]).astype(np.float32)
            flipped, exchanged, other = averages.step(w, np.array(gradients))
            w[flipped] *= -1
            start = 0
            for p in binary:
                p.assign(w[start : start + p.size].reshape(p.shape).astype(np.int8))
                start += p.size
            for p, *found in zip(real, *real_gradients, strict=True):
                p.grad = np.mean(found, axis=0, dtype=np.float32)
            adam.step(real)
            shares.append(exchanged / len(w))
            flips += int(np.count_nonzero(flipped))
            otherwise += other
            done += 1
            if done == steps:
                break
        epoch += 1
    marks = [k for k in (1, 10, 100, 300, 1000, 3000, 10000) if k < steps] + [steps]
    return {
        "ranks": ranks,
        "batch": batch_size,
        "filters": filters,
        "steps": steps,
        "weights": len(w),
        "shares": {str(k): float(np.mean(shares[max(0, k - 20) : k])) for k in marks},
        "flips": flips,
        "flips_decided_otherwise": otherwise,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", metavar="FOLDER", help="of CIFAR-10; default: downloaded")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 10], metavar="N")
    parser.add_argument("--batch-size", type=int, default=50, metavar="N", help="of all ranks")
    parser.add_argument("--filters", type=int, default=32, metavar="N")
    parser.add_argument("--steps", type=int, default=1000, metavar="N")
    asked = parser.parse_args()
    data = bnn.data.load("cifar10", asked.data_dir)
    found = []
    for ranks in asked.ranks:
        if asked.batch_size % ranks:
            parser.error(f"--batch-size {asked.batch_size} does not divide by {ranks} ranks")
        print(f"{ranks} ranks", file=sys.stderr, flush=True)
        found.append(play(data, ranks, asked.batch_size, asked.filters, asked.steps))
    print(json.dumps({"exchange": found}, indent=2))


if __name__ == "__main__":
    main()
