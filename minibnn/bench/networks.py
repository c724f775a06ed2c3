"""The networks that are measured, and one training step of them."""

import numpy as np

from minibnn import nn, optim, zoo

PICTURE = (32, 32, 3)
CLASSES = 10


def binarynet(filters=128, dense_units=None, seed=0, gradients="float32"):
    """BinaryNet on pictures of CIFAR-10's size; dense units are 8 times the filters if not said."""
    return zoo.binarynet(PICTURE, CLASSES, filters, dense_units or 8 * filters, seed, gradients)


def batch(size, seed=0):
    """Random pictures (bytes) and labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size, *PICTURE), np.uint8), rng.integers(0, CLASSES, size)


def optimizer():
    """Bop for the bits and Adam for the rest, with the constants of the paper's section 5.2."""
    return optim.Split(binary=optim.Bop(gamma=1e-4, threshold=1e-8), real=optim.Adam(lr=0.01))


class Training:
    """A network, its optimizer and one batch; ``step`` trains on it."""

    def __init__(self, net, batch_size, seed=0):
        self.net, self.optimizer = net, optimizer()
        self.x, self.labels = batch(batch_size, seed)

    def step(self):
        """``differentiate`` and the optimizer's step; the loss."""
        loss = self.differentiate()
        self.optimizer.step(self.net.parameters())
        return loss

    def differentiate(self):
        """Forward, loss and backward; the loss."""
        logits = self.net.forward(self.x, training=True)
        loss, dlogits = nn.softmax_cross_entropy(logits, self.labels)
        self.net.backward(dlogits)
        return float(loss)

    def infer(self):
        """Logits in evaluation mode."""
        return self.net.forward(self.x)
