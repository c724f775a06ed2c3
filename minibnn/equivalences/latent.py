"""Latent weights in other clothes: E3 (inertia) and E18 (dual views)."""

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
from minibnn.equivalences.scale import RATIONAL_SCALES
from minibnn.optim import BopState, InertiaSGDState, LatentSGDState

# -- E3 --------------------------------------------------------------------------------------------


def _inertia_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    n, length = sizes(draw)
    rates = RATIONAL_RATES if exact else RATES
    hyper = {"lr": draw.choice(rates), "weight_decay": draw.choice((0, *rates))}
    hyper["decay"] = draw.choice(steps.decays)
    if not steps.foreign:
        hyper["momentum"] = draw.choice((0, 0.5, 0.9))
        hyper["clip"] = draw.choice((None, 1.0, 0.3))
        hyper["ste_clip"] = draw.choice((None, 1.0, 0.3))
    return {
        "numbers": numbers,
        "hyper": hyper,
        "latent": draw.values(QUARTERS if exact else draw.choice((QUARTERS, TENTHS)), n),
        "gradients": gradients(draw, n, length, draw.choice((WHOLE, THIRDS if exact else TENTHS))),
    }


def _symmetric_step(w, g, state, *, lr):
    """The rule that looks symmetric, and is wrong where s = 0: flip iff s < 0."""
    s = state.inertia - lr * (w * g)
    return np.where(s < 0, -w, w), InertiaSGDState(np.abs(s))


def _rounding_down_step(w, g, state, *, lr):
    """The right rule in an arithmetic that rounds towards minus infinity, here to eighths."""
    s = np.floor(8 * (state.inertia - lr * (w * g))) / 8
    return np.where((s < 0) | ((s == 0) & (w < 0)), -w, w), InertiaSGDState(np.abs(s))


def _check_inertia(case, run):
    loop = Loop(case)
    latent = loop.array(case["latent"])
    zero = 0 * latent
    w, state = run.bits(latent), InertiaSGDState(np.abs(latent), zero)
    step, velocity, hyper = run.steps.inertia_sgd_step, LatentSGDState(zero), case["hyper"]
    if "wrong" in case:
        step = {"symmetric": _symmetric_step, "rounding": _rounding_down_step}[case["wrong"]]
    lr = loop.number(hyper["lr"])
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(latent))
        latent, velocity = run.steps.latent_sgd_step(latent, g, velocity, **hyper | {"lr": lr})
        if case.get("wrong") == "rounding":
            latent = np.floor(8 * latent) / 8
        w, state = step(w, g, state, **hyper | {"lr": lr} if "wrong" not in case else {"lr": lr})
        run.tie(latent == 0)
        run.row(step=t + 1, g=g, latent=latent, sign=run.bits(latent), bit=w, inertia=state.inertia)
        run.same(f"signs of latent weights and bits after step {t + 1}", run.bits(latent), w)
        run.same(f"|latent| and inertia after step {t + 1}", np.abs(latent), state.inertia)
        if hyper.get("momentum"):
            run.same(f"velocities after step {t + 1}", velocity.velocity, state.velocity)


def _inertia_case(g, latent=0.5, lr=0.5, wrong=None, **hyper):
    case = {"numbers": "float32", "hyper": {"lr": lr} | hyper, "latent": [latent]}
    return case | {"gradients": always(*g)} | ({"wrong": wrong} if wrong else {})


E3 = Entry(
    id="E3",
    title="A latent weight is a bit and its inertia",
    statement=(
        "w = b m with m >= 0: s = m - lr (b g + lambda m), m' = |s| (then min with the clip); flip "
        "iff s < 0 where b = +1 and iff s <= 0 where b = -1. Momentum and mask likewise."
    ),
    preconditions="round to nearest (or exact); a -1 of inertia 0 does not exist",
    exactness="B, Q",
    proof="Multiplying by +1 or -1 is exact, and round-to-nearest is an odd function.",
    source="Helwegen et al. 2019, equation 4",
    make=_inertia_cases,
    run_case=_check_inertia,
    example=_inertia_case((2, 1, -2, -1), weight_decay=0.5),
    counterexamples=(
        Counterexample(
            "the symmetric rule, flip iff s < 0: at s = 0 a -1 must flip",
            _inertia_case((-1,), latent=-0.5, wrong="symmetric"),
        ),
        Counterexample(
            "rounding towards minus infinity is not odd",
            _inertia_case((-0.1,), latent=-0.5, wrong="rounding"),
        ),
    ),
    ports=("latent_sgd_step",),
)


# -- E18 -------------------------------------------------------------------------------------------


def _dual_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    parts = ["averaging"]
    if "latent_sgd_step" not in steps.foreign:
        parts += ["bayes"] if exact else []
    n, length = sizes(draw)
    return {
        "numbers": numbers,
        "part": draw.choice(parts),
        "lr": draw.choice((*RATIONAL_RATES, Fraction(7)) if exact else (1.0, 0.5, 0.25, 2.0, 16.0)),
        "rho": draw.choice(RATIONAL_RATES),
        "samples": draw.choice((50, 1, 3)),
        "start": draw.values((0, 1, -1, Fraction(1, 3)) if exact else (0,), n),
        "gradients": gradients(
            draw, n, length, draw.choice((WHOLE, RATIONAL_SCALES) if exact else (WHOLE,))
        ),
    }


def _check_dual(case, run):
    loop = Loop(case)
    lr = loop.number(case["lr"])
    if case["part"] == "bayes":
        return _check_bayes(case, run, loop, lr)
    latent = loop.array(case.get("latent", [0] * loop.n))
    total, state = 0 * latent, LatentSGDState(0 * latent)
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(latent))
        total = total + g
        latent, state = run.steps.latent_sgd_step(latent, g, state, lr=lr)
        best = _argmin(total)
        run.tie(total == 0)
        run.row(step=t + 1, g=g, total=total, latent=latent, bits=run.bits(latent), argmin=best)
        run.same(f"signs and argmin <b, sum g> after step {t + 1}", run.bits(latent), best)


def _argmin(total):
    """The b of +1 and -1 with the least b * total; at a tie +1."""
    return np.array([min((1, -1), key=lambda b: b * x) for x in total])


def _check_bayes(case, run, loop, step):
    """BayesBiNN with s = 1, sign for tanh and no prior: lambda <- (1 - a rho) lambda - a N g."""
    rho, samples = loop.number(case["rho"]), loop.number(case["samples"])
    natural = loop.array(case["start"])
    w = run.bits(natural)
    state = BopState(-rho / samples * natural)
    for t in range(loop.steps):
        g = loop.gradient(t, w)
        natural = (1 - step * rho) * natural - step * samples * g
        hyper = {"gamma": step * rho, "threshold": 0, "rule": "larq"}
        w, state = run.steps.bop_step(w, g, state, **hyper)
        run.tie(natural == 0)
        run.row(step=t + 1, g=g, natural=natural, m=state.m, bits=w)
        run.same(f"bits of Bop and signs of BayesBiNN after step {t + 1}", w, run.bits(natural))
        run.same(f"m and -(rho / N) lambda after step {t + 1}", state.m, -rho / samples * natural)


def _dual_case(g, part="averaging", numbers="float32", **more):
    case = {"numbers": numbers, "part": part, "lr": 0.5, "rho": 0.5, "samples": 1, "start": [0]}
    return case | {"gradients": always(*g)} | more


E18 = Entry(
    id="E18",
    title="Dual views of latent weights",
    statement=(
        "SGD from w0 = 0 is dual averaging: b = argmin <b, sum g>, ties +1. BayesBiNN with s = 1, "
        "sign for tanh, no prior, step a, weight rho of the KL term and N samples is Bop with "
        "threshold 0, gamma = a rho, m = -(rho / N) lambda_nat."
    ),
    preconditions="w0 = 0 and lr = 2^k in float32; Larq's tie for BayesBiNN, in Fractions",
    exactness="B, Q",
    proof="w_t = -lr sum g; multiply the natural parameter's update by -rho / N.",
    source="ProxQuant (Bai et al. 2019); BayesBiNN (Meng et al. 2020)",
    make=_dual_cases,
    run_case=_check_dual,
    example=_dual_case((2, -1, -1, -3)),
    counterexamples=(
        Counterexample("a start that is not 0", _dual_case((1,), latent=[2.0])),
        Counterexample(
            "lr = 0.1 in float32: 0.3 - 0.1 - 0.1 - 0.1 is not 0",
            _dual_case((3, -1, -1, -1), lr=0.1),
        ),
    ),
    ports=("latent_sgd_step",),
)
