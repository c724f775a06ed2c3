"""What Bop's average does: E5 (facts), E11 (how often a weight can flip), E19 (an L2 penalty)."""

from fractions import Fraction
from math import floor, log2

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, SMALL, hold, rational
from minibnn.equivalences.entry import Entry
from minibnn.equivalences.scale import dialect, drawn_bop, sgd_start
from minibnn.optim import BopState

E5 = Entry(
    """E5 What the moving average is

    m_t = prod(1 - gamma_k) m0 + sum gamma_k prod_{j>k}(1 - gamma_j) g_j, so |m| <= max(|m0|, G) for
    |g| <= G. gamma = 1, tau = 0: b = -sgn(g), held at g = 0 (Larq's rule: +1).
    tau >= max(|m0|, G): never a flip.

    if: the inclusive and Larq's rule never flip only for tau > max(|m0|, G): at equality they do;
        float32 follows within 2^-22 G per step
    class: Q, T
    why: Unroll the recursion; its weights are >= 0 and sum to 1.
    source: Helwegen et al. 2019, equation 5 (whose sum needs m0 = 0)""",
    ports=("bop_step",),
)


@E5.claim
def weighted_sum(x):
    x.arithmetic()
    gradients, w, m, rates, threshold = drawn_bop(x, SMALL, ANY)
    exact, state, how = [rational(v) for v in m], BopState(m), dialect(x)
    largest = max(abs(rational(v)) for v in (*m, *gradients.flat))
    for g, gamma in zip(x.over(gradients), rates, strict=True):
        w, state = x.steps.bop_step(w, g, state, gamma=gamma, threshold=threshold, **how)
        x.tie(np.abs(state.m) == threshold)
        gamma, g = rational(gamma), [rational(v) for v in g]
        exact = [(1 - gamma) * m + gamma * v for m, v in zip(exact, g, strict=True)]
        bound = 0 if x.exact else len(x.rows) * largest / 2**22
        x.show(m=state.m, sum=exact)
        error = max(abs(rational(m) - v) for m, v in zip(state.m, exact, strict=True))
        x.require(error <= bound, f"m is off the weighted sum by {float(error):.3g}")
        x.require(max(map(abs, exact)) <= largest, "|m| is above max(|m0|, G)")


def memoryless(x, gradients, w, m, **how):
    """gamma = 1 and tau = 0: the sign of the last gradient."""
    state = BopState(m)
    for g in x.over(gradients):
        held = np.ones_like(w) if how["rule"] == "larq" else w
        w, state = x.steps.bop_step(w, g, state, gamma=1, threshold=0, **how)
        x.tie(state.m == 0)
        x.same_bits(bop=w, minus_sgn_g=hold(-g, held))


@E5.claim
def sign_descent(x):
    x.arithmetic()
    how = dialect(x)  # lerp is exact at gamma = 1 for small integers only
    g = x.gradients(SMALL, *([ANY] if x.exact or how["average"] == "convex" else []))
    memoryless(x, g, x.start_bits(), x.weights("m", QUARTERS), **how)


def at_rest(x, gradients, w, m, rates, threshold, **how):
    state = BopState(m)
    for g, gamma in zip(x.over(gradients), rates, strict=True):
        new, state = x.steps.bop_step(w, g, state, gamma=gamma, threshold=threshold, **how)
        x.tie(np.abs(state.m) == threshold)
        x.show(m=state.m)
        x.same_bits(before=w, after=new)


@E5.claim
def never(x):
    x.arithmetic()
    g, w, m, rates, _ = drawn_bop(x, SMALL, ANY)
    largest = max(np.abs(m).max(), np.abs(g).max())
    # Above, not at it, for the other rules; float32 sums may round above G.
    above = Fraction(x.one("rule", x.steps.rules) != "strict", 8)
    above = x.number(above if x.exact else float(above) + float(largest) / 2**18)
    at_rest(x, g, w, m, rates, largest + above, **dialect(x))


def flips_at_equality(x, sign, rule):
    """m0 = g = tau = 1 times the sign."""
    one, how = x.number(1), {"rule": rule, "average": "convex"}
    arrays = x.column(sign), x.signs([sign]), x.array([sign])
    at_rest(x, *arrays, [one / 2], one, **how)


def lerp_at_rate_one(x):
    how = {"rule": "strict", "average": "lerp"}
    memoryless(x, x.column(1e-3), x.signs([1]), x.array([1e8]), **how)


def converges(x):
    w, state = x.signs([1]), BopState(x.array([0.75]))
    for g in x.over(x.column(*[1] * 5)):
        w, state = x.steps.bop_step(w, g, state, gamma=1e-7, threshold=0)
        x.require(abs(state.m - 1) < 0.01, f"m stalls at {state.m[0]}, the gradient is 1")


@E5.shows
def _(x):
    """gamma = 1/2, tau = 3/2: m = 2, 2, -3, -3/2."""
    rates, how = [np.float32(0.5)] * 4, {"gamma": 0.5, "threshold": 1.5}
    w, state = x.signs([1]), BopState(x.array([0]))
    for g in x.over(x.column(4, 2, -8, 0)[: len(rates)]):
        w, state = x.steps.bop_step(w, g, state, **how)
        x.show(m=state.m, bits=w)


def above_by_an_ulp(x):
    m = g = x.array([0.6504953])
    hyper = {"gamma": 1e-3, "threshold": 1}
    _, state = x.steps.bop_step(x.signs([1]), g, BopState(m), **hyper)
    x.require(state.m <= m, f"|m| is {state.m[0]}, above max(|m0|, G) = {m[0]}")


E5.breaks("|m| <= max(|m0|, G) in float32: m = g = 0.6504953, gamma = 1e-3", above_by_an_ulp)
E5.breaks("lerp at gamma = 1 is not g: m = 1e8 and g = 1e-3 give 0", lerp_at_rate_one)
E5.breaks(
    "m converges to the mean gradient: in float32 at gamma = 1e-7 it stalls at 0.75", converges
)
E5.breaks(
    "tau = max(|m0|, G) under the inclusive rule: |m| = tau flips",
    lambda x: flips_at_equality(x, 1, "inclusive"),
)
E5.breaks(
    "tau = max(|m0|, G) under Larq's rule: at a tie -1 becomes +1",
    lambda x: flips_at_equality(x, -1, "larq"),
)


E11 = Entry(
    """E11 Two flips of a weight are some steps apart

    |g| <= G, 0 <= tau < G: flips of one weight are at least n steps apart, n the least with
    (1 - gamma)^n (G + tau) < G - tau, about 2 tau / (gamma G); the worst case attains it. The first
    flip from m0 = 0: least n with 1 - (1 - gamma)^n > tau / G.

    if: |g| <= G; with the inclusive and Larq's rule < and > become <= and >=
    class: Q
    why: Between two flips m falls from above tau to below -tau, and falls fastest under g = -G:
        m_n = (1 - gamma)^n (m + G) - G.
    source: derived""",
    ports=("bop_step",),
)
G = 3
BOUNDED = (3, -3, 2, -2, 1, -1, 0)


def least(gamma, start, ratio, rule="strict"):
    """Least n with (1 - gamma)^n (1 + start) < 1 - ratio (<= for the other rules), exactly."""
    n, rest = 1, (1 - gamma) * (1 + start)
    while not (rest < 1 - ratio or (rule != "strict" and rest == 1 - ratio)):
        n, rest = n + 1, rest * (1 - gamma)
    return n


def least_spacing(gamma, ratio, rule="strict"):
    """Least number of steps between two flips, for tau / G = ratio."""
    return least(gamma, ratio, ratio, rule)


def apart(x, step, gradients, w, m, spacing, first=0):
    """``step(w, g, m)`` returns (w, m); flips of a weight are ``spacing`` steps apart."""
    last = [None] * len(w)
    for t, g in enumerate(x.over(gradients)):
        before, (w, m) = w, step(w, g, m)
        x.show(m=m, bits=w)
        for k in np.flatnonzero(before != w):
            since, allowed = (t + 1, first) if last[k] is None else (t - last[k], spacing)
            x.require(since >= allowed, f"weight {k} flips after {since} steps, not {allowed}")
            last[k] = t


def bop_by(x, gamma, threshold, **how):
    def step(w, g, m):
        hyper = {"gamma": x.number(gamma), "threshold": x.number(threshold)}
        w, state = x.steps.bop_step(w, g, BopState(m), **hyper, **how)
        x.tie(np.abs(state.m) == x.number(threshold))
        return w, state.m

    return step


def drawn_spacing(x):
    """gamma and tau (exact in float32 too), and the least n of flips apart and of the first."""
    x.arithmetic()
    gamma, threshold, how = x.one("gamma", (0.25, 0.5, 0.125)), x.one("tau", TAUS), dialect(x)
    ratio = Fraction(threshold) / G
    spacing = least_spacing(Fraction(gamma), ratio, how["rule"])
    first = least(Fraction(gamma), 0, ratio, how["rule"])
    return gamma, threshold, how, spacing, first


TAUS = (0.75, 1.5, 0.375, 0, 2.25)


@E11.claim
def flips_apart(x):
    gamma, threshold, how, spacing, _ = drawn_spacing(x)
    g, m = x.gradients(BOUNDED, most=16 if x.exact else 8), x.weights("m", QUARTERS[:9])
    apart(x, bop_by(x, gamma, threshold, **how), g, x.start_bits(), m, spacing)


@E11.claim
def first_flip(x):
    gamma, threshold, how, spacing, first = drawn_spacing(x)
    g = x.gradients(BOUNDED, most=16 if x.exact else 8)
    apart(x, bop_by(x, gamma, threshold, **how), g, x.start_bits(), 0 * g[0], spacing, first)


@E11.claim
def attained(x):
    """Just above the threshold, then the largest gradient the other way: exactly ``n`` steps."""
    gamma, threshold, how, n, _ = drawn_spacing(x)
    ratio = Fraction(threshold) / G
    # Any start in (tau, tau + G slack) takes no longer than one at tau would.
    slack = (1 - ratio) / (1 - Fraction(gamma)) ** n - (1 + ratio)
    above = Fraction(2) ** (floor(log2(slack)) - 1) if slack else 0  # float32 sums stay exact
    step, start = bop_by(x, gamma, threshold, **how), x.array([threshold + G * above])
    w, m = step(x.signs([1]), start, start)
    if w[0] > 0:
        return  # at the tie itself Larq's rule keeps a +1
    for t, g in enumerate(x.over(x.column(*[-G] * n))):
        w, m = step(w, g, m)
        x.require((w[0] > 0) == (t + 1 == n), f"the weight is {w[0]}; it flips back at step {n}")


def spacing_of_one(x, gradients, threshold=1.5, m=0, first=0, spacing=4):
    arrays = x.column(*gradients), x.signs([1]), x.array([m])
    apart(x, bop_by(x, 0.25, threshold), *arrays, spacing, first)


def latent_spacing(x):
    def step(w, g, latent):
        latent, _ = x.steps.latent_sgd_step(latent, g, sgd_start(latent), lr=0.5)
        return x.sign(latent), latent

    apart(x, step, x.column(1, -2, 2), x.signs([1]), x.array([0]), spacing=2)


E11.shows(lambda x: spacing_of_one(x, (3, 3, 3, -3, -3, -3, -3, -3)))
E11.breaks("latent SGD near 0 flips at every step", latent_spacing)
E11.breaks("gradients above G", lambda x: spacing_of_one(x, (24, -64)))
E11.breaks("the first flip from m0 = 1", lambda x: spacing_of_one(x, (3,), m=1.25, first=3))


E19 = Entry(
    """E19 An L2 penalty makes ±1 weights flip for nothing

    The penalty is constant, yet g gains lambda b. At g = 0 from m0 = 0: no flip for lambda <= tau,
    and endless ones for lambda > tau.

    if: exact numbers (in float32 the convex average may round above lambda = tau); lambda <= tau
        for peace, lambda < tau with the inclusive and Larq's rule
    class: Q
    why: b m gains lambda times the average of 1, which tends to lambda from below.
    source: derived; Helwegen et al.'s XNOR-Net regularizes real kernels only""",
    ports=("bop_step",),
)


def penalised(x, w, steps, lam, threshold, gamma, wait=None, **how):
    """No gradient but lambda b: no flip, or each weight flips again within ``wait`` steps."""
    w, state, idle, zero = x.signs(w), BopState(x.array([0] * len(w))), 0, x.array([0] * len(w))
    hyper = {"gamma": x.number(gamma), "threshold": x.number(threshold)} | how
    for g in x.over([zero] * steps):
        before, (w, state) = w, x.steps.bop_step(w, x.number(lam) * w + g, state, **hyper)
        idle = np.where(before != w, 0, idle + 1)
        x.tie(np.abs(state.m) == hyper["threshold"])
        x.show(m=state.m)
        if wait is None:
            x.same_bits(before=before, after=w)
        else:
            x.show(bits=w)
            x.require(idle <= wait, f"a weight rests for more than {wait} steps")


def drawn_penalty(x):
    x.arithmetic()
    bits = x.many("bits", (1, -1), x.one("size", (1, 2, 3)))
    return bits, x.one("tau", (1.0, 0.5, 2.0)), x.one("gamma", (0.5, 1.0, 0.25)), dialect(x)


@E19.claim
def peace(x):
    bits, threshold, gamma, how = drawn_penalty(x)
    ratios = (0.5, 1.0, 0.75) if how["rule"] == "strict" else (0.5, 0.75)  # lambda = tau can tie
    lam = threshold * x.one("ratio", ratios)
    penalised(x, bits, x.one("steps", range(1, 9)), lam, threshold, gamma, **how)


@E19.claim
def endless(x):
    bits, threshold, gamma, how = drawn_penalty(x)
    ratio = x.one("ratio", (2, 4, 1.5))
    wait = least_spacing(Fraction(gamma), 1 / Fraction(ratio))  # from -tau at worst
    steps = x.one("steps", range(9, 17))
    penalised(x, bits, steps, threshold * ratio, threshold, gamma, wait, **how)


def rounded_above(x):
    """lambda = tau = m: float32's convex average of two equal numbers is above them."""
    state, tau = BopState(x.array([0.6504953])), np.float32(0.6504953)
    w, state = x.steps.bop_step(x.signs([1]), x.array([tau]), state, gamma=1e-3, threshold=tau)
    x.same_bits(before=x.signs([1]), after=w)


E19.shows(lambda x: penalised(x, [1], 8, 1.0, 0.5, 0.5, wait=2))
E19.breaks(
    "lambda above tau: flips without any gradient", lambda x: penalised(x, [1], 8, 1.0, 0.5, 0.5)
)
E19.breaks(
    "lambda = tau at gamma = 1 under the inclusive rule",
    lambda x: penalised(x, [1], 8, 0.5, 0.5, 1.0, rule="inclusive"),
)
E19.breaks("lambda = tau: no endless flips", lambda x: penalised(x, [1], 8, 0.5, 0.5, 0.5, wait=7))
E19.breaks("lambda = tau in float32, the convex average: m rounds above tau", rounded_above)
