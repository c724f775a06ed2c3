"""Bop and latent weights: E4 (weight decay makes SGD Bop) and E8 (the threshold is hysteresis)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.cases import (
    QUARTERS,
    RATES,
    RATIONAL_RATES,
    TENTHS,
    THIRDS,
    WHOLE,
    Loop,
    always,
    arithmetic,
    gradients,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.optim import (
    BopState,
    DoubleWellSGDState,
    LatentSGDState,
    SchmittSGDState,
)

LAMBDAS = (1.0, 0.5, 0.25, 2.0, 2.0**-7)
RATIONAL_LAMBDAS = tuple(Fraction(*p) for p in ((1, 1), (1, 2), (2, 3), (1, 5), (3, 1)))
PAIRED = {"convex": "shrink", "lerp": "coupled"}  # forms that round alike


def hold(latent, bits):
    """Signs of latent weights, where 0 keeps the bit that was there."""
    one = np.ones_like(bits)
    return np.where(latent == 0, bits, np.where(latent < 0, -one, one))


# -- E4 --------------------------------------------------------------------------------------------


def _decay_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    n, length = sizes(draw)
    average = draw.choice(steps.averages)
    lattice = not exact and draw.flag()  # every float32 operation exact: forms need not pair
    decay = PAIRED[average]
    if exact or lattice:
        decay = draw.choice(steps.decays)
    elif decay not in steps.decays:
        decay, lattice = steps.decays[0], True
    if lattice:
        length = min(length, 6)
    rates = RATIONAL_RATES if exact else (0.5, 1.0) if lattice else RATES
    lam = draw.choice(RATIONAL_LAMBDAS if exact else LAMBDAS[: 2 if lattice else None])
    case = {
        "numbers": numbers,
        "rule": draw.choice(steps.rules),
        "average": average,
        "decay": decay,
        "lr": [r / max(lam, 1) for r in draw.values(rates, length)],
        "weight_decay": lam,
        "latent": draw.values(QUARTERS if exact or lattice else draw.choice((QUARTERS, TENTHS)), n),
    }
    if not steps.foreign and draw.whole(0, 3) == 3:
        case["clip"] = draw.choice((1.0, 0.5))
    palette = WHOLE if lattice else draw.choice((WHOLE, THIRDS if exact else TENTHS))
    return case | {"gradients": gradients(draw, n, length, palette)}


def _check_decay(case, run):
    loop = Loop(case)
    lam = loop.number(case["weight_decay"])
    latent = loop.array(case["latent"])
    w = bits = run.bits(latent)
    m = -lam * latent if "m" not in case else loop.array(case["m"])
    state, velocity = BopState(m), LatentSGDState(0 * latent)
    dialect = {"rule": case["rule"], "average": case["average"]}
    readout = case.get("readout", "sign" if case["rule"] == "larq" else "hold")
    clip = case.get("clip")
    hyper = {"weight_decay": lam, "decay": case["decay"]} | ({"clip": clip} if clip else {})
    for t in range(loop.steps):
        g = loop.gradient(t, bits)
        lr = loop.number(case["lr"][t])
        gamma = lr * lam if "gamma" not in case else loop.number(case["gamma"])
        latent, velocity = run.steps.latent_sgd_step(latent, g, velocity, lr=lr, **hyper)
        bits = run.bits(latent) if readout == "sign" else hold(latent, bits)
        w, state = run.steps.bop_step(w, g, state, gamma=gamma, threshold=0, **dialect)
        if clip and not case.get("m unclipped"):
            bound = loop.number(clip) * lam
            state = BopState(np.minimum(np.maximum(state.m, -bound), bound))
        run.tie(state.m == 0)
        run.row(
            step=t + 1,
            g=g,
            latent=latent,
            **{"-lambda*latent": -lam * latent},
            m=state.m,
            sign=bits,
            bop=w,
        )
        run.same(f"bits of Bop and signs of the latent weights after step {t + 1}", w, bits)
        if not case.get("bits_alone"):
            run.same(f"m and -lambda * latent after step {t + 1}", state.m, -lam * latent)


def _decay_case(g, lr=0.5, lam=0.5, latent=0.5, rule="larq", **more):
    case = {"numbers": "float32", "rule": rule, "average": "convex", "decay": "shrink"}
    case |= {"lr": [lr] * len(g), "weight_decay": lam, "latent": [latent], "gradients": always(*g)}
    return case | more


E4 = Entry(
    id="E4",
    title="SGD with weight decay is Bop with threshold 0",
    statement=(
        "w <- (1 - lr lambda) w - lr g and m <- (1 - gamma) m + gamma g with gamma = lr lambda and "
        "m0 = -lambda w0: m = -lambda w at every step, and the same bits. Also for schedules of "
        'lr at constant lambda. Latent 0 read as +1 is Larq\'s rule; read as "keep the bit" it is '
        "the strict one."
    ),
    preconditions=(
        "lambda > 0, m0 = -lambda w0, no clip (or m clipped at lambda times it), matching tie "
        "rule; in float32 lambda a power of two, and forms paired: shrink with convex, coupled "
        "with lerp"
    ),
    exactness="B, Q",
    proof=(
        "Multiply the latent update by -lambda: it is Bop's average, and with a power of two each "
        "rounding scales along. b m > 0 iff b and w disagree."
    ),
    source='Helwegen et al. 2019, section 6, say only "similar"; Quist et al. 2023',
    make=_decay_cases,
    run_case=_check_decay,
    example=_decay_case((1, 2, -1, -2, -1, 0)),
    counterexamples=(
        Counterexample(
            "no weight decay: plain SGD is no Bop, here of gamma 0.1",
            _decay_case((1, -3, 2), lr=1.0, lam=0.0, latent=0.0, gamma=0.1, bits_alone=True),
        ),
        Counterexample(
            "Bop starts at m0 = 0 whatever the latent weights are",
            _decay_case((0.25,), lr=1.0, latent=2.0, m=[0], bits_alone=True),
        ),
        Counterexample(
            "a latent weight of exactly 0 reads +1, and the strict rule keeps the bit",
            _decay_case((-0.5,), latent=-0.5, lam=1.0, rule="strict", readout="sign"),
        ),
        Counterexample(
            "convex beside coupled: the forms round differently",
            _decay_case((0.1,) * 3, lr=0.1, latent=0.1, decay="coupled"),
        ),
        Counterexample(
            "lambda = 0.3, no power of two: m rounds by itself",
            _decay_case((0.1,) * 3, lr=0.1, lam=0.3, latent=0.1),
        ),
        Counterexample(
            "the latent weights are clipped, m is not",
            _decay_case((-4, 1, 1), clip=0.5, bits_alone=True) | {"m unclipped": True},
        ),
    ),
    ports=("bop_step", "latent_sgd_step"),
)


# -- E8 --------------------------------------------------------------------------------------------


def _hysteresis_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    n, length = sizes(draw)
    part = draw.choice(("trigger", "band", *(["wells"] if exact else [])))
    if part != "trigger" and not {"strict", "convex"} <= {*steps.rules, *steps.averages}:
        part = "trigger"
    twin = part != "trigger"
    bits = draw.values((1, -1), n)
    lattice = draw.flag()  # ties are common
    thresholds = (0.5, 1, 0, 0.25)
    threshold = draw.choice(thresholds if lattice else (*thresholds, 2, 0.1))
    m = draw.values(QUARTERS, n)
    if part == "wells":  # b m <= tau at the start
        m = [min(x * b, threshold) * b for x, b in zip(m, bits, strict=True)]
    rates = (0.5, 1.0) if lattice else RATIONAL_RATES if exact else RATES
    lam = draw.choice((1.0, 0.5) if lattice else RATIONAL_LAMBDAS if exact else LAMBDAS)
    palette = WHOLE if lattice else THIRDS if exact else TENTHS
    return {
        "numbers": numbers,
        "part": part,
        "rule": "strict" if twin else draw.choice(steps.rules),
        "average": "convex" if twin else draw.choice(steps.averages),
        "lr": [r / max(lam, 1) for r in draw.values(rates, length)],
        "weight_decay": lam,
        "threshold": threshold,
        "bits": bits,
        "m": m,
        "gradients": gradients(draw, n, length, palette),
    }


def schmitt_trigger(bits, m, threshold, rule):
    """-1 above the threshold, +1 below minus the threshold, else the bit that was there."""
    up, down = m > threshold, m < -threshold
    if rule == "inclusive":
        up, down = (m >= threshold) & (m > 0), (m <= -threshold) & (m < 0)
    if rule == "larq":  # a tie, b m = tau, becomes +1
        down = m <= -threshold
    one = np.ones_like(bits)
    return np.where(up, -one, np.where(down, one, bits))


def _check_hysteresis(case, run):
    loop = Loop(case)
    lam, threshold = loop.number(case["weight_decay"]), loop.number(case["threshold"])
    w = bits = run.signs(case["bits"], loop.exact)
    m = loop.array(case["m"])
    state = BopState(m)
    deadband = loop.number(case.get("deadband", threshold / lam))
    latent = -m / lam
    band, well = SchmittSGDState(latent), DoubleWellSGDState(latent + deadband * w)
    if case["part"] == "wells":
        run.same(
            "the bits and signs of the double well's latent weights at the start",
            hold(well.latent, w),
            w,
        )
    for t in range(loop.steps):
        g = loop.gradient(t, bits)
        lr = loop.number(case["lr"][t])
        dialect = {"rule": case["rule"], "average": case["average"]}
        w, state = run.steps.bop_step(w, g, state, gamma=lr * lam, threshold=threshold, **dialect)
        run.tie(np.abs(state.m) == threshold)
        hyper = {"lr": lr, "weight_decay": lam, "deadband": deadband}
        if case["part"] == "trigger":
            bits = schmitt_trigger(bits, state.m, threshold, case["rule"])
            twin = state.m
        elif case["part"] == "memoryless":
            bits = run.bits(-state.m)
            twin = state.m
        elif case["part"] == "band":
            bits, band = run.steps.schmitt_sgd_step(bits, g, band, **hyper)
            twin = -lam * band.latent
        else:
            bits, well = run.steps.double_well_sgd_step(bits, g, well, **hyper)
            run.same("bits and signs of the double well", hold(well.latent, bits), bits)
            twin = -lam * (well.latent - deadband * bits)
        run.row(step=t + 1, g=g, m=state.m, twin=twin, bop=w, bits=bits)
        run.same(f"bits of Bop and of its twin ({case['part']}) after step {t + 1}", w, bits)
        run.same(f"m and -lambda times the twin's latent after step {t + 1}", state.m, twin)


def _hysteresis_case(g, part="band", lam=0.5, threshold=0.5, m=0, bit=1, **more):
    case = {"numbers": "float32", "part": part, "rule": "strict", "average": "convex"}
    case |= {"lr": [1.0] * len(g), "weight_decay": lam, "threshold": threshold}
    return case | {"bits": [bit], "m": [m], "gradients": always(*g)} | more


E8 = Entry(
    id="E8",
    title="Bop's threshold is hysteresis of latent SGD",
    statement=(
        "Bop is a Schmitt trigger on m: -1 above tau, +1 below -tau, else hold. So it is shrink "
        "SGD whose bit holds while |w| <= theta = tau / lambda; and, with W = w + theta b, SGD on "
        "L + lambda/2 (|W| - theta)^2 that adds 2 theta b_new when sign(W) changes."
    ),
    preconditions=(
        "theta = tau / lambda, in float32 lambda = 2^k; the wells also b0 m0 <= tau, so that "
        "sign(W0) = b0, and Fractions; the latent twins are of the strict rule"
    ),
    exactness="B, Q",
    proof="b flips iff b m > tau iff b W < 0, as b W = theta - b m / lambda.",
    source='derived; BayesBiNN (Meng et al. 2020), table 1, says "hysteresis"',
    make=_hysteresis_cases,
    run_case=_check_hysteresis,
    example=_hysteresis_case((1, 2, -1, -2, -2, 1)),
    counterexamples=(
        Counterexample(
            "bits read off sign(w) without memory",
            _hysteresis_case((1,), "memoryless", threshold=1, lam=1.0),
        ),
        Counterexample("another dead band", _hysteresis_case((1.5,), deadband=2.0)),
        Counterexample(
            "the wells start beyond the threshold: b0 m0 > tau",
            _hysteresis_case((0,), "wells", numbers="fraction", m=1, threshold=0.5),
        ),
    ),
    ports=("bop_step",),
)
