"""Latent weights in other clothes: E3 (inertia), E4 (Bop), E8 (hysteresis)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, RATES, SMALL, STARTS, THRESHOLDS, Options, hold
from minibnn.equivalences.entry import Entry
from minibnn.equivalences.scale import dialect, sgd_constants, sgd_start
from minibnn.optim import BopState, DoubleWellSGDState, InertiaSGDState, SchmittSGDState

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


def beside_inertia(x, gradients, latent, step=None, rounded=lambda latent: latent, **hyper):
    """Latent SGD, and bits with their inertia; ``rounded`` is how latent weights are kept."""
    w, velocity = x.sign(latent), sgd_start(latent)
    state = InertiaSGDState(np.abs(latent), 0 * latent)
    for g in x.over(gradients):
        latent, velocity = x.steps.latent_sgd_step(latent, g, velocity, **hyper)
        latent = rounded(latent)
        w, state = (step or x.steps.inertia_sgd_step)(w, g, state, **hyper)
        x.tie(latent == 0)
        x.show(latent=latent)
        x.same_bits(sign=x.sign(latent), bit=w)
        x.same(abs_latent=np.abs(latent), inertia=state.inertia)
        if hyper.get("momentum"):
            x.same(velocity=velocity.velocity, inertia_velocity=state.velocity)


@E3.claim
def inertia(x):
    x.arithmetic()
    g, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS, STARTS)
    beside_inertia(x, g, latent, **sgd_constants(x))


def symmetric_step(w, g, state, *, lr):
    s = state.inertia - lr * (w * g)
    return np.where(s < 0, -w, w), InertiaSGDState(np.abs(s))


def eighths_below(s):
    """Rounding towards minus infinity."""
    return np.floor(8 * s) / 8


def step_rounded_down(w, g, state, *, lr):
    s = eighths_below(state.inertia - lr * (w * g))
    return np.where((s < 0) | ((s == 0) & (w < 0)), -w, w), InertiaSGDState(np.abs(s))


def of_one_weight(x, gradients, latent, *arguments, **hyper):
    beside_inertia(x, x.column(*gradients), x.array([latent]), *arguments, **hyper)


E3.shows(lambda x: of_one_weight(x, (2, 1, -2, -1), 0.5, lr=0.5, weight_decay=0.5))
E3.breaks(
    "the symmetric rule, flip iff s < 0: at s = 0 a -1 must flip",
    lambda x: of_one_weight(x, (-1,), -0.5, symmetric_step, lr=x.number(0.5)),
)
E3.breaks(
    "rounding towards minus infinity is not odd",
    lambda x: of_one_weight(x, (-0.1,), -0.5, step_rounded_down, eighths_below, lr=np.float32(0.5)),
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
LAMBDAS = Options(
    (1.0, 0.5, 0.25, 2.0, 2.0**-7),
    tuple(Fraction(*p) for p in ((1, 1), (1, 2), (2, 3), (1, 5), (3, 1))),
)


def beside_bop(
    x,
    gradients,
    latent,
    rates,
    lam,
    m=None,
    decay="shrink",
    clip=None,
    m_clip=None,
    gamma=None,
    zero_reads_plus=False,
    **dialect,
):
    """Latent SGD with decay, and Bop with threshold 0: the same bits, and m = -lambda w."""
    w = bits = x.sign(latent)
    state, velocity = BopState(-lam * latent if m is None else m), sgd_start(latent)
    larq = dialect["rule"] == "larq"
    clipping = {"clip": clip} if clip else {}
    for g, lr in zip(x.over(gradients), rates, strict=True):
        hyper = {"lr": lr, "weight_decay": lam, "decay": decay} | clipping
        latent, velocity = x.steps.latent_sgd_step(latent, g, velocity, **hyper)
        hyper = {"gamma": lr * lam if gamma is None else gamma, "threshold": 0} | dialect
        w, state = x.steps.bop_step(w, g, state, **hyper)
        if m_clip is not None:
            state = BopState(np.clip(state.m, -m_clip, m_clip))
        bits = x.sign(latent) if larq or zero_reads_plus else hold(latent, bits)
        x.tie(state.m == 0)
        x.show(latent=latent)
        x.same_bits(sign=bits, bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=state.m)


PAIRED = {"convex": "shrink", "lerp": "coupled"}  # forms that round alike


def drawn_decay(x, lambdas, rates, *palettes):
    """Gradients, latent weights, rates and lambda; somebody else's steps get lr lambda <= 1."""
    g, latent = x.gradients(*palettes), x.weights("latent", QUARTERS)
    lam = x.number(x.one("lambda", lambdas))
    rates = x.array(x.many("lr", rates, len(g)))
    return g, latent, rates / max(lam, x.number(1)) if x.steps.foreign else rates, lam


def drawn_clip(x, lam):
    """Sometimes a clip of the latent weights, and lambda times it for m."""
    clip = None if x.steps.foreign else x.one("clip", (None, None, 1.0, 0.5))
    return {"clip": clip, "m_clip": clip and x.number(clip) * lam}


def pairs(steps):
    return [average for average in steps.averages if PAIRED[average] in steps.decays]


@E4.claim(when=pairs)
def decay_is_average(x):
    x.arithmetic()
    run = drawn_decay(x, LAMBDAS, RATES, SMALL, ANY)
    average, rule = x.one("average", pairs(x.steps)), x.one("rule", x.steps.rules)
    how = {"average": average, "rule": rule, "decay": PAIRED[average]}
    beside_bop(x, *run, **how, **drawn_clip(x, run[-1]))


@E4.claim
def in_any_form(x):
    """Exact arithmetic: fractions, or float32 on a lattice of quarters and powers of two."""
    x.arithmetic()
    run = drawn_decay(x, (1.0, 0.5), (0.5, 1.0), SMALL)
    how = dialect(x) | {"decay": x.one("decay", x.steps.decays)}
    beside_bop(x, *(run if x.exact else (run[0][:6], run[1], run[2][:6], run[3])), **how)


def decay_of_one(x, gradients, lr=0.5, lam=0.5, latent=0.5, rule="larq", **more):
    rates, lam = [x.number(lr)] * len(gradients), x.number(lam)
    arrays = x.column(*gradients), x.array([latent])
    beside_bop(x, *arrays, rates, lam, rule=rule, average="convex", **more)


def bits_of_one(x, gradients, **more):
    x.bits_only = True
    decay_of_one(x, gradients, **more)


E4.shows(lambda x: decay_of_one(x, (1, 2, -1, -2, -1, 0)))
E4.breaks(
    "no weight decay: plain SGD is no Bop, here of gamma 0.1",
    lambda x: bits_of_one(x, (1, -3, 2), lr=1, lam=0, latent=0, gamma=0.1),
)
E4.breaks(
    "Bop starts at m0 = 0 whatever the latent weights are",
    lambda x: bits_of_one(x, (0.25,), lr=1, latent=2, m=x.array([0])),
)
E4.breaks(
    "a latent weight of exactly 0 reads +1, and the strict rule keeps the bit",
    lambda x: decay_of_one(x, (-0.5,), latent=-0.5, lam=1, rule="strict", zero_reads_plus=True),
)
E4.breaks(
    "convex beside coupled: the forms round differently",
    lambda x: decay_of_one(x, (0.1,) * 3, lr=0.1, latent=0.1, decay="coupled"),
)
E4.breaks(
    "lambda = 0.3, no power of two: m rounds by itself",
    lambda x: decay_of_one(x, (0.1,) * 3, lr=0.1, lam=0.3, latent=0.1),
)
E4.breaks(
    "the latent weights are clipped, m is not", lambda x: bits_of_one(x, (-4, 1, 1), clip=0.5)
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


def bop_of(x, w, g, state, lr, lam, threshold, **dialect):
    """A step of Bop at gamma = lr lambda; counts ties."""
    hyper = {"gamma": lr * lam, "threshold": threshold} | dialect
    w, state = x.steps.bop_step(w, g, state, **hyper)
    x.tie(np.abs(state.m) == threshold)
    return w, state


def schmitt_trigger(bits, m, threshold, rule):
    """-1 above the threshold, +1 below minus the threshold, else the bit that was there."""
    up, down = m > threshold, m < -threshold
    if rule == "inclusive":
        up, down = (m >= threshold) & (m > 0), (m <= -threshold) & (m < 0)
    if rule == "larq":  # a tie, b m = tau, becomes +1
        down = m <= -threshold
    one = np.ones_like(bits)
    return np.where(up, -one, np.where(down, one, bits))


def drawn_hysteresis(x):
    """Gradients, rates, lambda, threshold, bits and m; on a lattice ties are common."""
    lattice = x.one("lattice", (True, False))
    palettes = (SMALL, (0.5, 1.0), (1.0, 0.5)) if lattice else (ANY, RATES, LAMBDAS)
    g, lam = x.gradients(palettes[0]), x.number(x.one("lambda", palettes[2]))
    rates = x.array(x.many("lr", palettes[1], len(g))) / max(lam, x.number(1))
    threshold = x.number(x.one("threshold", THRESHOLDS))
    return g, rates, lam, threshold, x.start_bits(), x.weights("m", QUARTERS)


def twins(steps):
    return "strict" in steps.rules and "convex" in steps.averages


@E8.claim
def trigger(x):
    x.arithmetic()
    gradients, rates, lam, threshold, bits, m = drawn_hysteresis(x)
    w, state, how = bits, BopState(m), dialect(x)
    for g, lr in zip(x.over(gradients), rates, strict=True):
        w, state = bop_of(x, w, g, state, lr, lam, threshold, **how)
        bits = schmitt_trigger(bits, state.m, threshold, how["rule"])
        x.same_bits(bop=w, trigger=bits)


@E8.claim(when=twins)
def band(x):
    x.arithmetic()
    beside_band(x, *drawn_hysteresis(x))


def beside_band(x, gradients, rates, lam, threshold, bits, m, deadband=None, memory=True):
    w, state, latent = bits, BopState(m), SchmittSGDState(-m / lam)
    theta = threshold / lam if deadband is None else x.number(deadband)
    for g, lr in zip(x.over(gradients), rates, strict=True):
        w, state = bop_of(x, w, g, state, lr, lam, threshold, rule="strict", average="convex")
        hyper = {"lr": lr, "weight_decay": lam, "deadband": theta}
        bits, latent = x.steps.schmitt_sgd_step(bits, g, latent, **hyper)
        bits = bits if memory else x.sign(latent.latent)
        x.same_bits(bop=w, band=bits)
        x.same(m=state.m, minus_lambda_latent=-lam * latent.latent)


@E8.claim(when=lambda steps: twins(steps) and steps.exact)
def wells(x):
    x.arithmetic("fraction")
    *run, threshold, bits, m = drawn_hysteresis(x)
    m = bits * np.minimum(m * bits, threshold)  # b m <= tau at the start
    beside_wells(x, *run, threshold, bits, m)


def beside_wells(x, gradients, rates, lam, threshold, bits, m):
    w, state, theta = bits, BopState(m), threshold / lam
    well = DoubleWellSGDState(-m / lam + theta * bits)
    x.same_bits(sign_of_W0=hold(well.latent, bits), b0=bits)
    for g, lr in zip(x.over(gradients), rates, strict=True):
        w, state = bop_of(x, w, g, state, lr, lam, threshold, rule="strict", average="convex")
        hyper = {"lr": lr, "weight_decay": lam, "deadband": theta}
        bits, well = x.steps.double_well_sgd_step(bits, g, well, **hyper)
        x.same_bits(bop=w, wells=bits)
        x.same_bits(sign_of_W=hold(well.latent, bits), bit=bits)
        x.same(m=state.m, minus_lambda_w=-lam * (well.latent - theta * bits))


def band_of_one(x, gradients, lam=0.5, threshold=0.5, **more):
    rates, constants = [x.number(1)] * len(gradients), (x.number(lam), x.number(threshold))
    beside_band(x, x.column(*gradients), rates, *constants, x.signs([1]), x.array([0]), **more)


def wells_from_beyond(x):
    x.arithmetic("fraction")
    half = Fraction(1, 2)
    beside_wells(x, x.column(0), [Fraction(1)], half, half, x.signs([1]), x.array([1]))


def sign_of_zero(x):
    """b = -1, theta = lambda = lr = 1, g = -1: W = 0, and Bop keeps -1."""
    one, bits = np.float32(1), x.signs([-1])
    hyper = {"lr": one, "weight_decay": one, "deadband": one}
    for g in x.over(x.column(-1)):
        state = DoubleWellSGDState(-x.array([1]))
        w, state = x.steps.double_well_sgd_step(bits, g, state, **hyper)
        x.same_bits(well=w, sign=x.sign(state.latent))


E8.shows(lambda x: band_of_one(x, (1, 2, -1, -2, -2, 1)))
E8.breaks(
    "bits read off sign(w) without memory",
    lambda x: band_of_one(x, (1,), lam=1, threshold=1, memory=False),
)
E8.breaks("another dead band", lambda x: band_of_one(x, (1.5,), deadband=2))
E8.breaks("the wells start beyond the threshold: b0 m0 > tau", wells_from_beyond)
E8.breaks("the wells' bit is sign(W), also at W = 0", sign_of_zero)
