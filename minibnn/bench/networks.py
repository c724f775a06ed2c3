"""The network that is measured, and one training step of it."""

import numpy as np

from minibnn import nn, optim, zoo

IMAGE = (32, 32, 3)
CLASSES = 10


def binarynet(filters=128, gradients="float32", seed=0):
    """BinaryNet on images of CIFAR-10's size, with 8 times as many dense units as filters."""
    return zoo.binarynet(IMAGE, CLASSES, filters, 8 * filters, seed, gradients)


class Training:
    """A network, Bop and Adam with the constants of the paper's section 5.2, and a random batch."""

    def __init__(self, net, batch_size, seed=0):
        self.net = net
        binary = optim.Bop(gamma=1e-4, threshold=1e-8)
        self.optimizer = optim.Split(binary=binary, real=optim.Adam(lr=0.01))
        rng = np.random.default_rng(seed)
        self.x = rng.integers(0, 256, (batch_size, *IMAGE), np.uint8)
        self.labels = rng.integers(0, CLASSES, batch_size)

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
