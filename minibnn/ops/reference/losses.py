"""The loss of the paper's networks."""

import math

import numpy as np

from minibnn.ops import portable


@np.errstate(invalid="ignore")  # NaN in, NaN out
def softmax_cross_entropy(logits, labels):
    """(loss, dlogits): the mean over the batch of -log softmax(logits)[label], and its gradient.

    logits are floats (B, C), labels integers (B,) in [0, C); dlogits = (softmax - one_hot) / B is
    like logits. In float64 the same bits on every machine: exp and log are those of
    ``ops.portable``, classes are added up in their order, and the sum over samples is rounded once.
    """
    double, rows = logits.dtype == np.float64, np.arange(len(labels))
    exp, log = (portable.exp, portable.log) if double else (np.exp, np.log)
    shifted = logits - logits.max(1, keepdims=True)  # exp cannot overflow
    weights = exp(shifted)
    total = _in_order(weights) if double else weights.sum(1, keepdims=True)
    losses = log(total[:, 0]) - shifted[rows, labels]
    dlogits = weights / total
    dlogits[rows, labels] -= 1
    mean = math.fsum(losses) / len(labels) if double else losses.mean(dtype=np.float64)
    return float(mean), dlogits / dlogits.dtype.type(len(labels))


def _in_order(weights):
    """The sum of each row, (B, 1), one column after another."""
    total = weights[:, :1].copy()
    for column in range(1, weights.shape[1]):
        total += weights[:, column : column + 1]
    return total
