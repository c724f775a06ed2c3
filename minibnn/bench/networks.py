"""The network that is measured, one training step of it, and its images per second."""

from functools import partial

import numpy as np

from minibnn import deploy, nn, optim, zoo
from minibnn.bench.clock import rate
from minibnn.ops.threads import compute_threads

IMAGE = (32, 32, 3)
CLASSES = 10
WIDTHS, BATCHES = (32, 64, 128), (1, 10, 50, 200)


class Training:
    """BinaryNet with 8 times as many dense units as filters, and a random batch like CIFAR-10's.

    Bop and Adam have the constants of the paper's section 5.2.
    """

    def __init__(self, filters, batch_size, gradients="float32", seed=0):
        sizes = filters, 8 * filters
        self.net = zoo.binarynet(IMAGE, CLASSES, *sizes, seed=seed, gradients=gradients)
        binary = optim.Bop(gamma=1e-4, threshold=1e-8)
        self.optimizer = optim.Split(binary=binary, real=optim.Adam(lr=0.01))
        rng = np.random.default_rng(seed)
        self.x = rng.integers(0, 256, (batch_size, *IMAGE), np.uint8)
        self.labels = rng.integers(0, CLASSES, batch_size)

    def step(self):
        self.differentiate()
        self.optimizer.step(self.net.parameters())

    def differentiate(self):
        """Forward, loss and backward."""
        logits = self.net.forward(self.x, training=True)
        self.net.backward(nn.softmax_cross_entropy(logits, self.labels)[1])


def measure_rates(setting):
    """A dict per width, batch size and number of threads: images per second."""
    rows, effort = [], setting.effort
    usual = not setting.quick and setting.batch_size in BATCHES
    for filters in WIDTHS if setting.filters in WIDTHS else (setting.filters,):
        for size in BATCHES if usual else (setting.batch_size,):
            training = Training(filters, size)
            real = partial(training.net.forward, training.x)
            on_bits = partial(deploy.pack(training.net).forward, training.x)
            for threads in sorted({1, setting.threads}):
                row = {"filters": filters, "batch": size, "threads": threads}
                with compute_threads(threads):
                    for kind in setting.gradients:
                        training.net.gradients = kind
                        row[f"training {kind}"] = rate(size, training.step, effort)
                    row["inference"] = rate(size, real, effort)
                    row["packed"] = rate(size, on_bits, effort)
                rows.append(row)
    return rows
