"""All networks of a few weights: their classes, the best of them, and how near optimizers come."""

from functools import cache
from itertools import product
from math import comb

import numpy as np

from minibnn.ops.bits import binarize


def inputs(n):
    """All sign vectors of length n, int8 (2^n, n)."""
    return np.int8(list(product((1, -1), repeat=n)))


def outputs(w, v):
    """sign(sum_k v_k sign(w_k x)) for all inputs x; w (h, n), v (h,), sign(0) = +1."""
    hidden = binarize(inputs(w.shape[1]).astype(int) @ w.T)
    return binarize(hidden.astype(int) @ v)


def group_orbit(w, v):
    """The network with v = +1 and sorted rows that computes the same: one for each class."""
    return np.int8(sorted((w * v[:, None]).tolist()))


@cache
def classes(n, h):
    """(classes under sign changes and exchange of hidden units, networks), counted one by one."""
    found = set()
    networks = 0
    rows = inputs(n)
    for w in product(range(len(rows)), repeat=h):
        for v in product((1, -1), repeat=h):
            found.add(group_orbit(rows[list(w)], np.int8(v)).tobytes())
            networks += 1
    assert len(found) == comb(2**n + h - 1, h)
    return len(found), networks
