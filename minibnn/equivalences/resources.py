"""What training costs: E12 (numbers stored per weight) and E13 (many workers)."""

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import QUARTERS, RATES, SMALL
from minibnn.equivalences.entry import BOTH, Entry
from minibnn.nn import Parameter
from minibnn.optim import BopState, CEMAState

E12 = Entry(
    """E12 Numbers stored per weight

    Latent SGD 1 real, with momentum 2, Adam 3; Bop 1 and the bit, Bop2ndOrder 2 and the bit, the
    cascade 2. At tau = 0 Bop's bit is -sgn(m) wherever m is not 0, so it is redundant there; the
    cascade has no tau, so its bit always is.

    if: counted on the optimizers' own state; redundant only at tau = 0
    class: B
    why: b m > 0 flips, so after a step b m <= 0.
    source: Helwegen et al. 2019, section 4; their code keeps b as float32, so 2 reals"""
)
# Reals of state per weight, and whether the bit itself has to be kept beside them.
STORED = {
    "LatentSGD": (1, False, lambda: optim.LatentSGD()),
    "LatentSGD with momentum": (2, False, lambda: optim.LatentSGD(momentum=0.9)),
    "LatentAdam": (3, False, lambda: optim.LatentAdam()),
    "InertiaSGD": (1, True, lambda: optim.InertiaSGD()),
    "Bop": (1, True, lambda: optim.Bop()),
    "Bop2ndOrder": (2, True, lambda: optim.Bop2ndOrder()),
    "CEMA": (2, False, lambda: optim.CEMA()),
    "SchmittSGD": (1, True, lambda: optim.SchmittSGD()),
    "DoubleWellSGD": (1, False, lambda: optim.DoubleWellSGD()),
}


def measured_bytes(make, shape=(32, 32)):
    """Bytes of state per weight, from a real optimizer after a step on a real parameter."""
    p = Parameter("kernel", np.ones(shape, np.int8), binary=True)
    p.grad = np.ones(shape, np.float32)
    optimizer = make()
    optimizer.step([p])
    return optimizer.state_bytes() / p.size


def storage_table():
    """Rows of (optimizer, measured bytes of state per weight, reals, bit kept beside them)."""
    return [(name, measured_bytes(make), reals, bit) for name, (reals, bit, make) in STORED.items()]


@E12.claim
def count(x, reals=None):
    name, shape = x.one("optimizer", tuple(STORED)), x.many("shape", (3, 1, 2, 5), 2)
    stored, _, make = STORED[name]
    x.same(**{name: measured_bytes(make, shape) / 4, "stored": reals or stored})


def bit_beside(x, gradients, run):
    """``run`` has (bits, inertia); a bit is minus the sign of its inertia."""
    for _, (w, inertia) in x.beside(gradients, run):
        known = inertia != 0
        x.tie(~known)
        x.same_bits(bit=w[known], minus_sgn=x.sign(-inertia)[known])


@E12.claim
def redundant_bit(x, threshold=0):
    g, w, m = x.gradients(SMALL), x.start_bits(), x.weights("m", QUARTERS)
    bit_beside(x, g, x.bop(g, w, m, x.one("gamma", RATES), threshold))


@E12.claim
def redundant_bit_of_cascade(x):
    g, w = x.gradients(SMALL), x.start_bits()
    state = CEMAState(x.weights("u", QUARTERS), x.weights("m", QUARTERS))
    hyper = {"gamma": x.one("gamma", RATES), "alpha": x.one("alpha", RATES)}
    run = x.run(x.steps.cema_step, g, w, state, **hyper)
    bit_beside(x, g, ((w, state.inertia) for w, state in run))


E12.shows(count, optimizer="Bop")
E12.breaks("tau = 1: the bit is not in m")(redundant_bit, threshold=1, g=(1,))
E12.breaks('"Adam stores the two averages": and the latent weight')(
    count, reals=2, optimizer="LatentAdam"
)


E13 = Entry(
    """E13 Data parallel training is training on the whole batch

    The mean of K workers' mean gradients is the mean over the batch; averaging the workers' m is
    averaging their gradients.

    if: equal shards (or weights by size), losses per sample, no batch statistics; in float32 exact
        partial sums
    class: Q, B
    why: Linearity of the mean and of the moving average.
    source: Helwegen et al. 2019, algorithm 2 (the 1/K)"""
)


def mean(x, arrays):
    return sum(arrays[1:], arrays[0]) / x.number(len(arrays))


def by_gradients(x, means, w, hyper):
    """Workers average their gradients."""
    g = mean(x, means)
    return (v for v, _ in x.bop(g, w, 0 * g[0], **hyper))


def local(x, means, w, hyper):
    """(bits, m) of each worker."""
    return zip(*(x.bop(g, w, 0 * g[0], **hyper) for g in means), strict=True)


def by_averages(x, means, w, hyper):
    """Workers average their m."""
    for ends in local(x, means, w, hyper):
        m = mean(x, [m for _, m in ends])
        w, _ = x.steps.bop_step(w, m, BopState(0 * m), **hyper | {"gamma": 1})
        yield w


def by_votes(x, means, w, hyper):
    """Workers vote on their own flips."""
    for ends in local(x, means, w, hyper):
        yield x.sign(sum(bits.astype(int) for bits, _ in ends))


@E13.claim(BOTH)
def mean_gradient(x, many=by_gradients, shards=None):
    """Bop on the mean of all samples (S, steps, n), and bits of ``many(x, means, w, hyper)``."""
    workers, size = x.one("workers", (2, 3) if x.exact else (2, 4)), x.one("per_worker", (1, 2))
    shape = workers * size, x.one("steps", range(1, 5)), x.one("size", (1, 2))
    samples, w = x.array(x.many("samples", SMALL, *shape)), x.start_bits()
    shards = shards or [size] * workers
    means = [mean(x, shard) for shard in np.split(samples, np.cumsum(shards)[:-1])]
    threshold = x.number(x.one("threshold", (0, 0.5, 0.25)))
    whole, hyper = mean(x, samples), {"gamma": x.number(0.5), "threshold": threshold}
    one = x.bop(whole, w, 0 * whole[0], **hyper)
    for _, (bits, m), v in x.beside(whole, one, many(x, means, w, hyper)):
        x.show(m=m)
        x.same_bits(one_worker=bits, many=v)


@E13.claim(BOTH)
def mean_average(x):
    mean_gradient(x, many=by_averages)


E13.shows(mean_gradient, samples=[[[3], [1], [-4]], [[1], [1], [0]]], threshold=0.5)
E13.breaks("shards of 1 and 3 samples, all workers weighted alike")(
    mean_gradient, shards=[1, 3], samples=[[[4]], [[0]], [[0]], [[0]]], threshold=0.75
)
E13.breaks("a vote on local flips")(
    mean_gradient, many=by_votes, shards=[1] * 3, samples=[[[8]], [[0]], [[0]]], threshold=0.5
)
E13.breaks("float32 sums that round: 2^24 + 1 + 1 - 2^24 in another order")(
    mean_gradient, shards=[2, 2], samples=[[[2**24]], [[1]], [[1]], [[-(2**24)]]]
)
