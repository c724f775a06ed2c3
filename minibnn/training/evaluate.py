"""Loss and accuracy of a network on pictures it does not learn from."""

from contextlib import closing
from typing import NamedTuple

import numpy as np

from minibnn.data.folder import FolderImages
from minibnn.errors import InputError
from minibnn.nn import LOSSES
from minibnn.nn.layers.layer import positive
from minibnn.ops.threads import one_blas_thread
from minibnn.tables import Table
from minibnn.training.distributed import ALONE


class Evaluation(NamedTuple):
    """What a network makes of pictures it does not learn from.

    Attributes
    ----------
    loss : float
        Mean over the pictures, with the network's penalty.
    accuracy : float
        Share of right answers, from 0 to 1.
    count : int
        Number of pictures.
    top5 : float or None
        Share of pictures whose class is among the five with the highest scores; None of 5 classes
        or fewer.
    """

    loss: float
    accuracy: float
    count: int
    top5: float | None = None

    def to_dict(self):
        """The four by name.

        Returns
        -------
        dict
        """
        return self._asdict()

    def table(self):
        """The four in one line.

        Returns
        -------
        Table
        """
        shares = ["-" if x is None else f"{100 * x:.2f} %" for x in (self.accuracy, self.top5)]
        head = ["loss", "accuracy", "top 5", "pictures"]
        return Table(head, [[f"{self.loss:.4f}", *shares, f"{self.count:,}"]], left=0)

    def _repr_html_(self):
        return self.table().html()


def evaluate(
    net,
    data,
    labels=None,
    *,
    batch_size=500,
    loss="softmax_cross_entropy",
    each=None,
    ranks=ALONE,
):
    """Measure ``net`` in evaluation mode.

    Every picture counts, those of the last partial batch too; of pictures in files only those
    that can be decoded.

    Parameters
    ----------
    net : network
    data : Dataset, or images (N, H, W, C)
        Of a Dataset, its test pictures.
    labels : (N,) integers
        With images only.
    batch_size : int
        Pictures at a time; a matter of memory and speed only.
    loss : "softmax_cross_entropy", "squared_hinge", or callable (logits, labels)
    each : callable (outputs, labels), optional
        Is shown the outputs of every part that is measured.
    ranks : Ranks, optional
        Each computes its share of the outputs, and all get what one alone would.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError if pictures or labels do not fit the network.

    Examples
    --------
    >>> from minibnn import data, zoo
    >>> digits = data.load("digits").subset(test=50)
    >>> evaluate(zoo.digits_net(filters=4, dense_units=8), digits).count
    50
    """
    if labels is None:
        if not hasattr(data, "test_images"):
            raise InputError("evaluate takes a Dataset, or images and labels; labels are missing")
        data, labels = data.test_images, data.test_labels
    images = data if isinstance(data, FolderImages) else np.asarray(data)
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or len(images) == 0:
        raise InputError(
            f"labels must be one per picture and at least one, found {labels.shape} for "
            f"{len(images)} pictures"
        )
    check_labels(labels, net.output_shape[-1])
    batch_size = positive(batch_size, "batch_size")
    loss, mean, count, best, among_five = loss_function(loss), 0.0, 0, 0, 0
    with one_blas_thread():
        for logits, right in _outputs(net, images, labels, batch_size, ranks):
            if each is not None:
                each(logits, right)
            count += len(right)
            found = float(loss(logits.astype(np.float64), right)[0])  # the same everywhere
            mean += (found - mean) * (len(right) / count)
            before = rank_of_label(logits, right)
            best += int(np.count_nonzero(before == 0))
            among_five += int(np.count_nonzero(before < 5))
    if not count:
        raise InputError(f"none of the {len(images)} pictures can be read")
    if hasattr(net, "penalty"):  # a packed network has none
        mean += net.penalty()
    top5 = among_five / count if net.output_shape[-1] > 5 else None
    return Evaluation(mean, best / count, count, top5)


def _outputs(net, images, labels, batch_size, ranks):
    """Yield (outputs, labels) of all pictures, in the parts in which one rank measures them."""

    def of(images, labels):
        for x, right in pieces(images, labels, batch_size):
            yield net.predict(x, batch_size=batch_size), right

    if ranks.size == 1:
        yield from of(images, labels)
        return
    count = -(-len(labels) // batch_size)  # whole batches to each rank, for pictures in files
    first, last = (count * r // ranks.size * batch_size for r in (ranks.rank, ranks.rank + 1))
    own = list(of(images[first:last], labels[first:last])) if first < len(labels) else []
    everyone = [part for parts in ranks.gather(own) for part in parts if len(part[1])]
    if isinstance(images, FolderImages):
        yield from everyone
    elif everyone:
        yield tuple(map(np.concatenate, zip(*everyone, strict=True)))


def pieces(images, labels, batch_size):
    """Yield (images, labels): all at once or, of pictures in files, a batch at a time."""
    if not isinstance(images, FolderImages):
        yield images, labels
        return
    with closing(images.batches(batch_size)) as stream:
        for x, kept in stream:
            if len(kept):
                yield x, labels[kept]


def rank_of_label(logits, labels):
    """How many classes come before the right one: (B,) integers, 0 if it is the answer.

    Equal scores rank in the order of the classes, as ``argmax`` does it. NaN comes before every
    number, and if the label's own score is NaN, all come before it.
    """
    own = logits[np.arange(len(labels)), labels][:, np.newaxis]
    earlier = np.arange(logits.shape[1]) < labels[:, np.newaxis]
    return np.count_nonzero(~(logits <= own) | (logits == own) & earlier, axis=1)


def check_labels(labels, classes):
    """InputError unless every label is one of the network's ``classes`` outputs."""
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"labels must be whole numbers from 0 to {classes - 1} (the network has {classes} "
            f"outputs), found {labels.dtype} from {labels.min()} to {labels.max()}"
        )


def loss_function(loss):
    """The function behind a loss's name; a callable is returned as it is."""
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]
    if not callable(loss):
        raise InputError(
            f"loss must be one of {', '.join(LOSSES)}, or a function of (logits, labels), "
            f"found {loss!r:.60}"
        )
    return loss
