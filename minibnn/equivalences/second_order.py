"""What a second number per weight does: E7 (momentum), E12 (their count), E14 (Bop2ndOrder)."""

from fractions import Fraction

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import POWERS, QUARTERS, RATES, SMALL, TENTHS, fractions, hold
from minibnn.equivalences.entry import EXACT, Entry
from minibnn.equivalences.scale import dialect
from minibnn.nn import Parameter
from minibnn.optim import Bop2ndState, CEMAState


def flip_storm():
    """Rows of (deviation of gradients, shares that Bop2ndOrder and Bop flip at the first step)."""
    random = np.random.default_rng(0)
    signs = 1 - 2 * random.integers(0, 2, 4096, dtype=np.int8)
    draws = random.standard_normal(4096)

    def share(optimizer, deviation):
        p = Parameter("kernel", signs, binary=True)
        p.grad = np.float32(deviation * draws)
        return optimizer.step([p])["kernel"] / 4096

    sizes = 1e-3, 1e-5, 1e-7
    return [(d, share(optim.Bop2ndOrder(), d), share(optim.Bop(), d)) for d in sizes]


SIGMAS, TAUS, STRICT = (0.25, 1.0, 2.0**-4, 2.0**-6), (0.5, 0.25, 0.125, 0.0), ("strict",)


def drawn_second(x, *palettes, **options):
    """Gradients, bits, m and v = 1, and constants of Bop2ndOrder; ``options`` are other ones."""
    options = {"gamma": RATES, "sigma": SIGMAS, "threshold": TAUS, "epsilon": (1e-10,)} | options
    hyper = {name: x.one(name, each) for name, each in options.items()} | dialect(x)
    g, w, m = x.gradients(*palettes or (TENTHS,)), x.start_bits(), x.weights("m", QUARTERS)
    return (g, w, m, np.ones_like(m)), hyper


def second(x, g, w, m, v, **hyper):
    """(w, state) of Bop2ndOrder."""
    return x.run(x.steps.bop2nd_step, g, w, Bop2ndState(m, v), **hyper)


E7 = Entry(
    """E7 Momentum SGD with decay is two averages, sometimes

    Decoupled decay: m = -lambda (1 - mu) w is u <- mu u + (1 - mu) g, m <- (1 - lr lambda) m + lr
    lambda u with u0 = 0. Coupled (the usual L2): such a cascade iff lr lambda <= (1 - sqrt(mu))^2,
    of rates 1 - r1, 1 - r2 with r1 r2 = mu and (1 - r1)(1 - r2) = lr lambda, m = -lambda w,
    u0 = m0 = -lambda w0. One impulse then changes a sign at most once.

    if: v0 = 0; coupled: real poles
    class: Q
    why: Eliminate v and factor the characteristic polynomial of the recursion in w.
    source: Quist et al. 2023, whose code has the cascade"""
)
ROOTS = fractions("1/2 1/3 3/4 2/3 9/10 1/5")


def beside_cascade(x, gradients, latent, factor, first, rates, **hyper):
    """Momentum SGD, and two averages (CEMA) that start at ``first`` and factor w0."""
    bits = x.sign(latent)
    twin = x.run(x.steps.cema_step, gradients, bits, CEMAState(first, factor * latent), **rates)
    sgd = x.sgd(gradients, latent, **hyper)
    for _, latent, (w, state) in x.beside(gradients, sgd, twin):
        bits = hold(latent, bits)
        x.same_bits(momentum_sgd=bits, cascade=w)
        x.same(scaled_latent=factor * latent, m=state.inertia)


@E7.claim(EXACT)
def decoupled(x, decay="decoupled"):
    g, latent = x.gradients(SMALL, most=6), x.weights("latent", QUARTERS)
    mu, lr = x.one("mu", ROOTS), x.one("lr", RATES)
    lam = x.one("lambda", fractions("1/2 1 2/3"))
    rates = {"gamma": 1 - mu, "alpha": lr * lam}
    hyper = {"lr": lr, "momentum": mu, "weight_decay": lam, "decay": decay}
    beside_cascade(x, g, latent, -lam * (1 - mu), 0 * latent, rates, **hyper)


def coupled_of(r1, r2):
    """Constants of coupled SGD with the poles r1 and r2, at lambda = 1."""
    return {"lr": (1 - r1) * (1 - r2), "momentum": r1 * r2, "weight_decay": 1, "decay": "coupled"}


@E7.claim(EXACT)
def coupled(x):
    g, latent = x.gradients(SMALL, most=6), x.weights("latent", QUARTERS)
    r1, r2 = x.one("r1", ROOTS), x.one("r2", ROOTS)
    rates, hyper = {"gamma": 1 - r1, "alpha": 1 - r2}, coupled_of(r1, r2)
    beside_cascade(x, g, latent, -1, -latent, rates, **hyper)


@E7.claim(EXACT)
def impulse(x, hyper=None, start=Fraction(1, 8)):
    """A gradient of 1, then none: at most one change of sign."""
    hyper = hyper or coupled_of(x.one("r1", ROOTS), x.one("r2", ROOTS))
    latent, gradients = x.array([start]), x.column(1, *[0] * x.one("steps", range(9, 17)))
    bits, changes, run = x.sign(latent), 0, x.sgd(gradients, latent, **hyper)
    for _, latent in x.beside(gradients, run):
        before, bits = bits, hold(latent, bits)
        changes += np.count_nonzero(bits != before)
        x.show(latent=latent)
        x.require(changes <= 1, f"one impulse changed a sign {changes} times")


COMPLEX = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1, "decay": "coupled"}
E7.shows(coupled, g=(1, -2, 0, 1), latent=0.5, r2=Fraction(1, 3), numbers="fraction")
E7.breaks("coupled, mu = 0.9 and lr lambda = 0.01: complex poles, a sign swings")(
    impulse, COMPLEX, start=0, steps=99, numbers="float64"
)
E7.breaks("coupled decay taken for the decoupled cascade")(
    decoupled, "coupled", g=(1, 0), latent=0.5, numbers="fraction"
)


E12 = Entry(
    """E12 Numbers stored per weight

    Latent SGD 1 real, with momentum 2, Adam 3; Bop 1 and the bit, Bop2ndOrder 2 and the bit, the
    cascade 2. At tau = 0 Bop's bit is -sgn(m) wherever m is not 0, so it is redundant there; the
    cascade has no tau, so its bit is wherever its inertia is not 0.

    if: counted on the optimizers' own state; redundant only at tau = 0
    class: B
    why: b m > 0 flips, so after a step b m <= 0.
    source: Helwegen et al. 2019, section 4; their code keeps b as float32, so 2 reals"""
)
# Reals of state per weight, and whether the bit has to be kept beside them where they are not 0.
STORED = {
    "LatentSGD": (1, False, optim.LatentSGD),
    "LatentSGD with momentum": (2, False, lambda: optim.LatentSGD(momentum=0.9)),
    "LatentAdam": (3, False, optim.LatentAdam),
    "InertiaSGD": (1, True, optim.InertiaSGD),
    "Bop": (1, True, optim.Bop),
    "Bop2ndOrder": (2, True, optim.Bop2ndOrder),
    "CEMA": (2, False, optim.CEMA),
    "SchmittSGD": (1, True, optim.SchmittSGD),
    "DoubleWellSGD": (1, False, optim.DoubleWellSGD),
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


E14 = Entry(
    """E14 When Bop2ndOrder is Bop, and its zero start

    b m / (sqrt(v) + epsilon) > tau flips. From v0 = G^2 it is Bop of threshold tau (G + epsilon) if
    sigma = 0 or |g| = G, and for any v > 0 if tau = 0. g -> C g, m0 -> C m0, v0 -> C^2 v0 changes
    nothing at fixed tau. From m = v = 0 step one flips every weight that agrees with its
    gradient if gamma / sqrt(sigma) > tau, and at gamma = sigma = 1 every step does: sign descent.
    m / gamma and v / sigma, the published "unbiased" form: the threshold tau gamma / sqrt(sigma).

    if: as stated; epsilon = 0 for the scale, the zero start and the "unbiased" form
    class: B, B2
    why: sqrt(v) is 1, positive or G; a common factor cancels in m / sqrt(v).
    source: Suarez-Ramirez et al. 2021 and their code"""
)


IS_BOP = {"sigma = 0": {"sigma": (0,)}, "tau = 0": {"threshold": (0,)}, "|g| = G": {}}


@E14.claim
def is_bop(x):
    """From v0 = G^2, and Bop at the threshold times G."""
    where, size = x.one("where", [*IS_BOP]), x.one("G", (1.0, 2.0, 0.5, 8.0))
    palette = (size, -size) if where == "|g| = G" else TENTHS
    (g, w, m, one), hyper = drawn_second(x, palette, **IS_BOP[where])
    bop = x.bop(g, w, m, hyper["gamma"], size * hyper["threshold"], **dialect(x))
    run = second(x, g, w, m, np.float32(size**2) * one, **hyper)
    for _, (w, state), (other, m) in x.beside(g, run, bop):
        x.same_bits(second=w, bop=other)
        x.same(second_m=state.m, bop_m=m)


@E14.claim
def scale(x):
    (g, w, m, v), hyper = drawn_second(x, epsilon=(0,))
    c = x.one("C", POWERS)
    start = x.one("start", (c,))
    scaled = second(x, c * g, w, start * m, start * start * v, **hyper)
    x.alike(g, second=second(x, g, w, m, v, **hyper), scaled=scaled)


@E14.claim
def unbiased(x):
    run, hyper = drawn_second(x, gamma=(0.5, 0.25, 2.0**-6), epsilon=(0,))
    factor = x.one("factor", (hyper["sigma"] ** 0.5 / hyper["gamma"],))
    changed = hyper | {"form": "unbiased", "threshold": hyper["threshold"] * factor}
    x.alike(run[0], biased=second(x, *run, **hyper), unbiased=second(x, *run, **changed))


@E14.claim
def storm(x):
    """m / sqrt(v) = sgn(g) gamma / sqrt(sigma) at the first step, and at all if both are 1."""
    every, how = x.one("every step", (False, True)), {"threshold": (2.0**-10, 0.5, 2.0, 1e-6)}
    how |= {"gamma": (1,), "sigma": (1,)} if every else {}
    (g, bits, m, _), hyper = drawn_second(x, (1, -1, 2, -2, 0.25, 0), rule=STRICT, **how)
    storms = hyper["gamma"] / hyper["sigma"] ** 0.5 > hyper["threshold"]
    gradients = g if every else g[:1]
    for g, (w, state) in x.beside(gradients, second(x, gradients, bits, 0 * m, 0 * m, **hyper)):
        x.tie((w != bits) & storms)
        x.show(m=state.m, v=state.v)
        bits = np.where((g * bits > 0) & storms, -bits, bits)
        x.same_bits(second=w, stormed=bits)


E14.shows(storm, g=(1,), gamma=1e-6, sigma=1e-2, threshold=1e-6, epsilon=0)
E14.breaks("epsilon = 1e-10 is not scaled along with C = 2^-40")(
    scale, g=(1,), threshold=0.25, epsilon=1e-10, C=2.0**-40
)
E14.breaks("v0 is not scaled along: g = 1 and 4")(scale, g=(1,), sigma=2.0**-4, C=4, start=1)
E14.breaks("sigma > 0 is not Bop")(is_bop, g=(4, 4), sigma=0.5, threshold=1)
E14.breaks('"unbiased" with the threshold left as it was: not a bias correction')(
    unbiased, factor=1, g=(1,), sigma=0.0625, threshold=0.3
)
