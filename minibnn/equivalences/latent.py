"""Latent weights in other clothes: E3 (inertia), E4 (Bop), E8 (hysteresis)."""

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import ANY, LAMBDAS, QUARTERS, RATES, SMALL, STARTS, THRESHOLDS, hold
from minibnn.equivalences.entry import BITS, BOTH, EXACT, Entry
from minibnn.equivalences.scale import dialect, sgd_constants

E3 = Entry(
    """E3 A latent weight is a bit and its inertia

    w = b m with m >= 0: s = m - lr (b g + lambda m), m' = |s| (then min with the clip); flip iff
    s < 0 where b = +1 and iff s <= 0 where b = -1. Momentum and mask likewise.

    if: round to nearest (or exact); a -1 of inertia 0 does not exist
    class: B, Q
    why: Multiplying by +1 or -1 is exact, and round-to-nearest is an odd function.
    source: Helwegen et al. 2019, equation 4""",
    ports=("latent_sgd_step",),
)


@E3.claim(BOTH)
def inertia(x, step=None, rounded=lambda latent: latent):
    """Latent SGD, and bits with their inertia; ``rounded`` is how latent weights are kept."""
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS, STARTS)
    hyper, w, velocity = sgd_constants(x), x.sign(latent), optim.LatentSGDState(0 * latent)
    state = optim.InertiaSGDState(np.abs(latent), 0 * latent)
    run = x.run(step or x.steps.inertia_sgd_step, gradients, w, state, **hyper)
    for g, (w, state) in x.beside(gradients, run):
        latent, velocity = x.steps.latent_sgd_step(latent, g, velocity, **hyper)
        latent = rounded(latent)
        x.tie(latent == 0)
        x.show(latent=latent)
        x.same_bits(sign=x.sign(latent), bit=w)
        x.same(abs_latent=np.abs(latent), inertia=state.inertia)
        if hyper.get("momentum"):
            x.same(velocity=velocity.velocity, inertia_velocity=state.velocity)


def symmetric_step(w, g, state, *, lr, **others):
    s = state.inertia - lr * (w * g)
    return np.where(s < 0, -w, w), optim.InertiaSGDState(np.abs(s))


def eighths_below(s):
    """Rounding towards minus infinity."""
    return np.floor(8 * s) / 8


def step_rounded_down(w, g, state, *, lr, **others):
    s = eighths_below(state.inertia - lr * (w * g))
    return np.where((s < 0) | ((s == 0) & (w < 0)), -w, w), optim.InertiaSGDState(np.abs(s))


E3.shows(inertia, g=(2, 1, -2, -1), latent=0.5, weight_decay=0.5)
E3.breaks("the symmetric rule, flip iff s < 0: at s = 0 a -1 must flip")(
    inertia, step=symmetric_step, g=(-1,), latent=-0.5
)
E3.breaks("rounding towards minus infinity is not odd")(
    inertia, step=step_rounded_down, rounded=eighths_below, g=(-0.1,), latent=-0.5
)


E4 = Entry(
    """E4 SGD with weight decay is Bop with threshold 0

    w <- (1 - lr lambda) w - lr g and m <- (1 - gamma) m + gamma g with gamma = lr lambda and
    m0 = -lambda w0: m = -lambda w at every step, and the same bits. Also for schedules of lr at
    constant lambda. Latent 0 read as +1 is Larq's rule; read as "keep the bit" it is the strict.

    if: lambda > 0, m0 = -lambda w0, no clip (or m clipped at lambda times it), matching tie rule;
        in float32 lambda a power of two, and forms paired: shrink with convex, coupled with lerp
    class: B, Q
    why: Multiply the latent update by -lambda: it is Bop's average, and with a power of two each
        rounding scales along. b m > 0 iff b and w disagree. Nothing asks for lr lambda <= 1.
    source: Helwegen et al. 2019, section 6, say only "similar"; Quist et al. 2023""",
    ports=("bop_step", "latent_sgd_step"),
)


def beside_bop(x, gradients, latent, rates, lam, how):
    """Latent SGD with decay, and Bop with threshold 0: the same bits, and m = -lambda w.

    ``how`` has the dialect and the form of decay; it may have clips, another m0 or gamma, and the
    rule by which a latent weight of 0 is read.
    """
    w = bits = x.sign(latent)
    state = optim.BopState(how.get("m", -lam * latent))
    clip = {"clip": how["clip"]} if how.get("clip") else {}
    run = x.sgd(gradients, latent, rates, weight_decay=lam, decay=how["decay"], **clip)
    hyper = {"threshold": 0, "rule": how["rule"], "average": how["average"]}
    for g, lr, latent in x.beside(gradients, rates, run):
        w, state = x.steps.bop_step(w, g, state, gamma=how.get("gamma", lr * lam), **hyper)
        if how.get("m_clip"):
            state = optim.BopState(np.clip(state.m, -how["m_clip"], how["m_clip"]))
        bits = x.sign(latent) if how.get("zero", how["rule"]) == "larq" else hold(latent, bits)
        x.show(latent=latent)
        x.same_bits(sign=bits, bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=state.m)


PAIRED = {"convex": "shrink", "lerp": "coupled"}  # forms that round alike


def drawn_decay(x, lambdas, rates, *palettes, most=8):
    """Gradients, latent weights, rates and lambda; somebody else's steps get lr lambda <= 1."""
    g, latent = x.gradients(*palettes, most=most), x.weights("latent", QUARTERS)
    lam = x.number(x.one("weight_decay", lambdas))
    most = max(lam, x.number(1)) if x.steps.foreign else x.number(1)
    return g, latent, [lr / most for lr in x.each_step("lr", rates, g)], lam


def pairs(steps):
    return [average for average in steps.averages if PAIRED[average] in steps.decays]


@E4.claim(BOTH, when=pairs)
def decay_is_average(x, change=None):
    """A clip of the latent weights is lambda times it for m."""
    *run, lam = drawn_decay(x, LAMBDAS, RATES, SMALL, ANY)
    average, rule = x.one("average", pairs(x.steps)), x.one("rule", x.steps.rules)
    how = {"average": average, "rule": rule, "decay": PAIRED[average]}
    how["clip"] = None if x.steps.foreign else x.one("clip", (None, None, 1.0, 0.5))
    how["m_clip"] = how["clip"] and x.number(how["clip"]) * lam
    beside_bop(x, *run, lam, how | (change or {}))


@E4.claim(BOTH)
def in_any_form(x):
    """Exact arithmetic: fractions, or float32 on a lattice of quarters and powers of two."""
    run = drawn_decay(x, (1.0, 0.5), (0.5, 1.0), SMALL, most=8 if x.exact else 6)
    beside_bop(x, *run, dialect(x) | {"decay": x.one("decay", x.steps.decays)})


ZERO = np.zeros(1, np.float32)
E4.shows(decay_is_average, g=(1, 2, -1, -2, -1, 0), latent=0.5, weight_decay=0.5, rule="larq")
E4.breaks("no weight decay: plain SGD is no Bop, here of gamma 0.1")(
    decay_is_average, {"gamma": 0.1}, g=(1, -3, 2), lr=1, weight_decay=0, rule="larq", **BITS
)
E4.breaks("Bop starts at m0 = 0 whatever the latent weights are")(
    decay_is_average, {"m": ZERO}, g=(0.25,), lr=1, weight_decay=0.5, latent=2, **BITS
)
E4.breaks("a latent weight of exactly 0 reads +1, and the strict rule keeps the bit")(
    decay_is_average, {"zero": "larq"}, g=(-0.5,), latent=-0.5
)
E4.breaks("convex beside coupled: the forms round differently")(
    decay_is_average, {"decay": "coupled"}, g=(0.1,) * 3, lr=0.1, weight_decay=0.5, latent=0.1
)
E4.breaks("lambda = 0.3, no power of two: m rounds by itself")(
    decay_is_average, g=(0.1,) * 3, lr=0.1, weight_decay=0.3, latent=0.1
)
E4.breaks("the latent weights are clipped, m is not")(
    decay_is_average, {"clip": 0.5}, g=(-4, 1, 1), weight_decay=0.5, latent=0.5, **BITS
)


E8 = Entry(
    """E8 Bop's threshold is hysteresis of latent SGD

    Bop is a Schmitt trigger on m: -1 above tau, +1 below -tau, else hold. So it is shrink SGD whose
    bit holds while |w| <= theta = tau / lambda; and, with W = w + theta b, SGD on
    L + lambda/2 (|W| - theta)^2 that adds 2 theta b_new when sign(W) changes; W = 0 holds the bit.

    if: theta = tau / lambda, in float32 lambda = 2^k; the wells also b0 m0 <= tau, so that
        sign(W0) = b0, and Fractions; the latent twins are of the strict rule
    class: B, Q
    why: b flips iff b m > tau iff b W < 0, as b W = theta - b m / lambda.
    source: derived; "hysteresis" is the word of BayesBiNN (Meng et al. 2020), table 1""",
    ports=("bop_step",),
)


def schmitt_trigger(bits, m, threshold, rule):
    """-1 above the threshold, +1 below minus the threshold, else the bit that was there."""
    within = {
        "strict": np.abs(m) <= threshold,
        "inclusive": (np.abs(m) < threshold) | (m == 0),
        "larq": (np.abs(m) <= threshold) & (m != -threshold),  # a tie, b m = tau, becomes +1
    }
    return np.where(within[rule], bits, np.where(m > 0, -np.ones_like(bits), np.ones_like(bits)))


def drawn_hysteresis(x):
    """Gradients, rates, lambda, threshold, bits and m; on a lattice ties are common."""
    lattice = x.one("lattice", (True, False))
    palettes = (SMALL, (0.5, 1.0), (1.0, 0.5)) if lattice else (ANY, RATES, LAMBDAS)
    g, lam = x.gradients(palettes[0]), x.number(x.one("weight_decay", palettes[2]))
    rates = [lr / max(lam, x.number(1)) for lr in x.each_step("lr", palettes[1], g)]
    threshold = x.number(x.one("threshold", THRESHOLDS))
    return g, rates, lam, threshold, x.start_bits(), x.weights("m", QUARTERS)


def twins(steps):
    return "strict" in steps.rules and "convex" in steps.averages


@E8.claim(BOTH)
def trigger(x):
    gradients, rates, lam, threshold, bits, m = drawn_hysteresis(x)
    how = dialect(x)
    run = x.bop(gradients, bits, m, [lr * lam for lr in rates], threshold, **how)
    for _, (w, n) in x.beside(gradients, run):
        bits = schmitt_trigger(bits, n, threshold, how["rule"])
        x.same_bits(bop=w, trigger=bits)


def bop_and_twin(x, step, state, gradients, rates, lam, threshold, bits, m, deadband=None):
    """Strict Bop, and a latent twin of the dead band threshold / lambda; both at each step."""
    bop = x.bop(gradients, bits, m, [lr * lam for lr in rates], threshold)
    theta = threshold / lam if deadband is None else x.number(deadband)
    hyper = {"lr": rates, "weight_decay": lam, "deadband": theta}
    return x.beside(gradients, bop, x.run(step, gradients, bits, state, **hyper))


@E8.claim(BOTH, when=twins)
def band(x, memory=True, deadband=None):
    _, _, lam, *_, m = run = drawn_hysteresis(x)
    twin = x.steps.schmitt_sgd_step, optim.SchmittSGDState(-m / lam)
    for _, (w, m), (bits, state) in bop_and_twin(x, *twin, *run, deadband):
        x.same_bits(bop=w, band=bits if memory else x.sign(state.latent))
        x.same(m=m, minus_lambda_latent=-lam * state.latent)


@E8.claim(EXACT, when=lambda steps: twins(steps) and steps.exact)
def wells(x, beyond=False):
    """From b m <= tau at the start."""
    g, rates, lam, threshold, bits, m = drawn_hysteresis(x)
    m, theta = m if beyond else bits * np.minimum(m * bits, threshold), threshold / lam
    well = optim.DoubleWellSGDState(-m / lam + theta * bits)
    x.same_bits(sign_of_W0=hold(well.latent, bits), b0=bits)
    run = x.steps.double_well_sgd_step, well, g, rates, lam, threshold, bits, m
    for _, (w, m), (bits, well) in bop_and_twin(x, *run):
        x.same_bits(bop=w, wells=bits)
        x.same_bits(sign_of_W=hold(well.latent, bits), bit=bits)
        x.same(m=m, minus_lambda_w=-lam * (well.latent - theta * bits))


@E8.breaks("the wells' bit is sign(W), also at W = 0")
def sign_of_zero(x):
    """b = -1, theta = lambda = lr = 1, g = -1: W = 0, and Bop keeps -1."""
    g, bits, state = x.column(-1), x.signs([-1]), optim.DoubleWellSGDState(x.array([-1]))
    hyper = {"lr": 1, "weight_decay": 1, "deadband": 1}
    run = x.run(x.steps.double_well_sgd_step, g, bits, state, **hyper)
    for _, (w, state) in x.beside(g, run):
        x.same_bits(well=w, sign=x.sign(state.latent))


E8.shows(band, g=(1, 2, -1, -2, -2, 1), lr=1, weight_decay=0.5, threshold=0.5)
E8.breaks("bits read off sign(w) without memory")(
    band, memory=False, g=(1,), lr=1, weight_decay=1, threshold=1
)
E8.breaks("another dead band")(band, deadband=2, g=(1.5,), lr=1, weight_decay=0.5, threshold=0.5)
E8.breaks("the wells start beyond the threshold: b0 m0 > tau")(
    wells, beyond=True, g=(0,), lr=1, weight_decay=0.5, threshold=0.5, m=1, numbers="fraction"
)
