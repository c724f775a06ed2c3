"""What a change of scale does: E1 (latent weights), E2 (the learning rate), E6 (Bop)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import (
    ANY,
    QUARTERS,
    RATES,
    SCALES,
    SMALL,
    STARTS,
    THRESHOLDS,
    Options,
)
from minibnn.equivalences.entry import BITS, BOTH, Entry
from minibnn.optim.bop import flip_signs


def library(steps):
    """Claims on more than what somebody else's step functions can do."""
    return not steps.foreign


def sgd_constants(x):
    """Constants of latent SGD; momentum, clip and mask where it is the library's."""
    hyper = {"lr": x.one("lr", RATES), "decay": x.one("decay", x.steps.decays)}
    zero_or_rates = Options((0, *RATES.floats), (0, *RATES.fractions))
    hyper["weight_decay"] = x.one("weight_decay", zero_or_rates)
    if x.steps.foreign:
        return hyper
    return hyper | {"momentum": x.one("momentum", (0, 0.5, 0.9))} | clip_and_mask(x)


def clip_and_mask(x):
    return {name: x.one(name, (None, 1.0, 0.5, 0.3)) for name in ("clip", "ste_clip")}


def drawn_bop(x, *palettes):
    """Gradients, bits, m, rates and threshold of a run of Bop."""
    g, m = x.gradients(*palettes), x.weights("m", STARTS)
    rates = x.each_step("gamma", RATES, g)
    return g, x.start_bits(), m, rates, x.number(x.one("threshold", THRESHOLDS))


def dialect(x):
    return {"rule": x.one("rule", x.steps.rules), "average": x.one("average", x.steps.averages)}


E1 = Entry(
    """E1 A scale of the latent weights changes nothing

    (lr, lambda, w0, clip, mask width) -> (C lr, lambda / C, C w0, C clip, C width) with any C > 0
    per weight: the same bits, and C times the latent weights. Adam: the same with its rate, at any
    epsilon.

    if: the gradient depends on the bits alone; momentum and schedule as they were
    class: B2, Q
    why: Every operation is homogeneous of degree 1 in (latent, lr), so C factors out of one step;
        the bits, and with them the next gradient, are the same; induct.
    source: Helwegen et al. 2019 (arXiv 1906.02107), Theorem 1 and appendix A""",
    ports=("latent_sgd_step",),
)
POWER_OF_C = {"lr": 1, "weight_decay": -1, "clip": 1, "ste_clip": 1}


def scaled_constants(x, hyper, c, unscaled=(), powers=POWER_OF_C):
    powers = {name: p for name, p in powers.items() if hyper.get(name) and name not in unscaled}
    return hyper | {name: x.number(hyper[name]) * c**p for name, p in powers.items()}


def beside_scaled(x, run, gradients, latent, scale, unscaled=(), **hyper):
    """Latent weights, and each one by itself, scaled with its constants but for the unscaled."""
    start = latent if "start" in unscaled else scale * latent
    each = [
        run(gradients[:, [i]], start[[i]], **scaled_constants(x, hyper, c, unscaled))
        for i, c in enumerate(scale)
    ]
    for _, a, *b in x.beside(gradients, run(gradients, latent, **hyper), *each):
        b = np.concatenate(b)
        x.same_bits(sign=x.sign(a), scaled_sign=x.sign(b))
        x.same(C_latent=scale * a, scaled_latent=b)


@E1.claim(BOTH)
def latent_sgd(x, unscaled=()):
    g, latent, scale = x.gradients(SMALL, ANY), x.weights("latent", STARTS), x.weights("C", SCALES)
    beside_scaled(x, x.sgd, g, latent, scale, unscaled, **sgd_constants(x))


@E1.claim(when=library)
def latent_adam(x):
    g, latent, scale = x.gradients(SMALL, ANY), x.weights("latent", STARTS), x.weights("C", SCALES)
    hyper = {"lr": x.one("lr", RATES), "epsilon": x.one("epsilon", (1e-7, 1e-3, 1.0))}
    beside_scaled(x, x.adam, g, latent, scale, **hyper, **clip_and_mask(x))


E1.shows(latent_sgd, g=(-1, 1, 0.5, 1), latent=0.5, weight_decay=0.25, clip=1.0)
E1.breaks("the clip keeps its size")(
    latent_sgd, unscaled=["clip"], g=(-1, 1, 0.5), latent=0.5, lr=1, clip=1, **BITS
)
E1.breaks("the straight-through mask keeps its width")(
    latent_sgd, unscaled=["ste_clip"], g=(-1, 2), latent=0.25, ste_clip=1, **BITS
)
E1.breaks("lambda keeps its size")(
    latent_sgd, unscaled=["weight_decay"], g=(0, 0.4), latent=1, weight_decay=1, **BITS
)
E1.breaks("the start keeps its size: learning rate alone, the usual belief")(
    latent_sgd, unscaled=["start"], g=(0.75,), latent=0.5, **BITS
)
E1.breaks("the paper's C = 0.01, no power of two: 0.1 - 0.3 + 0.2 is 0 in one run only")(
    latent_sgd, g=(3, -2), latent=0.1, C=0.01, lr=0.1, **BITS
)


E2 = Entry(
    """E2 The learning rate is irrelevant from 0, or when large enough

    w0 = 0: the bits do not depend on the learning rate. Else all rates above max |w0| / |S_t| give
    the same bits (S_t the summed gradient, over entries with S_t != 0 and sign(w0) != -sign(S_t)).
    Adam from w0 = 0: likewise; gradients times C need epsilon times C.

    if: no clip or mask, no decay (or lambda proportional to 1 / lr), the schedule of the same shape
    class: B2, Q
    why: w_t = w0 - lr S_t: with w0 = 0 the rate scales w_t; above the bound S_t wins.
    source: Helwegen et al. 2019, section 3 (which says it more broadly)""",
    ports=("latent_sgd_step",),
)


def same_signs(x, gradients, slow, fast):
    """Two runs of latent weights."""
    x.alike(gradients, slow_sign=map(x.sign, slow), fast_sign=map(x.sign, fast))


def drawn_rates(x):
    """Gradients, rates of a constant or a changing schedule, and a factor C."""
    g, lr, c = x.gradients(SMALL, ANY), x.number(x.one("lr", RATES)), x.number(x.one("C", SCALES))
    return g, lr * schedule(x, g), c


def schedule(x, gradients):
    powers = (1.0,) if x.one("constant", (True, False)) else (1.0, 0.5, 2.0, 0.25, 4.0)
    return x.array(x.each_step("schedule", powers, gradients))


@E2.claim(BOTH)
def from_zero(x, start=0, other=None):
    g, rates, c = drawn_rates(x)
    hyper = {} if x.steps.foreign else {"momentum": x.one("momentum", (0, 0.5, 0.9))}
    start, other = 0 * g[0] + x.number(start), c * rates if other is None else other
    same_signs(x, g, *(x.sgd(g, start, list(lr), **hyper) for lr in (rates, other)))


@E2.claim(when=library)
def adam_from_zero(x):
    g, rates, c = drawn_rates(x)
    same_signs(x, g, *(x.adam(g, 0 * g[0], list(lr), epsilon=1e-3) for lr in (rates, c * rates)))


@E2.claim(when=library)
def adam_on_scaled_gradients(x, kept=False):
    g, rates, c = drawn_rates(x)
    epsilon = np.float32(1e-3)
    run = x.adam(g, 0 * g[0], list(rates), epsilon=epsilon)
    other = x.adam(c * g, 0 * g[0], list(rates), epsilon=epsilon if kept else c * epsilon)
    same_signs(x, g, run, other)


@E2.claim(BOTH)
def above_the_bound(x):
    """A run at ``above`` times max |w0| / |S_t|, and one in which w0 only gives bits."""
    g, latent = x.gradients(SMALL), x.weights("latent", QUARTERS[1:])
    rates, above = schedule(x, g), x.one("above", Options((2.0,), (Fraction(9, 8), 2, 1000)))
    first, totals = x.sign(latent), np.cumsum(rates[:, None] * g, 0)
    infinite = np.where(totals == 0, first, x.sign(-totals))
    late, weight = np.nonzero((totals != 0) & (first != infinite))
    bound = max(np.abs(latent[weight] / totals[late, weight]), default=x.number(0))
    x.tie(totals == 0)
    rate = bound * x.number(above) or x.number(1)
    if not x.exact and bound:  # a power of two, by which float32 multiplies exactly
        rate = np.float32(2.0 ** int(np.frexp(bound)[1]))
    run = x.sgd(g, latent, list(rate * rates))
    for _, latent, bits in x.beside(g, run, infinite):
        x.show(latent=latent)
        x.same_bits(large=x.sign(latent), infinite=bits)


E2.shows(from_zero, g=(3, -1, -1, -2), lr=1, C=0.25)
E2.breaks("lr = 0.1 is no power-of-two multiple of 1: 0.3 - 0.1 - 0.1 - 0.1 is not 0 (float64)")(
    from_zero, g=(3, -1, -1, -1), lr=1, C=0.1, numbers="float64"
)
E2.breaks("one schedule is constant, the other falls")(
    from_zero, other=(1, 0.1, 0.1), g=(1, -2, 0), lr=1
)
E2.breaks("a start that is not 0")(from_zero, start=0.5, g=(1,), lr=1, C=0.25)
E2.breaks("a rate 1 % below the bound")(
    above_the_bound, g=(1,), latent=0.5, above=0.99, numbers="fraction"
)
E2.breaks("Adam's gradients scaled, its epsilon not")(
    adam_on_scaled_gradients, kept=True, g=(1, -1, -2), lr=1, C=2.0**-12
)


E6 = Entry(
    """E6 Bop's threshold counts relative to the gradients only

    (g, tau, m0) -> (C g, C tau, C m0) with any C > 0 per weight: the same flips, by every rule.
    (g, b, m0) -> (-g, -b, -m0): mirrored flips (strict and inclusive). With a = m / gamma:
    a <- (1 - gamma) a + g and the threshold tau / gamma.

    if: tau and m0 scale too; the mirror excludes Larq's rule; where gamma changes, a is rescaled by
        its old value over the new one
    class: B2, Q
    why: m and b m - tau are homogeneous of degree 1, and rounding is odd.
    source: derived; Helwegen et al. 2019, section 6 notes the dependence on scale""",
    ports=("bop_step",),
)


@E6.claim(BOTH)
def scaled(x, unscaled=()):
    """Bop, and each weight by itself, scaled."""
    g, bits, m, rates, threshold = drawn_bop(x, SMALL, QUARTERS, ANY)
    scale, how = x.weights("C", SCALES), dialect(x)
    start = m if "m0" in unscaled else scale * m
    taus = [threshold * (1 if "threshold" in unscaled else c) for c in scale]
    each = [
        x.bop(c * g[:, [i]], bits[[i]], start[[i]], rates, tau, **how)
        for i, (c, tau) in enumerate(zip(scale, taus, strict=True))
    ]
    plain = x.bop(g, bits, m, rates, threshold, **how)
    for _, (w, m), *ends in x.beside(g, plain, *each):
        v, scaled_m = map(np.concatenate, zip(*ends, strict=True))
        x.same_bits(bits=w, scaled_bits=v)
        x.same(C_m=scale * m, scaled_m=scaled_m)


@E6.claim(BOTH, when=lambda steps: "larq" not in steps.rules or len(steps.rules) > 1)
def mirrored(x):
    rule = x.one("rule", [rule for rule in x.steps.rules if rule != "larq"])
    g, bits, m, *constants = drawn_bop(x, SMALL, QUARTERS, ANY)
    how = dialect(x) | {"rule": rule}
    plain, mirror = (x.bop(s * g, s * bits, s * m, *constants, **how) for s in (1, -1))
    for _, (w, m), (v, n) in x.beside(g, plain, mirror):
        x.same_bits(negated=-w, mirrored=v)
        x.same(minus_m=-m, mirrored_m=n)


@E6.claim(BOTH, when=lambda steps: "convex" in steps.averages)
def accumulator(x, rates=None, rescaled=True):
    """a <- (1 - gamma) a + g with threshold tau / gamma is Bop with m = gamma a."""
    gradients, v, m, _, threshold = drawn_bop(x, SMALL, QUARTERS, ANY)
    powers = Options((0.5, 1.0, 0.25, 0.125, 2.0**-7), RATES.fractions)
    rates = rates or x.each_step("power", powers, gradients)
    rule, a, before = x.one("rule", x.steps.rules), m / rates[0], rates[0]
    run = x.bop(gradients, v, m, rates, threshold, rule=rule, average="convex")
    for g, gamma, (w, m) in x.beside(gradients, rates, run):
        a = a * (before / gamma) if rescaled else a
        a, before = (1 - gamma) * a + g, gamma
        v = flip_signs(v, a, threshold / gamma, rule)
        x.same_bits(bits=w, accumulator_bits=v)
        x.same(m=m, gamma_a=gamma * a)


E6.shows(scaled, g=(3, 2, -1, -6, -6), threshold=1, C=4)
E6.breaks("the threshold keeps its size")(scaled, unscaled=["threshold"], g=(1,), threshold=1, C=4)
E6.breaks("m0 keeps its size")(scaled, unscaled=["m0"], g=(0,), m=4, threshold=1, C=4)
E6.breaks("Larq's rule has no mirror: at a tie the weight becomes +1")(
    mirrored, rule="larq", g=(2,), threshold=1
)
E6.breaks("the accumulator is not rescaled where gamma falls")(
    accumulator, rates=[0.5, 0.25], rescaled=False, g=(1, 3), m=1, threshold=1.25
)
