"""How good a network is on images it does not learn from: loss, accuracy, confusion, speed."""

import itertools
import time
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minibnn.data.folder.images import FolderImages
from minibnn.errors import InputError, integer
from minibnn.nn import LOSSES
from minibnn.ops.threads import one_blas_thread
from minibnn.tables import Shown, Table
from minibnn.training.distributed import ALONE

MOST_CLASSES = 20  # whose confusion is told as a table of all of them
MOST_MISTAKES = 10  # lines told instead


class Evaluation(NamedTuple):
    """What a network makes of images it does not learn from.

    ``loss`` is the mean over the ``count`` images, with the network's penalty; ``accuracy`` and
    ``top5`` are shares from 0 to 1. ``top5`` counts images whose class is among the five with the
    highest scores, None for 5 classes or fewer.
    """

    loss: float
    accuracy: float
    count: int
    top5: float | None = None

    def to_dict(self):
        """The four by name."""
        return self._asdict()

    def table(self):
        """The four in one line, as a Table."""
        shares = ["-" if x is None else f"{100 * x:.2f} %" for x in (self.accuracy, self.top5)]
        head = ["loss", "accuracy", "top 5", "images"]
        return Table(head, [[f"{self.loss:.4f}", *shares, f"{self.count:,}"]], left=0)

    def _repr_html_(self):
        return self.table().html()


def evaluate(
    net, data, labels=None, *, batch_size: int = 500, loss="softmax_cross_entropy", ranks=ALONE
) -> Evaluation:
    """Measure ``net`` in evaluation mode.

    ``data`` is a Dataset, of which the test images are measured, or images (N, H, W, C) with
    integer ``labels`` (N,). Every image counts, those of the last partial batch too; image files
    that cannot be decoded are left out. ``batch_size`` is a matter of memory and speed only.

    ``loss`` is "softmax_cross_entropy", "squared_hinge" or a callable (logits, labels).
    Of several ``ranks`` each computes its share, and all get what one alone would. InputError if
    images or labels do not fit the network.

    >>> from minibnn import data, zoo
    >>> digits = data.load("digits").subset(test=50)
    >>> evaluate(zoo.digits_net(filters=4, dense_units=8), digits).count
    50
    """
    return _measured(net, data, labels, batch_size, loss, ranks).evaluation


def _measured(net, data, labels, batch_size, loss, ranks=ALONE, classes=()):
    if labels is None:
        if not hasattr(data, "test_images"):
            raise InputError("evaluate takes a Dataset, or images and labels; labels are missing")
        data, labels = data.test_images, data.test_labels
    images = data if isinstance(data, FolderImages) else np.asarray(data)
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.shape != images.shape[:1] or not len(labels):
        words = f"found {labels.shape} for {(*images.shape, 0)[0]} images"
        raise InputError(f"labels must be one per image and at least one, {words}")
    outputs = net.output_shape[-1]
    check_labels(labels, outputs)
    batch_size = integer(batch_size, "batch_size", 1)
    loss, mean, count, best, among_five = loss_function(loss), 0.0, 0, 0, 0
    confusion, time_spent = np.zeros((outputs, outputs), np.int64), 0.0
    with one_blas_thread():
        for logits, right, seconds in _outputs(net, images, labels, batch_size, ranks):
            time_spent += seconds
            count += len(right)
            found = float(loss(logits.astype(np.float64), right)[0])  # the same everywhere
            mean += (found - mean) * (len(right) / count)
            before = rank_of_label(logits, right)
            best += int(np.count_nonzero(before == 0))
            among_five += int(np.count_nonzero(before < 5))
            np.add.at(confusion, (right, logits.argmax(axis=1)), 1)
    if not count:
        raise InputError(f"none of the {len(images)} images can be read")
    if hasattr(net, "penalty"):  # a packed network has none
        mean += net.penalty()
    top5 = among_five / count if outputs > 5 else None
    return Measured(Evaluation(mean, best / count, count, top5), confusion, time_spent, classes)


def _outputs(net, images, labels, batch_size, ranks):
    """Yield (outputs, labels, seconds) of all images, in the parts that one rank measures."""

    def of(images, labels):
        for x, right in pieces(images, labels, batch_size):
            start = time.perf_counter()
            yield net.predict(x, batch_size=batch_size), right, time.perf_counter() - start

    if ranks.size == 1:
        yield from of(images, labels)
        return
    count = -(-len(labels) // batch_size)  # whole batches to each rank, for images in files
    first, last = (count * r // ranks.size * batch_size for r in (ranks.rank, ranks.rank + 1))
    own = list(of(images[first:last], labels[first:last])) if first < len(labels) else []
    everyone = [part for parts in ranks.gather(own) for part in parts if len(part[1])]
    if isinstance(images, FolderImages):
        yield from everyone
    elif everyone:
        outputs, labels, seconds = zip(*everyone, strict=True)
        yield np.concatenate(outputs), np.concatenate(labels), sum(seconds)


def pieces(images, labels, batch_size):
    """Yield (images, labels): all at once or, of images in files, a batch at a time."""
    if not isinstance(images, FolderImages):
        yield images, labels
        return
    with closing(images.batches(batch_size)) as stream:
        for x, kept in stream:
            if len(kept):
                yield x, labels[kept]


def rank_of_label(logits, labels):
    """How many classes come before the right one: (B,) integers, 0 if it is the answer.

    Equal scores rank in the order of the classes, as in ``argmax``; a NaN comes before all others.
    """
    own = logits[np.arange(len(labels)), labels][:, np.newaxis]
    earlier = np.arange(logits.shape[1]) < labels[:, np.newaxis]
    return np.count_nonzero(~(logits <= own) | (logits == own) & earlier, axis=1)


def check_labels(labels, classes):
    """InputError unless every label is one of the network's ``classes`` outputs."""
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        span = f"from 0 to {classes - 1} (the network has {classes} outputs)"
        numbers = labels.dtype.kind in "biuf"
        found = f"{labels.dtype} from {labels.min()} to {labels.max()}" if numbers else labels.dtype
        raise InputError(f"labels must be integers {span}, found {found}")


def loss_function(loss):
    """The function behind a loss's name; a callable is returned as it is."""
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if not callable(loss):
        known = f"one of {', '.join(LOSSES)}, or a function of (logits, labels)"
        raise InputError(f"loss must be {known}, found {loss!r:.60}")
    return loss


@dataclass(frozen=True)
class Measured(Shown):
    """An evaluation with its confusion: images by class (row) and answer (column), int64.

    ``seconds`` were spent in the network alone; ``classes`` names rows and columns.
    """

    evaluation: Evaluation
    confusion: np.ndarray
    seconds: float
    classes: tuple

    @property
    def images_per_second(self):
        """Speed of the network alone."""
        return self.evaluation.count / self.seconds

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
        return [self.evaluation.table(), self._by_class() if few else self._mistakes()]

    def _by_class(self):
        lines = [
            [name, *(f"{n:,}" if n else "." for n in row), _share(row[k], row.sum())]
            for k, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True))
        ]
        return Table(["class \\ answer", *self.classes, "right"], lines)

    def _mistakes(self):
        matrix, classes, lines = self.confusion, self.classes, []
        wrong = matrix - np.diag(np.diag(matrix))
        for k in wrong.ravel().argsort(kind="stable")[::-1][:MOST_MISTAKES]:
            a, b = divmod(int(k), len(wrong))
            if wrong[a, b]:
                share = _share(wrong[a, b], matrix[a].sum())
                lines.append([classes[a], classes[b], f"{wrong[a, b]:,}", share])
        return Table(["most often mistaken", "for", "times", "of the class"], lines)


def measure(net, data, *, batch_size=500, loss="softmax_cross_entropy", classes=None):
    """``evaluate`` with confusion and speed; ``classes`` are by default those of ``data``."""
    classes = output_names(data.classes if classes is None else classes, net.output_shape[-1])
    with closing(pieces(data.test_images, data.test_labels, batch_size)) as parts:
        for images, _ in itertools.islice(parts, 1):  # loads and compiles the kernels
            net.predict(images[:batch_size], batch_size)
    return _measured(net, data, None, batch_size, loss, classes=classes)


def output_names(classes, outputs):
    """Names of a network's outputs: its classes, then numbers, as it may have more outputs.

    >>> output_names(["cat", "dog"], 4)
    ('cat', 'dog', '2', '3')
    """
    return (*classes[:outputs], *map(str, range(len(classes), outputs)))


def _share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"
