"""Latent weights of the field that are Bop: E22 (jumps), E24 (directions), E37."""

from fractions import Fraction

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import ANY, LAMBDAS, QUARTERS, RATES, SCALES, SMALL, STARTS
from minibnn.equivalences.entry import BITS, BOTH, EXACT, Entry, equal
from minibnn.equivalences.scale import scaled_constants
from minibnn.optim.twins import JUMPS


def well(x, gradients, bits, latent, lr, lam, theta, jump):
    """(bits, W) of the double well."""
    hyper = {"lr": lr, "weight_decay": lam, "deadband": theta, "jump": jump}
    start = optim.DoubleWellSGDState(latent)
    for w, state in x.run(x.steps.double_well_sgd_step, gradients, bits, start, **hyper):
        x.tie(state.latent == 0)
        yield w, state.latent


def bold(x, gradients):
    """Bits of BOLD, all +1 at the start."""
    state, bits = optim.BoldState(0 * gradients[0]), x.signs([1] * len(gradients[0]))
    return (w for w, _ in x.run(x.steps.bold_step, gradients, bits, state, lr=1))


E22 = Entry(
    """E22 One double well, three jumps

    W <- W - lr (g + lambda (W - theta b)); where b W < 0 the bit flips, and W stays (Bop(0) on
    g - lambda theta b, SGD with L2 if theta = 0; ReBNN: lr = eta, lambda = gamma, theta = alpha,
    gradient alpha g), gains 2 theta b (Bop, E8) or falls to theta b (BOLD: theta = 1, W = b - a,
    lr lambda_t = 1 - beta_t, a flip also at W = 0). A flip needs b g > lambda theta (BOLD: >=).

    if: the same tie (hold with strict); Bop: b0 m0 <= tau; BOLD: a0 = 0, one beta per tensor; a
        flip's gradient: lr lambda <= 1
    class: Q
    why: Multiply the update by -lambda; b (W - theta b) is what has been gathered against the bit.
    source: Xu et al. 2023 (ReBNN); BOLD's equations 9 to 11; derived"""
)


@E22.claim(EXACT)
def rebnn_is_bop(x):
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS)
    lr, lam = x.one("lr", RATES), x.one("weight_decay", LAMBDAS)
    theta, w = x.number(x.one("theta", (0, 1, 0.5, 7))), x.sign(latent)
    bits, state = w, optim.BopState(-lam * latent)
    run = well(x, gradients, bits, latent, lr, lam, theta, "none")
    for g, (new, latent) in x.beside(gradients, run):
        direction, bits = g - lam * theta * bits, new
        w, state = x.steps.bop_step(w, direction, state, gamma=lr * lam, threshold=0)
        x.same_bits(rebnn=bits, bop=w)
        x.same(minus_lambda_W=-lam * latent, m=state.m)


@E22.claim(EXACT)
def bold_is_a_well(x):
    gradients, b, eta = x.gradients(SMALL, QUARTERS), x.start_bits(), x.one("eta", (1, 0.5, 0.25))
    bits, state = b, optim.DoubleWellSGDState(x.number(1) * b)
    bold = optim.BoldState(0 * gradients[0])
    for g in x.over(gradients):
        decay = (1 - x.number(Fraction(bold.kept, len(b)))) / x.number(eta)
        hyper = {"lr": eta, "weight_decay": decay, "deadband": 1, "jump": "bottom"}
        bits, state = x.steps.double_well_sgd_step(bits, g, state, **hyper)
        b, bold = x.steps.bold_step(b, g, bold, lr=eta)
        x.same_bits(bold=b, well=bits)
        x.same(b_minus_a=b - bold.a, W=state.latent)


@E22.claim(EXACT)
def own_gradient(x):
    gradients, before = x.gradients(SMALL), x.start_bits()
    jump, latent = x.one("jump", JUMPS), before * np.abs(x.weights("depth", QUARTERS))
    lam, theta = x.number(x.one("weight_decay", LAMBDAS)), x.number(x.one("theta", (1, 0, 0.5)))
    run = well(x, gradients, before, latent, x.number(x.one("lr", RATES)) / 3, lam, theta, jump)
    for g, (bits, latent) in x.beside(gradients, run):
        x.show(W=latent)
        own = before * g >= lam * theta if jump == "bottom" else before * g > lam * theta
        x.require(own | (bits == before), "a flip's own gradient is too small")
        before = bits


def two_jumps(x, *jumps):
    g, one = x.column(3, -1.75), x.array([1])
    x.alike(g, **{jump: well(x, g, x.signs([1]), one, 0.5, 1, 1, jump) for jump in jumps})


@E22.breaks("BOLD taken for Bop, whose accumulator has gamma = 1/2 and the threshold 1")
def bold_is_no_bop(x):
    g = x.column(1.5, -1)
    x.alike(g, bold=bold(x, g), bop=x.bop(g, x.signs([1]), 0 * g[0], 0.5, 0.5))


@E22.breaks("BOLD tensor by tensor, and together: beta is another")
def bold_by_tensors(x):
    g = x.array([[1, 0.75], [0, 0.125], [0, 0.125]])
    x.alike(g, in_one_tensor=(w[1:] for w in bold(x, g)), alone=bold(x, g[:, 1:]))


E22.shows(bold_is_a_well, g=(0.5, 0.75, -1, 0))
E22.breaks("ReBNN taken for Bop: only it flips back at once")(two_jumps, "none", "wells")
E22.breaks("ReBNN taken for BOLD")(two_jumps, "none", "bottom")


E24 = Entry(
    """E24 Decoupled decay makes any optimizer a Bop

    A any function of past gradients, bits and time, not of |w|: w <- (1 - lr lambda) w - lr A is
    Bop(0) by Larq's rule on A, gamma = lr lambda, m = -lambda w. So latent AdamW, Lion, Signum and
    Nesterov are Bop on their own direction. Diode is Bop(0), gamma = 1 - beta_2, on lr times the
    sign of its first average; (lr, start) -> C (lr, start) changes nothing.

    if: decay outside A; no clip; m0 = -lambda w0; in float32 lambda = 2^k
    class: B, B2, Q
    why: Multiply the update by -lambda (E4); A is the same on both sides.
    source: derived; Diode's public code"""
)


@E24.claim(BOTH)
def directions(x, m=None):
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", STARTS)
    lr, lam = x.number(x.one("lr", RATES)), x.number(x.one("weight_decay", LAMBDAS))
    names = ("lion", "signum", "nesterov") + ("adamw",) * (not x.exact)
    how, zero = {"direction": x.one("direction", names)}, 0 * latent
    step, start = x.steps.latent_direction_step, optim.DirectionState(zero, zero)
    latents = x.run(step, gradients, latent, start, lr=lr, weight_decay=lam, **how)
    how |= {"gamma": lr * lam, "threshold": 0, "rule": "larq"}
    start = optim.DirectedBopState(-lam * latent if m is None else zero + x.number(m), zero, zero)
    bop = x.run(x.steps.directed_bop_step, gradients, x.sign(latent), start, **how)
    for _, (latent, _), (w, state) in x.beside(gradients, latents, bop):
        x.tie(state.m == 0)
        x.same_bits(latent_sign=x.sign(latent), bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=state.m)


@E24.claim(BOTH)
def diode_is_bop(x):
    gradients, m = x.gradients(SMALL, ANY), x.weights("m", QUARTERS)
    v, state, beta = x.sign(-m), optim.BopState(m), x.one("beta_2", (0.5, 0.75, 0.0))
    lr, c = x.number(x.one("lr", RATES)), x.number(x.one("C", SCALES))
    step, hyper = x.steps.diode_step, {"beta_1": 0.5, "beta_2": beta}
    diode = x.run(step, gradients, v, optim.DiodeState(0 * m, m), lr=lr, **hyper)
    scaled = x.run(step, gradients, v, optim.DiodeState(0 * m, c * m), lr=c * lr, **hyper)
    how = {"gamma": 1 - beta, "threshold": 0, "rule": "larq", "average": "lerp"}
    for _, (w, one), (u, other) in x.beside(gradients, diode, scaled):
        v, state = x.steps.bop_step(v, lr * np.sign(one.momentum), state, **how)
        x.tie(state.m == 0)
        x.same_bits(diode=w, bop=v)
        x.same(inertia=one.inertia, m=state.m)
        x.same_bits(diode_bits=w, scaled_bits=u)
        x.same(C_inertia=c * one.inertia, scaled_inertia=other.inertia)


E24.breaks("L2 inside Adam's gradient: at g = 1 its first moment depends on |w|")(
    equal, **{f"moment_at_w_{w}": np.float32(0.1 * (1 + w / 2)) for w in (1, 4)}
)
E24.breaks("decay inside Lion's sign, sgn(g + lambda w) at g = -1/2, lambda = 1")(
    equal, at_w_1=np.sign(-0.5 + 1), at_w_quarter=np.sign(-0.5 + 0.25)
)
TENTH = {"g": (0.1, 0.1, 0.1), "latent": 0.1, "lr": 0.1, "direction": "nesterov"}
E24.shows(directions, **TENTH, weight_decay=0.5)
E24.breaks("lambda = 0.3, no power of two")(directions, **TENTH, weight_decay=0.3)
E24.breaks("Bop starts at m0 = 0")(directions, m=0, g=(-1, 1), latent=2, weight_decay=0.5, **BITS)


E37 = Entry(
    """E37 Kernels alpha sign(w) under batch norm

    alpha = mean |w| of a channel. Passing the gradient at alpha b, g(b) / alpha, turns E1 into
    (lr, lambda, w0, clip, mask) -> (C^2 lr, lambda / C^2, C w0, C clip, C mask): the same bits, and
    C times the weights. It is Bop(0) on lambda g / mean |m|, m = -lambda w.

    if: batch norm takes up alpha (E15); one C per channel
    class: B2, Q
    why: The gradient is homogeneous of degree -1 in w, so lr has to be of degree 2.
    source: derived; the code of ReActNet and AdamBNN"""
)


def scale_of(latent):
    return np.abs(latent).mean()


@E37.claim(BOTH)
def squared_rate(x, lr_power=2, unscaled=()):
    gradients, a, c = x.gradients(SMALL, ANY), x.weights("latent", STARTS), x.one("C", SCALES)
    hyper = {"lr": x.one("lr", RATES), "weight_decay": x.one("weight_decay", RATES)}
    hyper |= {name: x.one(name, (None, 1.0, 0.5)) for name in ("clip", "ste_clip")}
    powers = {"lr": lr_power, "weight_decay": -2, "clip": 1, "ste_clip": 1}
    c = x.number(c)
    b, scaled = c * a, scaled_constants(x, hyper, c, unscaled, powers)
    for g in x.over(gradients):
        if not np.any(a):
            return  # alpha = 0: no kernel
        a, b = (
            x.steps.latent_sgd_step(w, g / scale_of(w), None, **how)[0]
            for w, how in ((a, hyper), (b, scaled))
        )
        x.tie(a == 0)
        x.same_bits(sign=x.sign(a), scaled_sign=x.sign(b))
        x.same(C_latent=c * a, scaled_latent=b)


@E37.claim(EXACT)
def kernel_is_bop(x):
    gradients, latent = x.gradients(SMALL, ANY), x.weights("latent", QUARTERS[1:])
    lr, lam = x.one("lr", RATES), x.one("weight_decay", LAMBDAS)
    w, state = x.sign(latent), optim.BopState(-lam * latent)
    for g in x.over(gradients):
        if not np.any(latent):
            return
        alpha, evidence = scale_of(latent), lam * g / scale_of(state.m)
        hyper = {"lr": lr, "weight_decay": lam}
        latent, _ = x.steps.latent_sgd_step(latent, g / alpha, None, **hyper)
        hyper = {"gamma": lr * lam, "threshold": 0, "rule": "larq"}
        w, state = x.steps.bop_step(w, evidence, state, **hyper)
        x.tie(latent == 0)
        x.same_bits(latent_sign=x.sign(latent), bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=state.m)


ALONE = {"latent": 0.5, "weight_decay": 0, **BITS}
E37.shows(squared_rate, g=(1, -1, 0.5), latent=0.5, lr=0.25)
E37.breaks("E1's law: the rate times C")(squared_rate, lr_power=1, g=(0.75,), **ALONE)
E37.breaks("the clip keeps its size")(
    squared_rate, unscaled=["clip"], g=(-1, 0.75), lr=1.0, clip=1.0, **ALONE
)
E37.breaks("the mask keeps its width")(
    squared_rate, unscaled=["ste_clip"], g=(1,), lr=1.0, ste_clip=1.0, **ALONE | {"latent": 0.75}
)
