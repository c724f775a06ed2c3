"""What a threshold is: E20 (a step size), E21 (descent), E23 (a flip's own gradient)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, RATES, SMALL, hold
from minibnn.equivalences.entry import BOTH, Entry
from minibnn.equivalences.scale import dialect, drawn_bop
from minibnn.optim import BopState, LatentSGDState
from minibnn.optim.bop import flip_signs

E20 = Entry(
    """E20 Bop is a projected gradient step

    Larq's rule is b <- sign(tau b - m), in one operation, for any two float32 numbers; the strict
    one holds at 0, the inclusive one flips at 0 unless m = 0. It is argmin over ±1 of
    beta m + tau |beta - b|: follow the average, pay 2 tau per flip. So Bop is hard projected
    gradient descent of step 1 / tau, where BinaryConnect is dual averaging (E18).

    if: tau >= 0; tau b - m or (tau > 0) b - m / tau, not m times 1 / tau; gradual underflow
    class: B
    why: tau b - m has the sign of b (tau - b m), and IEEE subtraction has the right sign.
    source: derived; ProxQuant (Bai et al. 2019) has it for gamma = 1""",
    ports=("bop_step",),
)


def projected(b, step, m, rule):
    """The sign of ``step``, tau b - m; at 0 as the rule says."""
    zero = np.ones_like(b) if rule == "larq" else b
    if rule == "inclusive":
        zero = np.where(m != 0, -b, b)
    return hold(step, zero)


@E20.claim(BOTH)
def projection(x):
    gradients, b, *_, tau = run = drawn_bop(x, SMALL, ANY)
    how = dialect(x)
    for _, (w, m) in x.beside(gradients, x.bop(*run, **how)):
        x.same_bits(bop=w, projected=projected(b, tau * b - m, m, how["rule"]))
        if x.exact:
            kept, flipped = (bit * m + tau * np.abs(bit - b) for bit in (w, -w))
            x.require(kept <= flipped, "the other bit costs less")
        b = w


def one_projection(x, b, m, tau, step, rule="strict"):
    b, m = x.signs([b]), np.float32([m])
    flipped = flip_signs(b, m, np.float32(tau), rule)
    x.same_bits(rule=flipped, projected=projected(b, step(b, m, np.float32(tau)), m, "strict"))


@E20.breaks("BinaryConnect taken for it")
def binary_connect(x):
    """w0 = 1/2 at rate 1/4 flips by adding up gradients that never exceed tau = 4."""
    g, latent = x.column(1, 1, 1), x.array([0.5])
    bop, sgd = x.bop(g, x.signs([1]), 0 * latent, 1, threshold=4), x.sgd(g, latent, lr=0.25)
    x.alike(g, bop=bop, binary_connect=map(x.sign, sgd))


def flushed(b, m, tau):
    step = tau * b - m
    return np.where(np.abs(step) < np.finfo(np.float32).tiny, np.float32(0), step)


UP = np.nextafter(np.float32(0.21626131), np.float32(1))
E20.shows(one_projection, 1, 2, 1, lambda b, m, tau: tau * b - m)
E20.breaks("a step size 1 / tau that is rounded first: tau = 0.21626131, m one ulp above")(
    one_projection, 1, UP, 0.21626131, lambda b, m, tau: b - (np.float32(1) / tau) * m
)
E20.breaks("subnormal differences flushed to 0: tau = 1.5e-38, m = 1.6e-38")(
    one_projection, 1, 1.6e-38, 1.5e-38, flushed
)
E20.breaks("a tie by Larq's rule, read as hold: b = -1, m = -tau")(
    one_projection, -1, -1, 1, lambda b, m, tau: tau * b - m, "larq"
)


E21 = Entry(
    """E21 Above the curvature Bop is a descent method, for any gamma

    L(b) = 1/2 b'Qb + c'b, g = Qb + c. Flipping F changes L by
    -2 sum_F b_i g_i + 2 sum_FF b_i b_j Q_ij, so one flip lowers L iff b_i g_i > Q_ii. All at once:
    if diag(tau) - Q is positive semidefinite, as with tau_i >= Q_ii + sum |Q_ij|, L never rises
    under Bop with any gamma_t in (0, 1], a step with a flip lowers it, and at rest b_i g_i <=
    tau_i if the gamma_t sum to infinity.

    if: g is L's gradient, not a surrogate's; the strict rule; b0 m0 <= tau; tau constant or rising
    class: Q
    why: Flips are among b_i g_i > tau_i (E23), so the change is at most -2 sum_F (b_i g_i - tau_i).
    source: derived; majorisation, Hopfield networks"""
)


def loss(q, c, b):
    return b @ q @ b / 2 + c @ b


def drawn_quadratic(x):
    x.arithmetic("fraction")
    n = x.one("size", (1, 2, 3))
    q = x.array(x.many("Q", SMALL, n, n))
    q = q + q.T
    return q, x.array(x.many("c", SMALL, n)), x.array(x.many("bits", (1, -1), n))


@E21.claim
def change_of_loss(x):
    q, c, b = drawn_quadratic(x)
    flip = np.array(x.many("F", (True, False), len(b)))
    new, g = np.where(flip, -b, b), q @ b + c
    change = -2 * (b * g)[flip].sum() + 2 * b[flip] @ q[np.ix_(flip, flip)] @ b[flip]
    x.same(change=change, of_loss=loss(q, c, new) - loss(q, c, b))
    if flip.sum() == 1:
        x.same_bits(lowers=change < 0, above=(b * g)[flip][0] > np.diag(q)[flip][0])


@E21.claim
def descent(x, taus=(), rule="strict", beyond=False):
    """Thresholds at their least or above; any gamma_t, then gamma = 1 until nothing flips."""
    q, c, b = drawn_quadratic(x)
    tau = np.diag(q) + np.abs(q).sum(1) - np.abs(np.diag(q))
    if not taus and x.one("any semidefinite", (False, True)):
        r = x.array(x.many("R", SMALL, *q.shape))
        tau = x.array(x.many("tau", (0, 0.5, 1, 2), len(b)))
        q = np.diag(tau) - r.T @ r
    tau = np.maximum(tau, Fraction(0)) + x.array(x.many("slack", (0, 0.5, 1), len(b)))
    taus, m = [0 * tau + each for each in taus] or [tau], x.weights("m", QUARTERS)
    state = BopState(m if beyond else b * np.minimum(b * m, taus[0]))
    rates = [*x.many("gamma", RATES, x.one("steps", range(1, 9))), *[1] * 2 ** len(b)]
    for t, gamma in enumerate(rates):
        before, tau = b, taus[min(t, len(taus) - 1)]
        hyper = {"gamma": gamma, "threshold": tau, "rule": rule}
        b, state = x.steps.bop_step(b, q @ b + c, state, **hyper)
        x.rows.append({"step": t + 1, "b": b, "m": state.m, "loss": loss(q, c, b)})
        x.tie(np.abs(state.m) == tau)
        fallen = loss(q, c, b) < loss(q, c, before)
        x.require(fallen or (b == before).all(), "a flip has not lowered the loss")
    x.require(b * (q @ b + c) <= tau, "b g > tau at rest")


HALF = 0.5  # of Q, which is what is drawn and its mirror image
E21.shows(descent, size=2, Q=[[HALF] * 2] * 2, c=[2, 0], gamma=[1] * 4)
E21.breaks("tau below the curvature, at Q_ii = 0: ++ and -- alternate")(
    descent, taus=[0], size=2, Q=[[0, HALF], [HALF, 0]], c=[0, 0]
)
E21.breaks("the inclusive rule: a flip at b m = tau leaves the loss as it is")(
    descent, taus=[1], rule="inclusive", Q=[[HALF]], c=[0], gamma=[1]
)
E21.breaks("b0 m0 above tau")(descent, taus=[0], beyond=True, Q=[[0]], c=[-1], m=9)
E21.breaks("a falling tau")(descent, taus=[4, 0], Q=[[0]], c=[-1], m=4, gamma=[0.5, 0.5])


E23 = Entry(
    """E23 A flip's own gradient exceeds the threshold

    Bop flips at step t only if b g_t > tau_t (>= with the inclusive and Larq's rule), for any
    gamma_t in (0, 1]: at most so many weights flip as have b g > tau, and where |g| <= tau nobody
    has to look at m.

    if: b0 m0 <= tau; tau constant or rising; in float32 lerp with gamma <= 1 - 2^-22
    class: Q, B
    why: Before the step b m <= tau; a mean above tau of two numbers, one at most tau, has the other
        above. fl(gamma fl(g - m)) <= g - m.
    source: derived""",
    ports=("bop_step",),
)
X = 0.6504953


@E23.claim(when=lambda steps: "lerp" in steps.averages or steps.exact)
def own_gradient(x, beyond=False):
    x.arithmetic(*(("float32",) if "lerp" in x.steps.averages else ()), "fraction")
    gradients, b, m, rates, tau = drawn_bop(x, SMALL, ANY)
    m = m if beyond else b * np.minimum(b * m, tau)
    averages = x.steps.averages if x.exact else ["lerp"]
    rule, average = x.one("rule", x.steps.rules), x.one("average", averages)
    rates = rates if x.exact else [min(rate, np.float32(0.999)) for rate in rates]
    rises = np.cumsum(x.each_step("rise", (0, 0, 0.25), gradients))
    taus = [tau + rise for rise in rises]
    run = x.bop(gradients, b, m, rates, taus, rule=rule, average=average)
    for g, tau, (w, n) in x.beside(gradients, taus, run):
        own = b * g > tau if rule == "strict" else b * g >= tau
        x.tie(b * g == tau)
        x.show(m=n, bits=w)
        x.require(own | (w == b), f"a weight of gradient {g} flips at tau = {tau}")
        b = w


@E23.breaks("latent momentum")
def by_velocity(x):
    """w = 1/4, v = 1, momentum 9/5: the velocity flips against its own gradient."""
    g, state, hyper = x.column(-1), LatentSGDState(x.array([1])), {"lr": 1, "momentum": 1.8}
    run = x.run(x.steps.latent_sgd_step, g, x.array([0.25]), state, **hyper)
    for _, (latent, _) in x.beside(g, run):
        x.require(latent >= 0, f"a weight of gradient {g[0]} flips")


E23.shows(own_gradient, g=(3, 2, -1, -4), threshold=1)
E23.breaks("b0 m0 above tau")(own_gradient, beyond=True, g=(0,), m=4, threshold=1)
E23.breaks("a falling threshold")(own_gradient, g=(3, 0), threshold=2, rise=(0, -1.5))
E23.breaks("float32's convex average: tau = m = g = 0.6504953, gamma = 1e-3")(
    own_gradient, g=(X,), m=X, threshold=X, gamma=1e-3, average="convex"
)
