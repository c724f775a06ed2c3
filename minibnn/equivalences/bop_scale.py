"""What a change of scale does to Bop: E6."""

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
    power_of_two,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.equivalences.scale import RATIONAL_SCALES, each_weight
from minibnn.optim import BopState


def _bop_scale_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    n, length = sizes(draw)
    part = draw.choice(("scale", "mirror", "accumulator"))
    rules = steps.rules
    if part == "mirror":
        rules = [rule for rule in rules if rule != "larq"] or rules
        part = part if "larq" not in rules else "scale"
    if part == "accumulator":
        gamma = draw.choice(RATIONAL_RATES if exact else (0.5, 1.0, 0.25, 0.125, 2.0**-7))
        gammas = [gamma] * length
        average = "convex"
        part = part if "convex" in steps.averages else "scale"
    else:
        gammas = draw.values(RATIONAL_RATES if exact else RATES, length)
        average = draw.choice(steps.averages)
    average = average if average in steps.averages else steps.averages[0]
    palette = draw.choice((WHOLE, QUARTERS, THIRDS if exact else TENTHS))
    return {
        "numbers": numbers,
        "part": part,
        "rule": draw.choice(rules),
        "average": average,
        "gamma": gammas,
        "threshold": draw.choice((0, 0.25, 0.5, 1, *([Fraction(1, 3)] if exact else [0.1]))),
        "scale": [draw.choice(RATIONAL_SCALES) if exact else power_of_two(draw) for _ in range(n)],
        "bits": draw.values((1, -1), n),
        "m": draw.values(QUARTERS if exact else draw.choice((QUARTERS, TENTHS)), n),
        "gradients": gradients(draw, n, length, palette),
    }


def _check_bop_scale(case, run):
    check = {"scale": _check_scaled, "mirror": _check_mirror, "accumulator": _check_accumulator}
    loop = Loop(case)
    dialect = {"rule": case["rule"], "average": case["average"]}
    check[case["part"]](case, run, loop, dialect)


def _check_scaled(case, run, loop, dialect):
    unscaled = case.get("unscaled", ())
    scale = loop.array(case["scale"])
    threshold = loop.number(case["threshold"])
    w = v = run.signs(case["bits"], loop.exact)
    m = loop.array(case["m"])
    state = BopState(m)
    states = [
        BopState(m[i : i + 1] if "m" in unscaled else c * m[i : i + 1]) for i, c in enumerate(scale)
    ]
    for t in range(loop.steps):
        g = loop.gradient(t, w)
        gamma = loop.number(case["gamma"][t])
        w, state = run.steps.bop_step(w, g, state, gamma=gamma, threshold=threshold, **dialect)
        hypers = [
            {"gamma": gamma, "threshold": threshold * (1 if "threshold" in unscaled else c)}
            | dialect
            for c in scale
        ]
        v, states = each_weight(run.steps.bop_step, v, scale * g, states, hypers)
        run.tie(np.abs(state.m) == threshold)
        scaled = np.concatenate([s.m for s in states])
        run.row(step=t + 1, g=g, m=state.m, scaled=scaled, bits=w)
        run.same(f"bits of Bop and of Bop on scaled gradients after step {t + 1}", w, v)
        run.same(f"C * m and the scaled run's m after step {t + 1}", scale * state.m, scaled)


def _check_mirror(case, run, loop, dialect):
    threshold = loop.number(case["threshold"])
    w = run.signs(case["bits"], loop.exact)
    v = -w
    m = loop.array(case["m"])
    state, mirrored = BopState(m), BopState(-m)
    for t in range(loop.steps):
        g = loop.gradient(t, w)
        hyper = {"gamma": loop.number(case["gamma"][t]), "threshold": threshold} | dialect
        w, state = run.steps.bop_step(w, g, state, **hyper)
        v, mirrored = run.steps.bop_step(v, -g, mirrored, **hyper)
        run.tie(np.abs(state.m) == threshold)
        run.row(step=t + 1, g=g, m=state.m, bits=w, mirrored=v)
        run.same(f"negated bits and those of the mirrored run after step {t + 1}", -w, v)
        run.same(f"-m and the mirrored run's m after step {t + 1}", -state.m, mirrored.m)


def _check_accumulator(case, run, loop, dialect):
    """a <- (1 - gamma) a + g with threshold tau / gamma is Bop with m = gamma a."""
    from minibnn.optim.bop import flip_signs

    threshold = loop.number(case["threshold"])
    w = v = run.signs(case["bits"], loop.exact)
    state = BopState(loop.array(case["m"]))
    before = loop.number(case["gamma"][0])
    a = state.m / before
    for t in range(loop.steps):
        g = loop.gradient(t, w)
        gamma = loop.number(case["gamma"][t])
        if case.get("rescale", True):
            a = a * (before / gamma)
        a, before = (1 - gamma) * a + g, gamma
        v = flip_signs(v, a, threshold / gamma, case["rule"])
        w, state = run.steps.bop_step(w, g, state, gamma=gamma, threshold=threshold, **dialect)
        run.tie(np.abs(state.m) == threshold)
        run.row(step=t + 1, g=g, m=state.m, accumulator=a, bits=w)
        run.same(f"bits of Bop and of its accumulator form after step {t + 1}", w, v)
        run.same(f"m and gamma * a after step {t + 1}", state.m, gamma * a)


def _bop_case(g, part="scale", gamma=0.5, threshold=1, m=0, bit=1, rule="strict", **more):
    case = {"numbers": "float32", "part": part, "rule": rule, "average": "convex", "scale": [4.0]}
    gammas = gamma if isinstance(gamma, list) else [gamma] * len(g)
    case |= {"gamma": gammas, "threshold": threshold, "bits": [bit], "m": [m]}
    return case | {"gradients": always(*g)} | more


E6 = Entry(
    id="E6",
    title="Bop's threshold counts relative to the gradients only",
    statement=(
        "(g, tau, m0) -> (C g, C tau, C m0) with any C > 0 per weight: the same flips, by every "
        "rule. (g, b, m0) -> (-g, -b, -m0): mirrored flips (strict and inclusive). With "
        "a = m / gamma: a <- (1 - gamma) a + g and the threshold tau / gamma."
    ),
    preconditions=(
        "tau and m0 scale too; the mirror excludes Larq's rule; where gamma changes, a is "
        "rescaled by its old value over the new one"
    ),
    exactness="B2, Q",
    proof="m and b m - tau are homogeneous of degree 1, and rounding is odd.",
    source="derived; Helwegen et al. 2019, section 6 notes the dependence on scale",
    make=_bop_scale_cases,
    run_case=_check_bop_scale,
    example=_bop_case((3, 2, -1, -6, -6)),
    counterexamples=(
        Counterexample("the threshold keeps its size", _bop_case((1,), unscaled=("threshold",))),
        Counterexample("m0 keeps its size", _bop_case((0,), m=4, unscaled=("m",))),
        Counterexample(
            "Larq's rule has no mirror: at a tie the weight becomes +1",
            _bop_case((2,), "mirror", rule="larq", bit=1),
        ),
        Counterexample(
            "the accumulator is not rescaled where gamma falls",
            _bop_case((1, 3), "accumulator", [0.5, 0.25], 1.25, m=1, rescale=False),
        ),
    ),
    ports=("bop_step",),
)
