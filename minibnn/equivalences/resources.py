"""What training costs: E12 (numbers stored per weight) and E13 (many workers)."""

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import QUARTERS, RATES, SMALL
from minibnn.equivalences.entry import Entry
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


def counted(x, name, shape=(3, 3), reals=None):
    found = measured_bytes(STORED[name][2], shape) / 4
    x.same(**{name: found, "stored": STORED[name][0] if reals is None else reals})


@E12.claim
def count(x):
    counted(x, x.one("optimizer", tuple(STORED)), x.many("shape", (3, 1, 2, 5), 2))


def bit_beside(x, step, field, gradients, w, state, **hyper):
    """The bit is minus the sign of ``field``."""
    for g in x.over(gradients):
        w, state = step(w, g, state, **hyper)
        inertia = getattr(state, field)
        known = inertia != 0
        x.tie(~known)
        x.same_bits(bit=w[known], minus_sgn=x.sign(-inertia)[known])


@E12.claim
def redundant_bit(x):
    g, w, state = x.gradients(SMALL), x.start_bits(), BopState(x.weights("m", QUARTERS))
    bit_beside(x, x.steps.bop_step, "m", g, w, state, gamma=x.one("gamma", RATES), threshold=0)


@E12.claim
def redundant_bit_of_cascade(x):
    g, w = x.gradients(SMALL), x.start_bits()
    state = CEMAState(x.weights("u", QUARTERS), x.weights("m", QUARTERS))
    hyper = {"gamma": x.one("gamma", RATES), "alpha": x.one("alpha", RATES)}
    bit_beside(x, x.steps.cema_step, "inertia", g, w, state, **hyper)


def bit_under_threshold(x):
    hyper = {"gamma": 0.5, "threshold": 1}
    arrays = x.column(1), x.signs([1]), BopState(x.array([0]))
    bit_beside(x, x.steps.bop_step, "m", *arrays, **hyper)


E12.shows(lambda x: counted(x, "Bop"))
E12.breaks("tau = 1: the bit is not in m", bit_under_threshold)
E12.breaks(
    '"Adam stores the two averages": and the latent weight',
    lambda x: counted(x, "LatentAdam", reals=2),
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


def beside_workers(x, samples, w, shards, threshold, workers):
    """Bop on the mean of all samples (S, steps, n), and ``workers(means, bits, hyper)``."""
    v, state = w, BopState(0 * samples[0, 0])
    hyper = {"gamma": x.number(0.5), "threshold": x.number(threshold)}
    ends = np.cumsum(shards)[:-1]
    for each in x.over(np.swapaxes(samples, 0, 1)):
        w, state = x.steps.bop_step(w, mean(x, each), state, **hyper)
        v = workers([mean(x, shard) for shard in np.split(each, ends)], v, hyper)
        x.tie(np.abs(state.m) == hyper["threshold"])
        x.show(m=state.m)
        x.same_bits(one_worker=w, many=v)


def by_gradients(x, zero):
    """Workers average their gradients."""
    state = BopState(zero)

    def step(means, v, hyper):
        nonlocal state
        v, state = x.steps.bop_step(v, mean(x, means), state, **hyper)
        return v

    return step


def by_averages(x, zero, count, vote=False):
    """Workers average their m, or vote on their local flips."""
    states = [BopState(zero)] * count

    def step(means, v, hyper):
        nonlocal states
        each = zip(means, states, strict=True)
        local = [x.steps.bop_step(v, g, state, **hyper) for g, state in each]
        states = [state for _, state in local]
        if vote:
            return x.sign(sum(bits.astype(int) for bits, _ in local))
        m = mean(x, [state.m for state in states])
        return x.steps.bop_step(v, m, BopState(zero), **hyper | {"gamma": 1})[0]

    return step


def drawn_samples(x):
    x.arithmetic()
    workers, size = x.one("workers", (2, 3) if x.exact else (2, 4)), x.one("per_worker", (1, 2))
    shape = workers * size, x.one("steps", range(1, 5)), x.one("size", (1, 2))
    samples = x.array(x.many("samples", SMALL, *shape))
    return samples, x.start_bits(), [size] * workers, x.one("threshold", (0, 0.5, 0.25))


@E13.claim
def mean_gradient(x):
    samples, *run = drawn_samples(x)
    beside_workers(x, samples, *run, by_gradients(x, 0 * samples[0, 0]))


@E13.claim
def mean_average(x):
    samples, w, shards, threshold = drawn_samples(x)
    workers = by_averages(x, 0 * samples[0, 0], len(shards))
    beside_workers(x, samples, w, shards, threshold, workers)


def workers_of_one(x, samples, shards, threshold=0.5, vote=False):
    """``samples[s]`` are the gradients of sample s at the steps."""
    samples = x.array(samples)[..., None]
    zero = 0 * samples[0, 0]
    workers = by_averages(x, zero, len(shards), vote) if vote else by_gradients(x, zero)
    beside_workers(x, samples, x.signs([1]), shards, threshold, workers)


E13.shows(lambda x: workers_of_one(x, [(3, 1, -4), (1, 1, 0)], [1, 1]))
E13.breaks(
    "shards of 1 and 3 samples, all workers weighted alike",
    lambda x: workers_of_one(x, [(4,), (0,), (0,), (0,)], [1, 3], threshold=0.75),
)
E13.breaks(
    "a vote on local flips", lambda x: workers_of_one(x, [(8,), (0,), (0,)], [1, 1, 1], vote=True)
)
E13.breaks(
    "float32 sums that round: 2^24 + 1 + 1 - 2^24 in another order",
    lambda x: workers_of_one(x, [(2**24,), (1,), (1,), (-(2**24),)], [2, 2], threshold=0),
)
