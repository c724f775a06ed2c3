"""All that ``minibnn evaluate`` tells: loss and accuracy, which classes are mistaken, and speed."""

import time
from typing import NamedTuple

import numpy as np

from minibnn.training.evaluate import Evaluation, evaluate


class Measured(NamedTuple):
    """What ``measure`` found.

    Attributes
    ----------
    evaluation : Evaluation
    confusion : (classes, classes) int64
        Pictures by their class (row) and the network's answer (column).
    seconds : float
        Spent in the network alone, its kernels loaded and compiled before.
    """

    evaluation: Evaluation
    confusion: np.ndarray
    seconds: float

    @property
    def images_per_second(self):
        return self.evaluation.count / self.seconds


def measure(net, data, *, batch_size=500, loss="softmax_cross_entropy"):
    """``evaluate`` on the test pictures of a Dataset, with confusion and speed; a Measured."""
    classes = net.output_shape[-1]
    confusion = np.zeros((classes, classes), np.int64)

    def count(outputs, labels):
        np.add.at(confusion, (labels, outputs.argmax(axis=1)), 1)

    net = _Timed(net)
    net.predict(np.asarray(data.test_images[:batch_size]), batch_size)
    net.seconds = 0.0
    return Measured(
        evaluate(net, data, batch_size=batch_size, loss=loss, each=count), confusion, net.seconds
    )


class _Timed:
    """A network that counts the seconds it takes."""

    def __init__(self, net):
        self.net, self.seconds, self.output_shape = net, 0.0, net.output_shape

    def predict(self, images, batch_size):
        start = time.perf_counter()
        outputs = self.net.predict(images, batch_size=batch_size)
        self.seconds += time.perf_counter() - start
        return outputs
