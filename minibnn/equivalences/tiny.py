"""All networks of a few weights: their classes, the best of them, and how near optimizers come.

A network is sign(sum_k v_k sign(w_k x)) of n inputs and h hidden units, both odd, so that no sum is
0: h (n + 1) bits. Here alone "how good is this optimizer" has an exact answer (E36).
"""

from functools import cache
from itertools import combinations_with_replacement, product
from math import comb

import numpy as np

from minibnn import optim
from minibnn.equivalences.entry import Entry, equal
from minibnn.ops.bits import binarize


def inputs(n):
    """All sign vectors of length n, int8 (2^n, n)."""
    return np.int8(list(product((1, -1), repeat=n)))


def outputs(w, v, x=None):
    """sign(sum_k v_k sign(w_k x)) for inputs x, all if left out; w (h, n), v (h,), sign(0) = +1."""
    x = inputs(w.shape[1]) if x is None else x
    return binarize(binarize(x.astype(int) @ w.T).astype(int) @ v)


def group_orbit(w, v):
    """The network with v = +1 and sorted rows that computes the same: one for each class."""
    return np.int8(sorted((w * v[:, None]).tolist()))


@cache
def classes(n, h):
    """(classes under sign changes and exchange of hidden units, networks), counted one by one."""
    rows, found, networks = inputs(n), set(), 0
    for w in product(range(len(rows)), repeat=h):
        for v in product((1, -1), repeat=h):
            found.add(group_orbit(rows[list(w)], np.int8(v)).tobytes())
            networks += 1
    return len(found), networks


def least_errors(x, labels, h):
    """The least number of errors that any network makes on labels ±1 of inputs x."""
    hidden = binarize(x.astype(int) @ inputs(x.shape[1]).T).astype(int)  # one column for each w
    every = np.array(list(combinations_with_replacement(range(hidden.shape[1]), h)))
    return int((binarize(hidden[:, every].sum(2)) != labels[:, None]).sum(0).min())


def bop(w, g, state):
    state = state or optim.BopState(np.zeros_like(g))
    return optim.bop_step(w, g, state, gamma=0.1, threshold=0.02)


def bop2nd(w, g, state):
    state = state or optim.Bop2ndState(np.zeros_like(g), np.ones_like(g))
    return optim.bop2nd_step(w, g, state, gamma=0.1, sigma=0.01, threshold=0.1)


def latent_sgd(w, g, state):
    latent, velocity = state or (w * np.float32(0.3), optim.LatentSGDState(None))
    latent, velocity = optim.latent_sgd_step(latent, g, velocity, lr=0.3, clip=1.0)
    return binarize(latent), (latent, velocity)


OPTIMIZERS = {"Bop": bop, "latent SGD": latent_sgd, "Bop2ndOrder": bop2nd}


def trained_errors(optimizer, x, labels, h, seed, steps=300):
    """The fewest errors on the way from a random start, on whole batches and a hinge loss."""
    random = np.random.default_rng(seed)
    w, v = (random.choice(np.int8([-1, 1]), shape) for shape in ((h, x.shape[1]), h))
    state_of_w, state_of_v, least = None, None, len(x)
    for _ in range(steps):
        a = x.astype(int) @ w.T
        hidden = binarize(a)
        dz = -labels * (labels * (hidden.astype(int) @ v) < 2) / np.float32(len(x))
        dv = (hidden.T @ dz).astype(np.float32)
        dw = ((dz[:, None] * v * (np.abs(a) <= 3)).T @ x).astype(np.float32)  # straight through
        w, state_of_w = optimizer(w, dw, state_of_w)
        v, state_of_v = optimizer(v, dv, state_of_v)
        least = min(least, int((outputs(w, v, x) != labels).sum()))
    return least


def tasks(count, n=5, samples=24):
    """Random labels for some of all inputs: (x, labels) for each task."""
    for seed in range(count):
        random = np.random.default_rng(seed)
        x = inputs(n)[random.permutation(2**n)[:samples]]
        yield x, random.choice(np.int8([-1, 1]), samples)


def gaps(count=8, seeds=10, h=3, steps=300):
    """{optimizer: int array (tasks, seeds)} of errors above the optimum, and the optima."""
    chosen = list(tasks(count))
    optima = [least_errors(x, labels, h) for x, labels in chosen]
    found = {
        name: [
            [trained_errors(run, x, labels, h, seed, steps) for seed in range(seeds)]
            for x, labels in chosen
        ]
        for name, run in OPTIMIZERS.items()
    }
    return {name: np.array(errors) - np.c_[optima] for name, errors in found.items()}, optima


E36 = Entry(
    """E36 Tiny networks can be enumerated

    sign(sum_k v_k sign(w_k x)) with n inputs and h hidden units, both odd: the 2^(h (n + 1))
    networks fall into C(2^n + h - 1, h) classes under E30's group, of one function each: v = +1
    and a multiset of w. So the best of all networks is known (``minibnn.equivalences.tiny``).

    if: n and h odd, so that no sum is 0; no beta
    class: B
    why: Negating (w_k, v_k) together keeps v_k sign(w_k x), and the order of k does not matter.
    source: derived"""
)


@E36.claim
def same_function(x):
    """A network, and its image with v = +1, sorted."""
    n, h = x.one("n", (3, 5)), x.one("h", (1, 3))
    w, v = np.int8(x.many("w", (1, -1), h, n)), np.int8(x.many("v", (1, -1), h))
    image = group_orbit(w, v)
    x.tie((w == image).all(1))
    x.same_bits(network=outputs(w, v), image=outputs(image, np.ones(h, np.int8)))
    x.same_bits(canonical=group_orbit(image, np.ones(h, np.int8)), itself=image)


@E36.claim
def count(x):
    n, h = x.one("n", (3,)), x.one("h", (1, 3))
    found, networks = classes(n, h)
    x.tie(1)
    x.same(classes=found, binomial=comb(2**n + h - 1, h))
    x.same(networks=networks, power=2 ** (h * (n + 1)))


PAIR, ONE = np.array([[1, 1]], np.int8), np.array([1], np.int8)
E36.shows(count)
E36.breaks("an even number of inputs: sums of 0 read +1 on both sides")(
    equal, negated=-outputs(PAIR, ONE), of_negated=outputs(-PAIR, ONE)
)
