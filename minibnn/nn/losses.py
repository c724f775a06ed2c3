"""Losses: (logits, labels) -> (mean loss, dL/dlogits)."""

import math

import numpy as np

from minibnn.errors import InputError
from minibnn.nn.layers.layer import as_floats
from minibnn.ops import rounding


@np.errstate(invalid="ignore")  # NaN in, NaN out
def softmax_cross_entropy(logits, labels):
    """Mean over the batch of -log softmax(logits)[label] in nats, and its gradient.

    Takes logits (B, C) and integer labels (B,), else InputError; dlogits (B, C) is
    (softmax - one_hot) / B. Of float64 logits both are the same bits on every machine: exp and log
    are those of ``ops.rounding``, classes are added up in their order, and the sum over samples is
    rounded once.

    >>> loss, dlogits = softmax_cross_entropy(np.zeros((1, 4), np.float32), np.array([2]))
    >>> round(loss, 4), dlogits  # log 4
    (1.3863, array([[ 0.25,  0.25, -0.75,  0.25]], dtype=float32))
    """
    logits, labels = as_floats(logits), check_labels(labels, np.shape(logits))
    double, rows = logits.dtype == np.float64, np.arange(len(labels))
    exp, log = (rounding.exp, rounding.log) if double else (np.exp, np.log)
    shifted = logits - logits.max(1, keepdims=True)  # exp cannot overflow
    weights = exp(shifted)
    # cumsum adds one column after another, sum may not
    total = np.cumsum(weights, 1)[:, -1:] if double else weights.sum(1, keepdims=True)
    losses = log(total[:, 0]) - shifted[rows, labels]
    dlogits = weights / total
    dlogits[rows, labels] -= 1
    mean = math.fsum(losses) / len(labels) if double else losses.mean(dtype=np.float64)
    return float(mean), dlogits / dlogits.dtype.type(len(labels))


def squared_hinge(logits, labels):
    """Mean over batch and classes of max(0, 1 - t y)^2 with t = +1 for the label, else -1.

    The loss of Courbariaux et al. (arXiv 1602.02830), of logits (B, C) and integer labels (B,),
    and its gradient. InputError for labels that do not fit.

    >>> squared_hinge(np.float32([[2, -0.5]]), np.array([0]))
    (0.125, array([[-0. ,  0.5]], dtype=float32))
    """
    logits, labels = as_floats(logits), check_labels(labels, np.shape(logits))
    t = np.full(logits.shape, -1, logits.dtype)
    t[np.arange(len(t)), labels] = 1
    short = np.maximum(0, 1 - t * logits)
    total = math.fsum(np.square(short, dtype=np.float64).flat)  # rounds once, whatever the order
    return total / short.size, -2 * t * short / short.size


def class_weighted(loss, weights, classes):
    """A loss that counts each sample by the weight of its class: the mean of weight times loss.

    ``loss`` is a mean over the samples, ``weights`` a dict of class to weight, 1 for the others
    of the ``classes``.

    >>> logits, labels = np.float32([[2, -0.5], [2, -0.5]]), np.array([0, 1])
    >>> squared_hinge(logits, labels)[0]  # of the first 0.125, of the second 5.625
    2.875
    >>> class_weighted(squared_hinge, {1: 10}, 2)(logits, labels)[0]
    28.1875
    """
    table = np.array([weights.get(c, 1) for c in range(classes)], np.float32)

    def weighted(logits, labels):
        dlogits = loss(logits, labels)[1] * table[labels][:, np.newaxis]
        own = {c: labels == c for c in np.unique(labels)}
        parts = (table[c] * at.mean() * loss(logits[at], labels[at])[0] for c, at in own.items())
        return float(sum(parts)), dlogits

    return weighted


LOSSES = {"softmax_cross_entropy": softmax_cross_entropy, "squared_hinge": squared_hinge}


def check_labels(labels, shape):
    """Integer labels that fit logits of ``shape``, or InputError."""
    labels = np.asarray(labels)
    if len(shape) != 2 or 0 in shape:
        raise InputError(f"logits must be (batch, classes), found shape {shape}")
    if labels.shape != shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be {shape[0]} integers, found {labels.dtype} {labels.shape}")
    if not 0 <= labels.min() <= labels.max() < shape[1]:
        found = f"{labels.min()} to {labels.max()}"
        raise InputError(f"labels must lie in 0 to {shape[1] - 1}, found {found}")
    return labels
