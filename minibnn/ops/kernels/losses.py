"""Softmax cross-entropy, one row after another."""

import math

import numpy as np

from minibnn.ops.kernels.compile import kernel
from minibnn.ops.reference import losses as reference


def softmax_cross_entropy(logits, labels):
    if logits.dtype == np.float64:  # a written-down order of operations, in NumPy
        return reference.softmax_cross_entropy(logits, labels)
    dlogits = np.empty(logits.shape, logits.dtype)
    loss = _rows(np.ascontiguousarray(logits), np.asarray(labels, np.int64), dlogits)
    return float(loss), dlogits


@kernel(counts=True)
def _rows(logits, labels, dlogits):
    batch, classes = logits.shape
    total_loss = 0.0
    for r in range(batch):
        largest = logits[r].max()
        total = logits.dtype.type(0)
        for c in range(classes):
            dlogits[r, c] = math.exp(logits[r, c] - largest)
            total += dlogits[r, c]
        total_loss += np.float64(math.log(total) - (logits[r, labels[r]] - largest))
        for c in range(classes):
            dlogits[r, c] /= total
        dlogits[r, labels[r]] -= logits.dtype.type(1)
        for c in range(classes):
            dlogits[r, c] /= logits.dtype.type(batch)
    return total_loss / batch
