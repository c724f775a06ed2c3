"""What Bop's average does: E5 (facts), E11 (how often a weight can flip), E19 (an L2 penalty)."""

from fractions import Fraction
from math import floor, log2

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, SMALL, hold, rational
from minibnn.equivalences.entry import BOTH, Entry
from minibnn.equivalences.scale import dialect, drawn_bop
from minibnn.optim import BopState

E5 = Entry(
    """E5 What the moving average is

    m_t = prod(1 - gamma_k) m0 + sum gamma_k prod_{j>k}(1 - gamma_j) g_j, so |m| <= max(|m0|, G) for
    |g| <= G. gamma = 1, tau = 0: b = -sgn(g), held at g = 0 (Larq's rule: +1).
    tau >= max(|m0|, G): never a flip.

    if: the inclusive and Larq's rule never flip only for tau > max(|m0|, G): at equality they do;
        float32 follows within 2^-22 max(|m0|, G) per step
    class: Q, T
    why: Unroll the recursion; its weights are >= 0 and sum to 1.
    source: Helwegen et al. 2019, equation 5 (whose sum needs m0 = 0)""",
    ports=("bop_step",),
)


@E5.claim(BOTH)
def weighted_sum(x):
    gradients, w, m, rates, threshold = drawn_bop(x, SMALL, ANY)
    exact = rational(m)
    largest = max(abs(exact).max(), abs(rational(gradients)).max())
    run = x.bop(gradients, w, m, rates, threshold, **dialect(x))
    for g, gamma, (_, m) in x.beside(gradients, rational(np.array(rates)), run):
        exact = (1 - gamma) * exact + gamma * rational(g)
        bound = 0 if x.exact else len(x.rows) * largest / 2**22
        x.show(m=m, sum=exact)
        error = abs(rational(m) - exact).max()
        x.require(error <= bound, f"m is off the weighted sum by {float(error):.3g}")
        x.require(abs(exact) <= largest, "|m| is above max(|m0|, G)")


@E5.claim(BOTH)
def sign_descent(x):
    """gamma = 1 and tau = 0: the sign of the last gradient."""
    rule, average = dialect(x).values()
    # lerp is exact at gamma = 1 for small integers only
    gradients = x.gradients(SMALL, *([ANY] if x.exact or average == "convex" else []))
    sign, m = x.start_bits(), x.weights("m", QUARTERS)
    run = x.bop(gradients, sign, m, gamma=1, rule=rule, average=average)
    for g, (w, _) in x.beside(gradients, run):
        sign = hold(-g, np.ones_like(w) if rule == "larq" else sign)
        x.same_bits(bop=w, minus_sgn_g=sign)


@E5.claim(BOTH)
def never(x, equal=False):
    """Above, not at it, for the other rules; float32 sums may round above G."""
    g, w, m, rates, _ = drawn_bop(x, SMALL, ANY)
    how, largest = dialect(x), max(np.abs(m).max(), np.abs(g).max())
    above = Fraction(how["rule"] != "strict" and not equal, 8)
    above = x.number(above if x.exact or equal else float(above) + float(largest) / 2**18)
    for _, (new, n) in x.beside(g, x.bop(g, w, m, rates, largest + above, **how)):
        x.show(m=n)
        x.same_bits(before=w, after=new)


@E5.breaks("m converges to the mean gradient: in float32 at gamma = 1e-7 it stalls at 0.75")
def converges(x):
    g = x.column(*[1] * 5)
    for _, (_, m) in x.beside(g, x.bop(g, x.signs([1]), x.array([0.75]), 1e-7)):
        x.require(abs(m - 1) < 0.01, f"m stalls at {m[0]}, the gradient is 1")


@E5.breaks("|m| <= max(|m0|, G) in float32: m = g = 0.6504953, gamma = 1e-3")
def above_by_an_ulp(x):
    g = x.column(0.6504953)
    for _, (_, m) in x.beside(g, x.bop(g, x.signs([1]), g[0], 1e-3, 1)):
        x.require(m <= g[0], f"|m| is {m[0]}, above max(|m0|, G) = {g[0, 0]}")


E5.shows(weighted_sum, g=(4, 2, -8, 0), threshold=1.5)
E5.breaks("lerp at gamma = 1 is not g: m = 1e8 and g = 1e-3 give 0")(
    sign_descent, g=(1e-3,), m=1e8, average="lerp"
)
E5.breaks("tau = max(|m0|, G) under the inclusive rule: |m| = tau flips")(
    never, equal=True, g=(1,), m=1, rule="inclusive"
)
E5.breaks("tau = max(|m0|, G) under Larq's rule: at a tie -1 becomes +1")(
    never, equal=True, g=(-1,), m=-1, bits=-1, rule="larq"
)


E11 = Entry(
    """E11 Two flips of a weight are some steps apart

    |g| <= G, 0 <= tau < G: flips of one weight are at least n steps apart, n the least with
    (1 - gamma)^n (G + tau) < G - tau, about 2 tau / (gamma G); the worst case attains it. The first
    flip from m0 = 0: least n with 1 - (1 - gamma)^n > tau / G.

    if: |g| <= G; the inclusive rule has <= and >= for < and >, Larq's the >= of the first flip
    class: Q
    why: Between two flips m falls from above tau to below -tau, and falls fastest under g = -G:
        m_n = (1 - gamma)^n (m + G) - G.
    source: derived""",
    ports=("bop_step",),
)
G = 3
BOUNDED = (3, -3, 2, -2, 1, -1, 0)


def least_spacing(gamma, ratio, rule="strict", start=None):
    """Least number of steps between two flips, for tau / G = ratio; or from |m| / G = start."""
    n, rest = 1, (1 - gamma) * (1 + (ratio if start is None else start))
    tie = rule == "inclusive" or (rule == "larq" and start is not None)
    while not (rest < 1 - ratio or (tie and rest == 1 - ratio)):
        n, rest = n + 1, rest * (1 - gamma)
    return n


def apart(x, gradients, bits, run, spacing, first=0):
    """``run`` has (bits, m); flips of a weight are ``spacing`` steps apart."""
    last = [None] * len(bits)
    for t, (_, (w, m)) in enumerate(x.beside(gradients, run)):
        x.show(m=m, bits=w)
        for k in np.flatnonzero(bits != w):
            since, allowed = (t + 1, first) if last[k] is None else (t - last[k], spacing)
            x.require(since >= allowed, f"weight {k} flips after {since} steps, not {allowed}")
            last[k] = t
        bits = w


def drawn_spacing(x):
    """Constants of Bop, exact in float32 too; tau / G; the least n of flips apart, of the first."""
    gamma, threshold, how = x.one("gamma", (0.25, 0.5, 0.125)), x.one("tau", TAUS), dialect(x)
    ratio = Fraction(threshold) / G
    run = {"gamma": x.number(gamma), "threshold": x.number(threshold)} | how
    waits = (least_spacing(Fraction(gamma), ratio, how["rule"], start) for start in (None, 0))
    return run, ratio, *waits


TAUS = (0.75, 1.5, 0.375, 0, 2.25, 1)


@E11.claim(BOTH)
def flips_apart(x):
    run, _, spacing, _ = drawn_spacing(x)
    g, m = x.gradients(BOUNDED, most=16 if x.exact else 8), x.weights("m", QUARTERS[:9])
    bits = x.start_bits()
    apart(x, g, bits, x.bop(g, bits, m, **run), spacing)


@E11.claim(BOTH)
def first_flip(x, m=0):
    run, _, *waits = drawn_spacing(x)
    g, bits = x.gradients(BOUNDED, most=16 if x.exact else 8), x.start_bits()
    apart(x, g, bits, x.bop(g, bits, 0 * g[0] + x.number(m), **run), *waits)


@E11.claim(BOTH)
def attained(x):
    """Just above the threshold, then the largest gradient the other way: exactly ``n`` steps."""
    run, ratio, n, _ = drawn_spacing(x)
    # Any start in (tau, tau + G slack) takes no longer than one at tau would.
    slack = (1 - ratio) / (1 - Fraction(float(run["gamma"]))) ** n - (1 + ratio)
    above = Fraction(2) ** (floor(log2(slack)) - 1) if slack else 0  # float32 sums stay exact
    g = x.column(G * (ratio + above), *[-G] * n)
    for t, (_, (w, _)) in enumerate(x.beside(g, x.bop(g, x.signs([1]), g[0], **run))):
        x.require((w[0] > 0) == (t == n), f"the weight is {w[0]}; it flips back at step {n}")


@E11.breaks("latent SGD near 0 flips at every step")
def latent_spacing(x):
    g, bits = x.column(1, -2, 2), x.signs([1])
    run = ((x.sign(latent), latent) for latent in x.sgd(g, x.array([0]), lr=0.5))
    apart(x, g, bits, run, spacing=2)


E11.shows(flips_apart, g=(3, 3, 3, -3, -3, -3, -3, -3), tau=1.5)
E11.breaks("gradients above G")(flips_apart, g=(24, -64), tau=1.5)
E11.breaks("the first flip from m0 = 1.25")(first_flip, m=1.25, g=(3,), tau=1.5)


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
    zero = x.array([0] * len(w))
    w, state, idle = x.signs(w), BopState(zero), 0
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


def drawn_penalty(x, ratios, steps):
    """Bits, a number of steps, lambda, tau, gamma and the dialect."""
    bits, how = np.ravel(x.many("bits", (1, -1), x.one("size", (1, 2, 3)))), dialect(x)
    tau, gamma = x.one("tau", (1.0, 0.5, 2.0)), x.one("gamma", (0.5, 1.0, 0.25))
    lam = tau * x.one("ratio", ratios(how["rule"]))
    return (bits.tolist(), x.one("steps", steps), lam, tau, gamma), how


@E19.claim(BOTH)
def peace(x):
    def ratios(rule):
        return (0.5, 1.0, 0.75) if rule == "strict" else (0.5, 0.75)  # lambda = tau can tie

    run, how = drawn_penalty(x, ratios, range(1, 9))
    penalised(x, *run, **how)


@E19.claim(BOTH)
def endless(x, wait=None):
    run, how = drawn_penalty(x, lambda rule: (2, 4, 1.5), range(9, 17))
    wait = wait or least_spacing(Fraction(run[-1]), 1 / Fraction(x.given["ratio"]))  # from -tau
    penalised(x, *run, wait, **how)


@E19.breaks("lambda = tau in float32, the convex average: m rounds above tau")
def rounded_above(x):
    """lambda = tau = m: float32's convex average of two equal numbers is above them."""
    g, bits = x.column(0.6504953), x.signs([1])
    for _, (w, _) in x.beside(g, x.bop(g, bits, g[0], 1e-3, g[0, 0])):
        x.same_bits(before=bits, after=w)


E19.shows(endless, ratio=2, tau=0.5, steps=8)
E19.breaks("lambda above tau: flips without any gradient")(peace, ratio=2, tau=0.5, steps=8)
E19.breaks("lambda = tau at gamma = 1 under the inclusive rule")(
    peace, ratio=1, tau=0.5, steps=8, gamma=1.0, rule="inclusive"
)
E19.breaks("lambda = tau: no endless flips")(endless, wait=7, ratio=1, tau=0.5, steps=8)
