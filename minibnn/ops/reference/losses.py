"""The loss of the paper's networks."""

import numpy as np


def softmax_cross_entropy(logits, labels):
    """Mean over the batch of -log softmax(logits)[label].

    Parameters
    ----------
    logits : float (B, C)
    labels : integers (B,) in [0, C)

    Returns
    -------
    loss : float
    dlogits : like logits
        (softmax - one_hot) / B.
    """
    rows = np.arange(len(labels))
    shifted = logits - logits.max(1, keepdims=True)  # exp cannot overflow
    weights = np.exp(shifted)
    total = weights.sum(1, keepdims=True)
    losses = np.log(total[:, 0]) - shifted[rows, labels]
    dlogits = weights / total
    dlogits[rows, labels] -= 1
    return float(losses.mean(dtype=np.float64)), dlogits / dlogits.dtype.type(len(labels))
