"""Two averages in a row or under each other: E7 (momentum) and E14 (Bop2ndOrder)."""

from fractions import Fraction

import numpy as np

from minibnn import optim
from minibnn.equivalences.bop import hold
from minibnn.equivalences.cases import (
    QUARTERS,
    RATES,
    RATIONAL_RATES,
    TENTHS,
    WHOLE,
    Loop,
    always,
    gradients,
    power_of_two,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.nn import Parameter
from minibnn.optim import Bop2ndState, BopState, CEMAState, LatentSGDState

# -- E7 --------------------------------------------------------------------------------------------

ROOTS = tuple(Fraction(*p) for p in ((1, 2), (1, 3), (3, 4), (2, 3), (9, 10), (1, 5)))


def _momentum_cases(draw, steps):
    part = draw.choice(("decoupled", "coupled", "impulse"))
    n, length = sizes(draw)
    case = {"numbers": "fraction", "part": part, "roots": [draw.choice(ROOTS), draw.choice(ROOTS)]}
    if part == "decoupled":
        case["weight_decay"] = draw.choice((Fraction(1, 2), Fraction(1), Fraction(2, 3)))
        case["lr"] = draw.choice(RATIONAL_RATES)
    if part == "impulse":
        return case | {"latent": [Fraction(1, 8)], "gradients": always(1, *[0] * (length + 8))}
    case["latent"] = draw.values(QUARTERS, n)
    return case | {"gradients": gradients(draw, n, min(length, 6), WHOLE)}


def _check_momentum(case, run):
    """w by momentum SGD, and m by two averages: CEMA with a start of its own."""
    loop = Loop(case)
    part = case["part"]
    r1, r2 = map(loop.number, case["roots"])
    mu, eps_lam = r1 * r2, (1 - r1) * (1 - r2)  # poles: r1 r2 = mu, (1 - r1)(1 - r2) = lr lambda
    lam = loop.number(case.get("weight_decay", 1))
    if part == "decoupled":
        mu, eps_lam = r1, loop.number(case["lr"]) * lam
    mu, eps_lam = (loop.number(case.get(k, x)) for k, x in (("mu", mu), ("lr lambda", eps_lam)))
    latent = loop.array(case["latent"])
    state = LatentSGDState(0 * latent)
    decay = "decoupled" if part in ("decoupled", "decoupled impulse") else "coupled"
    hyper = {"lr": eps_lam / lam, "momentum": mu, "weight_decay": lam, "decay": decay}
    if part == "decoupled":
        factor, twin = -lam * (1 - mu), CEMAState(0 * latent, -lam * (1 - mu) * latent)
        rates = {"gamma": 1 - mu, "alpha": eps_lam}
    else:
        factor, twin = -lam, CEMAState(-lam * latent, -lam * latent)
        rates = {"gamma": 1 - r1, "alpha": 1 - r2}
    w = bits = run.bits(latent)
    changes = 0
    for t in range(loop.steps):
        g, before = loop.gradient(t, bits), bits
        latent, state = run.steps.latent_sgd_step(latent, g, state, **hyper)
        bits = hold(latent, bits)
        changes += np.count_nonzero(bits != before)
        run.tie(latent == 0)
        if "impulse" in part:
            run.row(step=t + 1, g=g, latent=latent, bits=bits)
            run.require(changes <= 1, f"one impulse changes a sign {changes} times by step {t + 1}")
            continue
        w, twin = run.steps.cema_step(w, g, twin, **rates)
        run.row(step=t + 1, g=g, latent=latent, m=twin.inertia, bits=bits, cascade=w)
        run.same(f"bits of momentum SGD and of the cascade after step {t + 1}", bits, w)
        run.same(f"scaled latent and m after step {t + 1}", factor * latent, twin.inertia)


def _momentum_case(part, g, roots=(Fraction(1, 2), Fraction(1, 3)), latent=0.5, **more):
    case = {"numbers": "fraction", "part": part, "roots": roots, "weight_decay": 1}
    return case | {"lr": Fraction(1, 4), "latent": [latent], "gradients": always(*g)} | more


E7 = Entry(
    id="E7",
    title="Momentum SGD with decay is two averages, sometimes",
    statement=(
        "Decoupled decay: m = -lambda (1 - mu) w is u <- mu u + (1 - mu) g, "
        "m <- (1 - lr lambda) m + lr lambda u with u0 = 0. Coupled (the usual L2): such a cascade "
        "iff lr lambda <= (1 - sqrt(mu))^2, of rates 1 - r1, 1 - r2 with r1 r2 = mu and "
        "(1 - r1)(1 - r2) = lr lambda, m = -lambda w, u0 = m0 = -lambda w0. One impulse then "
        "changes a sign at most once."
    ),
    preconditions="v0 = 0; coupled: real poles",
    exactness="Q",
    proof="Eliminate v and factor the characteristic polynomial of the recursion in w.",
    source="Quist et al. 2023, whose code has the cascade",
    make=_momentum_cases,
    run_case=_check_momentum,
    example=_momentum_case("coupled", (1, -2, 0, 1)),
    counterexamples=(
        Counterexample(
            "coupled, mu = 0.9 and lr lambda = 0.01: complex poles, a sign swings",
            _momentum_case(
                "impulse",
                (1, *[0] * 99),
                latent=0,
                numbers="float64",
                mu=0.9,
                **{"lr lambda": 0.01},
            ),
        ),
        Counterexample(
            "coupled decay taken for the decoupled cascade",
            _momentum_case(
                "coupled", (1, 0), roots=(Fraction(9, 10), Fraction(3, 4)), mu=Fraction(9, 10)
            ),
        ),
    ),
)


# -- E14 -------------------------------------------------------------------------------------------


def flip_storm(deviations=(1e-3, 1e-5, 1e-7), size=4096, seed=0):
    """Rows of (deviation of normal gradients, share of weights that Bop2ndOrder and Bop flip).

    At the first step, with the defaults of the classes.
    """
    random = np.random.default_rng(seed)
    signs = 1 - 2 * random.integers(0, 2, size, dtype=np.int8)
    draws = random.standard_normal(size)
    rows = []
    for deviation in deviations:
        shares = []
        for optimizer in (optim.Bop2ndOrder(), optim.Bop()):
            p = Parameter("kernel", signs, binary=True)
            p.grad = (deviation * draws).astype(np.float32)
            shares.append(optimizer.step([p])["kernel"] / size)
        rows.append((deviation, *shares))
    return rows


def _second_cases(draw, steps):
    part = draw.choice(
        ("sigma 0", "tau 0", "one size", "sign descent", "scale", "unbiased", "storm")
    )
    n, length = sizes(draw)
    case = {
        "part": part,
        "rule": draw.choice(steps.rules) if part in ("sigma 0", "scale", "unbiased") else "strict",
        "average": draw.choice(steps.averages),
        "gamma": draw.choice(RATES),
        "sigma": draw.choice((0.25, 1.0, 2.0**-4, 2.0**-6)),
        "threshold": draw.choice((0.5, 0.25, 0.125, 0.0)),
        "epsilon": 1e-10,
        "bits": draw.values((1, -1), n),
        "m": draw.values(QUARTERS, n),
        "v": [1.0] * n,
    }
    palette = TENTHS if part in ("sigma 0", "tau 0", "scale", "unbiased") else (1, -1)
    if part == "sigma 0":
        case["sigma"] = 0.0
    if part == "tau 0":
        case["threshold"] = 0.0
    if part == "one size":
        size = draw.choice((2.0, 1.0, 0.5, 8.0))
        case |= {"v": [size * size] * n, "size": size}
        palette = (size, -size)
    if part in ("sign descent", "storm"):
        case |= {"m": [0] * n, "v": [0] * n}
        palette = (1, -1, 2, -2, 0.25) if part == "storm" else (0, 1, -1, 2, -2)
    if part == "sign descent":
        case |= {"gamma": 1.0, "sigma": 1.0}
    if part == "scale":
        case |= {"epsilon": 0.0, "scale": power_of_two(draw)}
    if part == "unbiased":
        case |= {"epsilon": 0.0, "gamma": draw.choice((0.5, 0.25, 2.0**-6))}
    if part == "storm":
        case["threshold"] = draw.choice((2.0**-10, 0.5, 2.0, 1e-6))
        length = 1
    return case | {"gradients": gradients(draw, n, length, palette)}


def _check_second(case, run):
    loop = Loop(case)
    part = case["part"]
    w = v = run.signs(case["bits"], loop.exact)
    m = loop.array(case["m"])
    state = other = Bop2ndState(m, loop.array(case["v"]))
    plain = BopState(m)
    hyper = {k: loop.number(case[k]) for k in ("gamma", "sigma", "threshold", "epsilon")}
    hyper |= {"rule": case["rule"], "average": case["average"]}
    bop = {k: hyper[k] for k in ("gamma", "threshold", "rule", "average")}
    c = loop.number(case.get("scale", 1))
    if part == "one size":
        bop["threshold"] = hyper["threshold"] * loop.number(case["size"])
    if part == "scale":
        other = Bop2ndState(c * m, c * c * state.v)
    for t in range(loop.steps):
        g, before = loop.gradient(t, w), w
        w, state = run.steps.bop2nd_step(w, g, state, **hyper)
        run.tie(np.abs(state.m) == bop["threshold"])
        if part in ("sigma 0", "tau 0", "one size"):
            v, plain = run.steps.bop_step(v, g, plain, **bop)
            run.same(f"m of Bop2ndOrder and of Bop after step {t + 1}", state.m, plain.m)
        elif part == "sign descent":
            v = hold(-g, before)
        elif part == "scale":
            v, other = run.steps.bop2nd_step(v, c * g, other, **hyper)
        elif part == "unbiased":
            root = loop.number(float(case["sigma"]) ** 0.5)
            factor = 1 if case.get("threshold kept") else root / hyper["gamma"]
            unbiased = hyper | {"form": "unbiased", "threshold": hyper["threshold"] * factor}
            v, other = run.steps.bop2nd_step(v, g, other, **unbiased)
        else:  # m / sqrt(v) = sgn(g) gamma / sqrt(sigma) at the first step
            storm = float(case["gamma"]) / float(case["sigma"]) ** 0.5 > case["threshold"]
            v = np.where((g * before > 0) & storm, -before, before)
        run.row(step=t + 1, g=g, m=state.m, v=state.v, bits=w, other=v)
        run.same(f"bits of Bop2ndOrder and of its twin ({part}) after step {t + 1}", w, v)


def _second_case(part, g, m=0.0, v=1.0, **more):
    case = {"part": part, "rule": "strict", "average": "convex", "gamma": 0.5, "sigma": 0.25}
    case |= {"threshold": 0.5, "epsilon": 0.0, "bits": [1], "m": [m], "v": [v]}
    return case | {"gradients": always(*g)} | more


E14 = Entry(
    id="E14",
    title="When Bop2ndOrder is Bop, and its zero start",
    statement=(
        "b m / (sqrt(v) + epsilon) > tau flips. It is Bop if sigma = 0 and v0 = 1; if tau = 0 and "
        "v > 0; if |g| = G and v0 = G^2, at threshold tau G. gamma = sigma = 1, tau < 1: sign "
        "descent. epsilon = 0: g -> C g changes nothing at fixed tau. From m = v = 0 step one "
        "flips every weight that agrees with its gradient if gamma / sqrt(sigma) > tau. m / gamma "
        'and v / sigma, the published "unbiased" form: the threshold tau gamma / sqrt(sigma).'
    ),
    preconditions='as stated; epsilon = 0 for the scale and the "unbiased" form',
    exactness="B, B2",
    proof="sqrt(v) is 1, positive or G; a common factor cancels in m / sqrt(v).",
    source="Suarez-Ramirez et al. 2021 and their code",
    make=_second_cases,
    run_case=_check_second,
    example=_second_case("storm", (1,), v=0.0, gamma=1e-6, sigma=1e-2, threshold=1e-6),
    counterexamples=(
        Counterexample(
            "epsilon = 1e-10 is not scaled along with C = 2^-40",
            _second_case("scale", (1,), epsilon=1e-10, threshold=0.25, scale=2.0**-40),
        ),
        Counterexample(
            "sigma > 0 is not Bop", _second_case("sigma 0", (4, 4), sigma=0.5, threshold=1)
        ),
        Counterexample(
            '"unbiased" with the threshold left as it was: not a bias correction',
            _second_case("unbiased", (1,), sigma=0.0625, threshold=0.3) | {"threshold kept": True},
        ),
    ),
)
