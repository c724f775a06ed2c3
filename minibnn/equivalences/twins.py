"""Latent weights of the field that are Bop: E22 (jumps), E24 (directions), E25, E26, E37."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, RATES, SCALES, SMALL, STARTS, hold
from minibnn.equivalences.entry import Entry
from minibnn.equivalences.latent import LAMBDAS
from minibnn.optim import (
    BoldState,
    BopState,
    DiodeState,
    DirectedBopState,
    DirectionState,
    DoubleWellSGDState,
    LatentSGDState,
)

# -- E22 -------------------------------------------------------------------------------------------

E22 = Entry(
    """
    E22 One double well, three jumps

    W <- W - lr (g + lambda (W - theta b)); where b W < 0 the bit flips, and W stays (ReBNN: lr =
    eta, lambda = gamma, theta = alpha, gradient alpha g; Bop(0) on alpha (g - gamma b)), or gains
    2 theta b (Bop, E8), or falls to theta b (BOLD: theta = 1, W = b - a, lr lambda_t = 1 - beta_t,
    a flip also at W = 0). theta = 0 is SGD with L2. A flip needs b g > lambda theta (BOLD: >=).

    if: the same tie (hold with strict); Bop: b0 m0 <= tau; BOLD: a0 = 0, one beta per tensor
    class: Q
    why: Multiply the update by -lambda; b (W - theta b) is what has been gathered against the bit.
    source: Xu et al. 2023 (ReBNN); BOLD's equations 9 to 11; derived
    """
)


@E22.claim
def rebnn_is_bop(x):
    x.arithmetic("fraction")
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS)
    eta, alpha = x.one("eta", RATES), x.one("alpha", SCALES)
    gamma = x.one("gamma", LAMBDAS)
    w = bits = x.sign(latent)
    well, state = DoubleWellSGDState(latent), BopState(-gamma * latent)
    hyper = {"lr": eta, "weight_decay": gamma, "deadband": alpha, "jump": "none"}
    for g in x.over(gradients):
        a = alpha * (g - gamma * bits)
        bits, well = x.steps.double_well_sgd_step(bits, alpha * g, well, **hyper)
        w, state = x.steps.bop_step(w, a, state, gamma=eta * gamma, threshold=0)
        x.tie(well.latent == 0)
        x.same_bits(rebnn=bits, bop=w)
        x.same(minus_gamma_W=-gamma * well.latent, m=state.m)


def bold_beside_well(x, gradients, bits, eta):
    b, bold, well = bits, BoldState(0 * gradients[0], 0), DoubleWellSGDState(x.number(1) * bits)
    for g in x.over(gradients):
        beta = x.number(Fraction(bold.kept, len(b)))
        hyper = {"lr": eta, "weight_decay": (1 - beta) / eta, "deadband": 1, "jump": "bottom"}
        bits, well = x.steps.double_well_sgd_step(bits, g, well, **hyper)
        b, bold = x.steps.bold_step(b, g, bold, lr=eta)
        x.tie(well.latent == bits)
        x.same_bits(bold=b, well=bits)
        x.same(b_minus_a=b - bold.a, W=well.latent)


@E22.claim
def bold_is_a_well(x):
    x.arithmetic("fraction")
    g, bits = x.gradients(SMALL, QUARTERS), x.start_bits()
    bold_beside_well(x, g, bits, x.number(x.one("eta", (1, 0.5, 0.25))))


@E22.claim
def without_wells(x):
    x.arithmetic("fraction")
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS)
    bits, well, sgd = x.sign(latent), DoubleWellSGDState(latent), latent
    hyper = {"lr": x.one("lr", RATES), "weight_decay": x.one("lambda", LAMBDAS)}
    for g in x.over(gradients):
        held = bits
        bits, well = x.steps.double_well_sgd_step(bits, g, well, **hyper, deadband=0, jump="none")
        sgd, _ = x.steps.latent_sgd_step(sgd, g, LatentSGDState(None), **hyper, decay="coupled")
        x.same_bits(well=bits, sgd=hold(sgd, held))
        x.same(W=well.latent, latent=sgd)


def needs_gradient(x, gradients, bits, depth, lr, lam, theta, jump):
    """From b W = depth >= 0."""
    well = DoubleWellSGDState(depth * bits)
    for g in x.over(gradients):
        before = bits
        hyper = {"lr": lr, "weight_decay": lam, "deadband": theta, "jump": jump}
        bits, well = x.steps.double_well_sgd_step(bits, g, well, **hyper)
        own = before * g >= lam * theta if jump == "bottom" else before * g > lam * theta
        x.tie(before * g == lam * theta)
        x.show(W=well.latent)
        x.require(own | (bits == before), "a flip's own gradient is too small")


@E22.claim
def own_gradient(x):
    x.arithmetic("fraction")
    gradients, bits = x.gradients(SMALL), x.start_bits()
    depth = np.abs(x.weights("depth", QUARTERS))
    lam, theta = x.number(x.one("lambda", LAMBDAS)), x.number(x.one("theta", (1, 0, 0.5)))
    lr, jump = x.number(x.one("lr", RATES)) / 3, x.one("jump", ("none", "wells", "bottom"))
    needs_gradient(x, gradients, bits, depth, lr, lam, theta, jump)


def two_jumps(x, first, second):
    bits, other = x.signs([1]), x.signs([1])
    a = b = DoubleWellSGDState(x.array([1]))
    hyper = {"lr": 0.5, "weight_decay": 1, "deadband": 1}
    for g in x.over(x.column(3, -1.75)):
        bits, a = x.steps.double_well_sgd_step(bits, g, a, **hyper, jump=first)
        other, b = x.steps.double_well_sgd_step(other, g, b, **hyper, jump=second)
        x.same_bits(**{first: bits, second: other})


def bold_is_no_bop(x):
    """Bop's accumulator of gamma = 1/2 and threshold 1."""
    w, bold, v, state = (
        x.signs([1]),
        BoldState(x.array([0]), 0),
        x.signs([1]),
        BopState(x.array([0])),
    )
    for g in x.over(x.column(1.5, -1)):
        w, bold = x.steps.bold_step(w, g, bold, lr=1)
        v, state = x.steps.bop_step(v, g, state, gamma=0.5, threshold=0.5)
        x.same_bits(bold=w, bop=v)


def bold_by_tensors(x):
    gradients = x.array([[1, 0.75], [0, 0.125], [0, 0.125]])
    w, bold = x.signs([1, 1]), BoldState(x.array([0, 0]), 0)
    v, alone = x.signs([1]), BoldState(x.array([0]), 0)
    for g in x.over(gradients):
        w, bold = x.steps.bold_step(w, g, bold, lr=1)
        v, alone = x.steps.bold_step(v, g[1:], alone, lr=1)
        x.same_bits(in_one_tensor=w[1:], alone=v)


E22.shows(lambda x: bold_beside_well(x, x.column(0.5, 0.75, -1, 0), x.signs([1]), 1))
E22.breaks(
    "ReBNN taken for Bop: only it flips back at once", lambda x: two_jumps(x, "none", "wells")
)
E22.breaks("ReBNN taken for BOLD", lambda x: two_jumps(x, "none", "bottom"))
E22.breaks("BOLD taken for Bop", bold_is_no_bop)
E22.breaks("BOLD tensor by tensor, and together: beta is another", bold_by_tensors)

# -- E24 -------------------------------------------------------------------------------------------

E24 = Entry(
    """
    E24 Decoupled decay makes any optimizer a Bop

    A any function of past gradients, bits and time, not of |w|: w <- (1 - lr lambda) w - lr A is
    Bop(0) by Larq's rule on A, gamma = lr lambda, m = -lambda w. So latent AdamW, Lion, Signum and
    Nesterov are Bop on their own direction. Diode is Bop(0), gamma = 1 - beta_2, on lr times the
    sign of its first average; (lr, start) -> C (lr, start) changes nothing.

    if: decay outside A; no clip; m0 = -lambda w0; in float32 lambda = 2^k
    class: B, B2, Q
    why: Multiply the update by -lambda (E4); A is the same on both sides.
    source: derived; Diode's public code
    """
)


def beside_directed(x, gradients, latent, lr, lam, direction, m=None, **decayed):
    w, state = x.sign(latent), DirectionState(0 * latent, 0 * latent)
    bop = DirectedBopState(-lam * latent if m is None else m, 0 * latent, 0 * latent)
    for g in x.over(gradients):
        hyper = {"lr": lr, "weight_decay": lam, "direction": direction}
        latent, state = x.steps.latent_direction_step(latent, g, state, **hyper)
        hyper = {"gamma": lr * lam, "threshold": 0, "rule": "larq", "direction": direction}
        w, bop = x.steps.directed_bop_step(w, g, bop, **hyper)
        x.tie(bop.m == 0)
        x.same_bits(latent_sign=x.sign(latent), bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=bop.m)


@E24.claim
def directions(x):
    x.arithmetic()
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", STARTS)
    lr, lam = x.number(x.one("lr", RATES)), x.number(x.one("lambda", LAMBDAS))
    names = ("lion", "signum", "nesterov") + ("adamw",) * (not x.exact)
    beside_directed(x, gradients, latent, lr, lam, x.one("direction", names))


@E24.claim
def diode_is_bop(x):
    x.arithmetic()
    gradients, m = x.gradients(SMALL, ANY), x.weights("m", QUARTERS)
    w = v = x.sign(-m)
    lr, c = x.number(x.one("lr", RATES)), x.number(x.one("C", SCALES))
    diode, scaled, bop = DiodeState(0 * m, m), DiodeState(0 * m, c * m), BopState(m)
    u, hyper = w, {"beta_1": 0.5, "beta_2": x.one("beta_2", (0.5, 0.75, 0.0))}
    for g in x.over(gradients):
        w, diode = x.steps.diode_step(w, g, diode, lr=lr, **hyper)
        u, scaled = x.steps.diode_step(u, g, scaled, lr=c * lr, **hyper)
        how = {"gamma": 1 - hyper["beta_2"], "threshold": 0, "rule": "larq", "average": "lerp"}
        v, bop = x.steps.bop_step(v, lr * np.sign(diode.momentum), bop, **how)
        x.tie(bop.m == 0)
        x.same_bits(diode=w, bop=v)
        x.same(inertia=diode.inertia, m=bop.m)
        x.same_bits(diode_bits=w, scaled_bits=u)
        x.same(C_inertia=c * diode.inertia, scaled_inertia=scaled.inertia)


def inside_adam(x):
    """L2 in the gradient of Adam: its first moment after one step depends on |w|."""
    moments = [0.1 * (1 + 0.0 + w / 2) for w in (1, 4)]
    x.same(moment_of_1=np.float32(moments[0]), moment_of_4=np.float32(moments[1]))


def inside_the_sign(x):
    """sgn(g + lambda w) at g = -1/2, lambda = 1: not a function of bits and gradients."""
    signs = [np.sign(-0.5 + w) for w in (1, 0.25)]
    x.same_bits(at_w_1=np.float32(signs[0]), at_w_quarter=np.float32(signs[1]))


def of_tenths(x, lam=0.5, **more):
    arrays = x.column(0.1, 0.1, 0.1), x.array([0.1])
    beside_directed(x, *arrays, np.float32(0.1), np.float32(lam), "nesterov", **more)


def from_zero(x):
    x.bits_only = True
    of = x.column(-1, 1), x.array([2])
    beside_directed(x, *of, np.float32(0.5), np.float32(0.5), "lion", m=x.array([0]))


E24.shows(of_tenths)
E24.breaks("L2 inside Adam's gradient", inside_adam)
E24.breaks("decay inside Lion's sign", inside_the_sign)
E24.breaks("lambda = 0.3, no power of two", lambda x: of_tenths(x, 0.3))
E24.breaks("Bop starts at m0 = 0", from_zero)

# -- E25 -------------------------------------------------------------------------------------------

E25 = Entry(
    """
    E25 A centre, or prior, is a constant gradient

    w <- w - lr (g + lambda (w - c)) is Bop(0) on g - lambda c with m = -lambda w, and the plain
    average of g from -lambda (w0 - c), read out as b = +1 iff m <= lambda c. A weight that starts
    on its prior's side never flips while |g| <= G < lambda |c|: that protects old tasks.

    if: lambda constant; for freezing the right start
    class: Q
    why: lambda (w - c) + g = lambda w + (g - lambda c).
    source: Meng et al. 2020, whose continual learning sets the prior to the last lambda; derived
    """
)


def beside_prior(x, gradients, latent, centre, rates, lam, shifted=True):
    w, state = x.sign(latent), BopState(-lam * latent)
    plain, first = -lam * (latent - centre), x.sign(latent)
    for g, lr in zip(x.over(gradients), rates, strict=True):
        latent = latent - lr * (g + lam * (latent - centre))
        direction = g - lam * centre if shifted else g
        hyper = {"gamma": lr * lam, "threshold": 0, "rule": "larq"}
        w, state = x.steps.bop_step(w, direction, state, **hyper)
        plain = (1 - lr * lam) * plain + lr * lam * g
        x.tie(latent == 0)
        x.same_bits(with_prior=x.sign(latent), bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=state.m)
        x.same_bits(bits=w, read_out=np.where(plain <= lam * centre, 1, -1))
    return first, x.sign(latent)


@E25.claim
def prior(x):
    x.arithmetic("fraction")
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS)
    rates = x.array(x.many("lr", RATES, len(gradients)))
    lam = x.number(x.one("lambda", LAMBDAS))
    beside_prior(x, gradients, latent, x.weights("centre", QUARTERS), rates / max(lam, 1), lam)


def frozen(x, gradients, latent, centre, rates, lam):
    first = x.sign(latent)
    for g, lr in zip(x.over(gradients), rates, strict=True):
        latent = latent - lr * (g + lam * (latent - centre))
        x.show(latent=latent)
        x.same_bits(first=first, now=x.sign(latent))


@E25.claim
def never_flips(x):
    x.arithmetic("fraction")
    gradients, lam = x.gradients(SMALL), x.number(x.one("lambda", LAMBDAS))
    latent = x.weights("latent", QUARTERS[1:])
    beyond = (np.abs(gradients).max() + x.number(x.one("beyond", (Fraction(1, 8), 1)))) / lam
    rates = x.array(x.many("lr", RATES, len(gradients))) / max(lam, 1)
    frozen(x, gradients, latent, beyond * x.sign(latent), rates, lam)


def weak_prior(x):
    """lambda |c| = 2.5 < G = 3 from w0 = 1."""
    frozen(x, x.column(3), x.array([0.5]), x.array([2.5]), [1], 1)


def unshifted(x):
    x.bits_only = True
    beside_prior(x, x.column(1), x.array([1]), x.array([4]), [1], np.float32(0.5), shifted=False)


def penalty_on_bits(x):
    """lambda/2 (b - c)^2 at b = 1, c = 3, lambda = 1/2: its slope over ±1 is -lambda c."""
    slope = (0.25 * (1 - 3) ** 2 - 0.25 * (-1 - 3) ** 2) / 2
    x.same(backpropagated=0.5 * (1 - 3), slope=slope)


E25.shows(lambda x: beside_prior(x, x.column(1, 3, -2), x.array([1]), x.array([2]), [0.5] * 3, 0.5))
E25.breaks("the prior is left out of Bop's gradient", unshifted)
E25.breaks("lambda |c| below G: a gradient of 3 flips the weight", weak_prior)
E25.breaks("the penalty on ±1 weights, backpropagated: lambda b too much (E19)", penalty_on_bits)

# -- E26 -------------------------------------------------------------------------------------------

E26 = Entry(
    """
    E26 The published BayesBiNN is latent SGD with decay, bit for bit

    rho = log(u / (1 - u)) / 2 + lambda, w = tanh(rho / T), mu = tanh(lambda),
    s = (1 - w^2 + 1e-10) / T / (1 - mu^2 + 1e-10),
    lambda <- lambda - a (N s g + rho_KL (lambda - lambda0)). While every |lambda| is above about
    10, in float32: w = sign(lambda), s = 1e-10 / T / 1e-10 is constant, so the step is coupled
    latent SGD.

    if: |lambda| > 10 (the defaults start at ±10); u not 0
    class: B
    why: tanh(lambda) = ±1 from 9.02 on, and the noise is at most 8.32: both ratios are 1e-10.
    source: Meng et al. 2020, their code; derived
    """
)
GUARD = np.float32(1e-10)


def bayes_step(lam, g, u, temperature, rate, n=1, kl=1.0, prior=0):
    """One step of the code, in float32: (lambda, sampled w)."""
    one, half, temperature = np.float32(1), np.float32(0.5), np.float32(temperature)
    w = np.tanh((half * np.log(u / (one - u)) + lam) / temperature)
    mu = np.tanh(lam)
    s = (one - w * w + GUARD) / temperature / (one - mu * mu + GUARD)
    return lam - np.float32(rate) * (np.float32(n) * s * g + np.float32(kl) * (lam - prior)), w


def beside_bayes(x, gradients, lam, noise, temperature, rate):
    s, latent = GUARD / np.float32(temperature) / GUARD, lam
    x.tie(np.abs(lam) == 10)
    for g, u in zip(x.over(gradients), noise, strict=True):
        if (np.abs(lam) < 10).any() and len(x.rows) > 1:
            return
        bits, before = x.sign(latent), latent
        g = g * np.float32(temperature)  # s is 1 / temperature
        lam, w = bayes_step(lam, g, u, temperature, rate)
        latent = before - np.float32(rate) * (np.float32(1) * s * g + (before - 0))
        x.same_bits(sample=w, sign=bits)
        x.same(bayes=lam, latent=latent)


@E26.claim
def published(x):
    gradients = x.gradients(SMALL, ANY)
    start = x.weights("lambda", tuple(s * v for v in (12.0, 10.0, 14.5, 20.0) for s in (1, -1)))
    noise = np.float32(x.many("u", (0.5, 2.0**-24, 1 - 2.0**-24, 0.1, 0.9), *gradients.shape))
    temperature = x.one("T", (1e-10, 1e-8))
    beside_bayes(x, gradients, start, noise, temperature, x.one("a", (2.0**-7, 0.01, 2.0**-10)))


def one_bayes(x, start=12.0, temperature=1e-10, u=0.25, g=1):
    arrays = x.column(g, g, g), x.array([start]), np.full((3, 1), u, np.float32)
    beside_bayes(x, *arrays, temperature, 0.01)


E26.shows(one_bayes)
E26.breaks("T = 1e-2 from lambda = 1: s moves with lambda", lambda x: one_bayes(x, 1.0, 1e-2))
E26.breaks("a start of 1: the noise decides the sample", lambda x: one_bayes(x, 1.0, u=0.01))
E26.breaks("u = 0, of chance 2^-24: the noise is -infinity", lambda x: one_bayes(x, u=0.0))

# -- E37 -------------------------------------------------------------------------------------------

E37 = Entry(
    """
    E37 Kernels alpha sign(w) under batch norm

    alpha = mean |w| of a channel. Passing the gradient at alpha b, g(b) / alpha, turns E1 into
    (lr, lambda, w0, clip, mask) -> (C^2 lr, lambda / C^2, C w0, C clip, C mask): the same bits, and
    C times the weights. It is Bop(0) on
    lambda g / mean |m|, m = -lambda w.

    if: batch norm takes up alpha (E15); one C per channel
    class: B2, Q
    why: The gradient is homogeneous of degree -1 in w, so lr has to be of degree 2.
    source: derived; the code of ReActNet and AdamBNN
    """
)


def scale_of(latent):
    return np.abs(latent).sum() / type(latent[0])(len(latent))


def beside_scaled_kernel(x, gradients, latent, c, lr_power=2, unscaled=(), **hyper):
    power = {"lr": lr_power, "weight_decay": -2, "clip": 1, "ste_clip": 1}
    power = {k: 0 if k in unscaled else p for k, p in power.items() if hyper.get(k)}
    scaled = hyper | {k: x.number(hyper[k]) * c**p for k, p in power.items()}
    a, b, state = latent, c * latent, LatentSGDState(None)
    for g in x.over(gradients):
        if not np.any(a):
            return  # alpha = 0: no kernel
        a, b = (
            x.steps.latent_sgd_step(w, g / scale_of(w), state, **how)[0]
            for w, how in ((a, hyper), (b, scaled))
        )
        x.tie(a == 0)
        x.same_bits(sign=x.sign(a), scaled_sign=x.sign(b))
        x.same(C_latent=c * a, scaled_latent=b)


@E37.claim
def squared_rate(x):
    x.arithmetic()
    g, latent, c = (
        x.gradients(SMALL, ANY),
        x.weights("latent", STARTS),
        x.number(x.one("C", SCALES)),
    )
    hyper = {"lr": x.one("lr", RATES), "weight_decay": x.one("weight_decay", RATES)}
    hyper |= {name: x.one(name, (None, 1.0, 0.5)) for name in ("clip", "ste_clip")}
    beside_scaled_kernel(x, g, latent, c, **hyper)


@E37.claim
def kernel_is_bop(x):
    x.arithmetic("fraction")
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS[1:])
    lr, lam = x.one("lr", RATES), x.one("lambda", LAMBDAS)
    w, state = x.sign(latent), BopState(-lam * latent)
    for g in x.over(gradients):
        if not np.any(latent):
            return
        alpha, evidence = scale_of(latent), lam * g / scale_of(state.m)
        hyper = {"lr": lr, "weight_decay": lam}
        latent, _ = x.steps.latent_sgd_step(latent, g / alpha, LatentSGDState(None), **hyper)
        hyper = {"gamma": lr * lam, "threshold": 0, "rule": "larq"}
        w, state = x.steps.bop_step(w, evidence, state, **hyper)
        x.tie(latent == 0)
        x.same_bits(latent_sign=x.sign(latent), bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=state.m)


def kernel_of_one(x, gradients, latent=0.5, c=2, **more):
    x.bits_only = True
    beside_scaled_kernel(x, x.column(*gradients), x.array([latent]), x.number(c), **more)


E37.shows(lambda x: kernel_of_one(x, (1, -1, 0.5), lr=0.25, weight_decay=0.5))
E37.breaks("E1's law: the rate times C", lambda x: kernel_of_one(x, (0.75,), lr_power=1, lr=0.5))
E37.breaks(
    "the clip keeps its size",
    lambda x: kernel_of_one(x, (-1, 0.75), lr=1.0, clip=1.0, unscaled=["clip"]),
)
E37.breaks(
    "the mask keeps its width",
    lambda x: kernel_of_one(x, (1,), 0.75, lr=1.0, ste_clip=1.0, unscaled=["ste_clip"]),
)
