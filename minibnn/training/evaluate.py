"""Loss and accuracy of a network on pictures it does not learn from."""

from typing import NamedTuple

import numpy as np

from minibnn.errors import InputError
from minibnn.nn import LOSSES
from minibnn.training.threads import one_blas_thread


class Evaluation(NamedTuple):
    """Mean loss, share of right answers (0 to 1) and number of pictures."""

    loss: float
    accuracy: float
    count: int


def evaluate(net, data, labels=None, *, batch_size=500, loss="softmax_cross_entropy"):
    """Measure ``net`` in evaluation mode.

    Every picture counts, those of the last partial batch too.

    Parameters
    ----------
    net : network
    data : Dataset, or images (N, H, W, C)
        Of a Dataset, its test pictures.
    labels : (N,) integers
        With images only.
    batch_size : int
        Pictures at a time; a matter of memory and speed only.
    loss : "softmax_cross_entropy" or "squared_hinge"

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError if pictures or labels do not fit the network.
    """
    if labels is None:
        if not hasattr(data, "test_images"):
            raise InputError("evaluate takes a Dataset, or images and labels; labels are missing")
        data, labels = data.test_images, data.test_labels
    images, labels = np.asarray(data), np.asarray(labels)
    if labels.shape != (len(images),) or len(images) == 0:
        raise InputError(
            f"labels must be one per picture and at least one, found {labels.shape} for "
            f"{len(images)} pictures"
        )
    check_labels(labels, net.output_shape[-1])
    with one_blas_thread():
        logits = net.predict(images, batch_size=batch_size)
    mean, _ = loss_function(loss)(logits, labels)
    right = int(np.count_nonzero(logits.argmax(axis=1) == labels))
    return Evaluation(float(mean), right / len(labels), len(labels))


def check_labels(labels, classes):
    """InputError unless every label is one of the network's ``classes`` outputs."""
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"labels must be whole numbers from 0 to {classes - 1} (the network has {classes} "
            f"outputs), found {labels.dtype} from {labels.min()} to {labels.max()}"
        )


def loss_function(loss):
    """The function behind a loss's name; a callable is returned as it is."""
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise InputError(f"loss must be one of {', '.join(LOSSES)}, found {loss!r}")
    return LOSSES[loss]
