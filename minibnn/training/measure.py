"""All that ``minibnn evaluate`` tells: loss and accuracy, which classes are mistaken, and speed."""

import itertools
import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from minibnn.tables import Shown, Table
from minibnn.training.evaluate import Evaluation, evaluate, pieces

MOST_CLASSES = 20  # whose confusion is told as a table of all of them
MOST_MISTAKES = 10  # lines told instead


@dataclass(frozen=True)
class Measured(Shown):
    """What ``measure`` found.

    Attributes
    ----------
    evaluation : Evaluation
    confusion : (classes, classes) int64
        Pictures by their class (row) and the network's answer (column).
    seconds : float
        Spent in the network alone, its kernels loaded and compiled before.
    classes : tuple of str
        Names of the rows and columns.
    """

    evaluation: Evaluation
    confusion: np.ndarray
    seconds: float
    classes: tuple

    @property
    def images_per_second(self):
        """Speed of the network alone."""
        return self.evaluation.count / self.seconds

    def __len__(self):
        return len(self.confusion)

    def __iter__(self):
        """A dict per class: its name, its pictures by the network's answer, and the share right."""
        for name, row, right in zip(
            self.classes, self.confusion.tolist(), self.confusion.diagonal().tolist(), strict=True
        ):
            answers = dict(zip(self.classes, row, strict=True))
            share = right / sum(row) if sum(row) else None
            yield {"class": name, "answers": answers, "right": share}

    def to_dict(self):
        """Plain numbers and texts, as JSON can hold them."""
        return {
            **self.evaluation.to_dict(),
            "images_per_second": round(self.images_per_second, 1),
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
        }

    def tables(self):
        """What was measured, and which classes are taken for which."""
        few = len(self.classes) <= MOST_CLASSES
        return [self.evaluation.table(), self.by_class() if few else self.mistakes()]

    def by_class(self):
        """A Table of all classes: pictures by answer, and the share that is right."""
        lines = [
            [name, *(f"{n:,}" if n else "." for n in row), _share(row[k], row.sum())]
            for k, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True))
        ]
        return Table(["class \\ answer", *self.classes, "right"], lines)

    def mistakes(self, most=MOST_MISTAKES):
        """A Table of the mistakes that are most frequent."""
        matrix, classes = self.confusion, self.classes
        wrong = matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = wrong.ravel().argsort(kind="stable")[::-1][:most]
        pairs = [divmod(int(k), len(wrong)) for k in order if wrong.ravel()[k]]
        lines = [
            [classes[a], classes[b], f"{wrong[a, b]:,}", _share(wrong[a, b], matrix[a].sum())]
            for a, b in pairs
        ]
        return Table(["most often mistaken", "for", "times", "of the class"], lines)


def measure(net, data, *, batch_size=500, loss="softmax_cross_entropy", classes=None):
    """``evaluate`` on the test pictures of a Dataset, with confusion and speed.

    Parameters
    ----------
    net, data, batch_size, loss
        As in ``evaluate``.
    classes : sequence of str, optional
        Names of the network's outputs, by default the classes of ``data``; see ``output_names``.

    Returns
    -------
    Measured
    """
    outputs = net.output_shape[-1]
    confusion = np.zeros((outputs, outputs), np.int64)
    classes = output_names(data.classes if classes is None else classes, outputs)

    def count(logits, labels):
        np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)

    net = _Timed(net)
    with closing(pieces(data.test_images, data.test_labels, batch_size)) as parts:
        for images, _ in itertools.islice(parts, 1):
            net.predict(images[:batch_size], batch_size)
    net.seconds = 0.0
    found = evaluate(net, data, batch_size=batch_size, loss=loss, each=count)
    return Measured(found, confusion, net.seconds, classes)


def output_names(classes, outputs):
    """Names of a network's outputs: its classes, then numbers, as it may have more outputs.

    >>> output_names(["cat", "dog"], 4)
    ('cat', 'dog', '2', '3')
    """
    return (*classes[:outputs], *map(str, range(len(classes), outputs)))


def _share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


class _Timed:
    """A network that counts the seconds it takes."""

    def __init__(self, net):
        self.net, self.seconds = net, 0.0

    def __getattr__(self, name):  # what it does not count: output_shape, and a penalty if there is
        return getattr(self.net, name)

    def predict(self, images, batch_size):
        start = time.perf_counter()
        outputs = self.net.predict(images, batch_size=batch_size)
        self.seconds += time.perf_counter() - start
        return outputs
