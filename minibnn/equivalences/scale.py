"""What a change of scale does to latent weights: E1, and E2 (the learning rate)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.cases import (
    POWERS,
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
    power_of_two,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.optim import LatentAdamState, LatentSGDState

RATIONAL_SCALES = tuple(Fraction(*p) for p in ((2, 1), (3, 1), (1, 3), (7, 5), (1, 100), (50, 7)))


def each_weight(step, values, gradients, states, hypers):
    """One step of every weight by itself, as an array of length one, with its own constants."""
    moved = [
        step(values[i : i + 1], gradients[i : i + 1], state, **hyper)
        for i, (state, hyper) in enumerate(zip(states, hypers, strict=True))
    ]
    return np.concatenate([value for value, _ in moved]), [state for _, state in moved]


# -- E1 --------------------------------------------------------------------------------------------

_POWER = {"lr": 1, "weight_decay": -1, "clip": 1, "ste_clip": 1}  # of C


def _scale_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    n, length = sizes(draw)
    exact = numbers == "fraction"
    method = "sgd"
    if "latent_sgd_step" not in steps.foreign and not exact:
        method = draw.choice(("sgd", "adam"))
    hyper = {"lr": draw.choice(RATIONAL_RATES if exact else RATES)}
    if method == "sgd":
        hyper["weight_decay"] = draw.choice((0, *(RATIONAL_RATES if exact else RATES)))
        hyper["decay"] = draw.choice(steps.decays)
    else:
        hyper["epsilon"] = draw.choice((1e-7, 1e-3, 1.0))
    if "latent_sgd_step" not in steps.foreign:
        if method == "sgd":
            hyper["momentum"] = draw.choice((0, 0.5, 0.9))
        hyper["clip"] = draw.choice((None, 1.0, 0.5))
        hyper["ste_clip"] = draw.choice((None, 1.0, 0.5))
    palette = draw.choice((WHOLE, THIRDS if exact else TENTHS))
    scale = [draw.choice(RATIONAL_SCALES) if exact else power_of_two(draw) for _ in range(n)]
    return {
        "numbers": numbers,
        "method": method,
        "hyper": hyper,
        "scale": scale,
        "latent": draw.values(QUARTERS if exact else draw.choice((QUARTERS, TENTHS)), n),
        "gradients": gradients(draw, n, length, palette),
    }


def _check_scale(case, run):
    loop = Loop(case)
    unscaled = case.get("unscaled", ())
    scale = loop.array(case["scale"])
    hyper = case["hyper"]
    hypers = [
        hyper
        | {
            name: loop.number(hyper[name]) * c**power
            for name, power in _POWER.items()
            if hyper.get(name) and name not in unscaled
        }
        for c in scale
    ]
    a = loop.array(case["latent"])
    b = a if "latent" in unscaled else scale * a
    zero = np.zeros_like(a)
    if case["method"] == "adam":
        step, start = run.steps.latent_adam_step, lambda z: LatentAdamState(z, z)
    else:
        step, start = run.steps.latent_sgd_step, LatentSGDState
    state, states = start(zero), [start(zero[:1]) for _ in scale]
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(a))
        a, state = step(a, g, state, **hyper)
        b, states = each_weight(step, b, g, states, hypers)
        run.tie(a == 0)
        run.row(step=t + 1, g=g, latent=a, scaled=b, bits=run.bits(a))
        run.same(
            f"signs of the latent weights and the scaled ones after step {t + 1}",
            run.bits(a),
            run.bits(b),
        )
        if not case.get("bits_alone"):
            run.same(f"C * latent and the scaled latent weights after step {t + 1}", scale * a, b)


def _scale_case(g, unscaled=(), latent=0.5, scale=2.0, numbers="float32", **hyper):
    return {
        "numbers": numbers,
        "method": "sgd",
        "hyper": hyper,
        "scale": [scale],
        "unscaled": unscaled,
        "bits_alone": bool(unscaled) or scale == 0.01,
        "latent": [latent],
        "gradients": always(*g),
    }


E1 = Entry(
    id="E1",
    title="A scale of the latent weights changes nothing",
    statement=(
        "(lr, lambda, w0, clip, mask width) -> (C lr, lambda / C, C w0, C clip, C width) with any "
        "C > 0 per weight: the same bits, and C times the latent weights. Adam: the same with its "
        "rate, at any epsilon."
    ),
    preconditions="the gradient depends on the bits alone; momentum and schedule as they were",
    exactness="B2, Q",
    proof=(
        "Every operation is homogeneous of degree 1 in (latent, lr), so C factors out of one "
        "step; the bits, and with them the next gradient, are the same; induct."
    ),
    source="Helwegen et al. 2019 (arXiv 1906.02107), Theorem 1 and appendix A",
    make=_scale_cases,
    run_case=_check_scale,
    example=_scale_case((-1, 1, 0.5, 1), lr=0.5, weight_decay=0.25, clip=1.0),
    counterexamples=(
        Counterexample(
            "the clip keeps its size",
            _scale_case((-1, 1, 0.5), ("clip",), lr=1.0, clip=1.0),
        ),
        Counterexample(
            "the straight-through mask keeps its width",
            _scale_case((-1, 2), ("ste_clip",), latent=0.25, lr=0.5, ste_clip=1.0),
        ),
        Counterexample(
            "lambda keeps its size",
            _scale_case((0, 0.4), ("weight_decay",), latent=1.0, lr=0.5, weight_decay=1.0),
        ),
        Counterexample(
            "the start keeps its size: learning rate alone, the usual belief",
            _scale_case((0.75,), ("latent",), lr=0.5),
        ),
        Counterexample(
            "the paper's C = 0.01, no power of two: 0.1 - 0.3 + 0.2 is 0 in one run only",
            _scale_case((3, -2), latent=0.1, scale=0.01, lr=0.1),
        ),
    ),
    ports=("latent_sgd_step",),
)


# -- E2 --------------------------------------------------------------------------------------------


def _rate_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    parts = ["zero start", "large rate"]
    if "latent_sgd_step" not in steps.foreign and not exact:
        parts += ["adam", "adam gradients"]
    part = draw.choice(parts)
    n, length = sizes(draw)
    case = {"numbers": numbers, "part": part, "schedule": [1.0] * length}
    case["schedule"] = draw.values(POWERS, length) if draw.flag() else case["schedule"]
    if part == "zero start" and "latent_sgd_step" not in steps.foreign:
        case["momentum"] = draw.choice((0, 0.5, 0.9))
    if part == "large rate":
        case["latent"] = draw.values(QUARTERS[1:], n)
        case["above"] = draw.choice((Fraction(9, 8), 2, 1000)) if exact else 2.0
        palette = WHOLE
    else:
        case["lr"] = draw.choice(RATES)
        case["scale"] = draw.choice(RATIONAL_SCALES) if exact else power_of_two(draw)
        palette = draw.choice((WHOLE, THIRDS if exact else TENTHS))
    case["gradients"] = gradients(draw, n, length, palette)
    return case


def _check_rate(case, run):
    if case["part"] == "large rate":
        return _check_large_rate(case, run)
    loop = Loop(case)
    c = loop.number(case["scale"])
    lr = loop.number(case["lr"])
    zero = loop.array([0] * loop.n)
    a = b = zero if "latent" not in case else loop.array(case["latent"])
    hyper_a, hyper_b = {"lr": lr}, {"lr": c * lr}
    if case["part"].startswith("adam"):
        step, start = run.steps.latent_adam_step, LatentAdamState(zero, zero)
        hyper_a["epsilon"] = hyper_b["epsilon"] = epsilon = loop.number(1e-3)
        if case["part"] == "adam gradients":
            hyper_b = {"lr": lr, "epsilon": case.get("epsilon", c * epsilon)}
    else:
        step, start = run.steps.latent_sgd_step, LatentSGDState(zero)
        if case.get("momentum"):
            hyper_a["momentum"] = hyper_b["momentum"] = case["momentum"]
    state_a = state_b = start
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(a))
        s = loop.number(case["schedule"][t])
        other = s if "other_schedule" not in case else loop.number(case["other_schedule"][t])
        a, state_a = step(a, g, state_a, **hyper_a | {"lr": s * hyper_a["lr"]})
        g_b = c * g if case["part"] == "adam gradients" else g
        b, state_b = step(b, g_b, state_b, **hyper_b | {"lr": other * hyper_b["lr"]})
        run.tie(a == 0)
        run.row(step=t + 1, g=g, slow=a, fast=b, bits=run.bits(a))
        run.same(f"signs at two learning rates after step {t + 1}", run.bits(a), run.bits(b))


def _check_large_rate(case, run):
    """Every rate above max |w0| / |S_t| gives the bits of the run in which w0 only starts."""
    loop = Loop(case)
    start = loop.array(case["latent"])
    bits = first = run.bits(start)
    total = 0 * start
    expected, bound = [], loop.number(0)
    for t in range(loop.steps):
        total = total + loop.number(case["schedule"][t]) * loop.gradient(t, bits)
        bits = np.where(total == 0, first, run.bits(-total))
        run.tie(total == 0)
        expected.append(bits)
        late = (total != 0) & (first != run.bits(-total))
        if late.any():
            bound = max(bound, (np.abs(start[late]) / np.abs(total[late])).max())
    if loop.exact:
        rate = bound * Fraction(case["above"]) or Fraction(1)
    else:
        rate = _power_above(bound) if case["above"] > 1 else bound * loop.number(case["above"])
    latent, state = start, LatentSGDState(0 * start)
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(latent))
        step = {"lr": rate * loop.number(case["schedule"][t])}
        latent, state = run.steps.latent_sgd_step(latent, g, state, **step)
        run.row(step=t + 1, g=g, latent=latent, bits=run.bits(latent))
        run.same(
            f"signs at rate {rate} and at an infinite one after step {t + 1}",
            run.bits(latent),
            expected[t],
        )


def _power_above(x):
    """The least power of two above x, so that float32 multiplies by it exactly."""
    _, exponent = np.frexp(x)
    return np.float32(2.0 ** int(exponent)) if x else np.float32(1)


def _rate_case(g, part="zero start", schedule=None, **more):
    base = {"numbers": "float32", "part": part, "lr": 1.0, "scale": 0.25}
    return base | {"schedule": schedule or [1.0] * len(g), "gradients": always(*g)} | more


E2 = Entry(
    id="E2",
    title="The learning rate is irrelevant from 0, or when large enough",
    statement=(
        "w0 = 0: the bits do not depend on the learning rate. Else all rates above "
        "max |w0| / |S_t| give the same bits (S_t the summed gradient, over entries with "
        "sign(w0) != -sign(S_t)). "
        "Adam from w0 = 0: likewise; gradients times C need epsilon times C."
    ),
    preconditions=(
        "no clip, no decay (or lambda proportional to 1 / lr), the schedule of the same shape"
    ),
    exactness="B2, Q",
    proof="w_t = w0 - lr S_t: with w0 = 0 the rate scales w_t; above the bound S_t wins.",
    source="Helwegen et al. 2019, section 3 (which says it more broadly)",
    make=_rate_cases,
    run_case=_check_rate,
    example=_rate_case((3, -1, -1, -2)),
    counterexamples=(
        Counterexample(
            "lr = 0.1 is no power-of-two multiple of 1: 0.3 - 0.1 - 0.1 - 0.1 is not 0 (float64)",
            _rate_case((3, -1, -1, -1), numbers="float64", scale=0.1),
        ),
        Counterexample(
            "one schedule is constant, the other falls",
            _rate_case((1, -2, 0), scale=1.0, other_schedule=[1.0, 0.1, 0.1]),
        ),
        Counterexample(
            "a start that is not 0",
            _rate_case((1,), latent=[0.5], scale=0.25),
        ),
        Counterexample(
            "a rate 1 % below the bound",
            _rate_case((1,), "large rate", numbers="fraction", latent=[0.5], above=0.99),
        ),
        Counterexample(
            "Adam's gradients scaled, its epsilon not",
            _rate_case((1, -1, -2), "adam gradients", scale=2.0**-12, epsilon=1e-3),
        ),
    ),
    ports=("latent_sgd_step",),
)
