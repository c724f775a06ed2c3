"""What Bop's average does: E5 (facts), E11 (how often a weight can flip), E19 (an L2 penalty)."""

from fractions import Fraction
from math import floor, log2

import numpy as np

from minibnn.equivalences.bop import hold
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
    rational,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.optim import BopState, LatentSGDState

# -- E5 --------------------------------------------------------------------------------------------


def _average_cases(draw, steps):
    numbers = arithmetic(draw, steps)
    exact = numbers == "fraction"
    n, length = sizes(draw)
    part = draw.choice(("average", "memoryless", "never"))
    palette = draw.choice((WHOLE, THIRDS if exact else TENTHS))
    case = {
        "numbers": numbers,
        "part": part,
        "rule": draw.choice(steps.rules),
        "average": draw.choice(steps.averages),
        "gamma": draw.values(RATIONAL_RATES if exact else RATES, length),
        "threshold": draw.choice((0, 0.5, 1, Fraction(1, 3) if exact else 0.1)),
        "bits": draw.values((1, -1), n),
        "m": draw.values(QUARTERS, n),
        "gradients": gradients(draw, n, length, palette),
    }
    if part == "memoryless":
        case |= {"gamma": [1] * length, "threshold": 0}
        if not exact and case["average"] == "lerp":  # exact on this lattice only
            case["gradients"] = gradients(draw, n, length, WHOLE)
    return case


def _check_average(case, run):
    loop = Loop(case)
    part, rule = case["part"], case["rule"]
    w, state = run.signs(case["bits"], loop.exact), BopState(loop.array(case["m"]))
    exact_m = [rational(x) for x in state.m]
    largest = max(abs(rational(x)) for x in (*exact_m, *loop.table.flat))
    threshold = loop.number(case["threshold"])
    if part == "never":
        # The inclusive and Larq's rule flip at equality too; float32 sums may round above G.
        above = Fraction(rule != "strict", 8) + (0 if loop.exact else largest / 2**18)
        threshold = loop.number(case.get("tau", largest + above))
    gamma_sum = Fraction(0)
    for t in range(loop.steps):
        g, before = loop.gradient(t, w), w
        hyper = {"gamma": loop.number(case["gamma"][t]), "threshold": threshold}
        hyper |= {"rule": rule, "average": case["average"]}
        w, state = run.steps.bop_step(w, g, state, **hyper)
        run.tie(np.abs(state.m) == threshold)
        run.row(step=t + 1, g=g, m=state.m, bits=w)
        gamma = rational(hyper["gamma"])
        exact_m = [(1 - gamma) * m + gamma * rational(x) for m, x in zip(exact_m, g, strict=True)]
        gamma_sum = (1 - gamma) * gamma_sum + gamma
        if part == "converges":  # the belief that breaks
            run.require(abs(state.m[0] - 1) < 0.01, f"m stalls at {state.m[0]}, the gradient is 1")
            continue
        bound = 0 if loop.exact else 4 * (t + 1) * largest / 2**24
        for m, expected in zip(state.m, exact_m, strict=True):
            run.require(
                abs(rational(m) - expected) <= bound,
                f"m after step {t + 1} is {m}, the weighted sum of gradients {float(expected)}",
            )
            run.require(abs(expected) <= largest, f"|m| is above max(|m0|, G) after step {t + 1}")
        if part == "memoryless":
            held = np.ones_like(w) if rule == "larq" else before
            run.same(f"bits and -sgn(g) after step {t + 1}", w, hold(-g, held))
        if part == "never":
            run.same(f"bits before and after step {t + 1}", before, w)
    run.require(gamma_sum <= 1, "the weights of the gradients sum to more than 1")


def _average_case(g, part="average", gamma=0.5, threshold=0, m=0, bit=1, **more):
    case = {"numbers": "float32", "part": part, "rule": "strict", "average": "convex"}
    case |= {"gamma": [gamma] * len(g), "threshold": threshold, "bits": [bit], "m": [m]}
    return case | {"gradients": always(*g)} | more


E5 = Entry(
    id="E5",
    title="What the moving average is",
    statement=(
        "m_t = prod(1 - gamma_k) m0 + sum gamma_k prod_{j>k}(1 - gamma_j) g_j, so "
        "|m| <= max(|m0|, G) for |g| <= G. gamma = 1, tau = 0: b = -sgn(g), held at g = 0 (Larq's "
        "rule: +1). tau >= max(|m0|, G): never a flip."
    ),
    preconditions=(
        "the inclusive and Larq's rule never flip only for tau > max(|m0|, G): at equality they "
        "do; float32 follows within 2^-22 G per step"
    ),
    exactness="Q, T",
    proof="Unroll the recursion; its weights are >= 0 and sum to 1.",
    source="Helwegen et al. 2019, equation 5 (whose sum needs m0 = 0)",
    make=_average_cases,
    run_case=_check_average,
    example=_average_case((4, 2, -8, 0), threshold=1.5),
    counterexamples=(
        Counterexample(
            "lerp at gamma = 1 is not g: m = 1e8 and g = 1e-3 give 0",
            _average_case((1e-3,), "memoryless", 1.0, m=1e8, average="lerp"),
        ),
        Counterexample(
            "m converges to the mean gradient: in float32 at gamma = 1e-7 it stalls at 0.75",
            _average_case((1,) * 5, "converges", 1e-7, m=0.75),
        ),
        Counterexample(
            "tau = max(|m0|, G) under the inclusive rule: |m| = tau flips",
            _average_case((1,), "never", m=1, rule="inclusive", tau=1),
        ),
        Counterexample(
            "tau = max(|m0|, G) under Larq's rule: at a tie -1 becomes +1",
            _average_case((-1,), "never", m=-1, bit=-1, rule="larq", tau=1),
        ),
    ),
    ports=("bop_step",),
)


# -- E11 -------------------------------------------------------------------------------------------


def least_spacing(gamma, ratio, rule="strict"):
    """Least number of steps between two flips, for tau / G = ratio: exact, by counting."""
    n, rest = 1, 1 - gamma
    while not (
        rest * (1 + ratio) < 1 - ratio or (rule != "strict" and rest * (1 + ratio) == 1 - ratio)
    ):
        n, rest = n + 1, rest * (1 - gamma)
    return n


def _spacing_cases(draw, steps):
    gammas = [Fraction(1, 4), Fraction(1, 2), Fraction(1, 8)]
    numbers = arithmetic(draw, steps)
    n, length = sizes(draw)
    part = draw.choice(("apart", "first", "attained"))
    bound = 3
    case = {
        "numbers": numbers,
        "part": part,
        "rule": draw.choice(steps.rules),
        "average": draw.choice(steps.averages),
        "gamma": float(draw.choice(gammas)),
        "threshold": draw.choice((0.75, 1.5, 0.375, 0, 2.25)),
        "bound": bound,
    }
    if part == "attained":
        return case | {"bits": [1], "m": [0], "gradients": always(0)}
    m = [0] * n if part == "first" else draw.values(QUARTERS[:9], n)
    length = min(2 * length, 8) if numbers == "float32" else 2 * length
    return case | {
        "bits": draw.values((1, -1), n),
        "m": m,
        "gradients": gradients(draw, n, length, (3, -3, 2, -2, 1, -1, 0)),
    }


def _check_spacing(case, run):
    loop = Loop(case)
    gamma, threshold = loop.number(case["gamma"]), loop.number(case["threshold"])
    dialect = {"rule": case["rule"], "average": case["average"]}
    hyper = {"gamma": gamma, "threshold": threshold} | dialect
    ratio = Fraction(case["threshold"]) / Fraction(case["bound"])
    least = least_spacing(Fraction(case["gamma"]), ratio, case["rule"])
    if case["part"] == "attained":
        return _check_attained(case, run, loop, hyper, ratio, least)
    w, state = run.signs(case["bits"], loop.exact), BopState(loop.array(case["m"]))
    latent = loop.array(case["m"])
    last = [None] * loop.n
    first = _first_flip(Fraction(case["gamma"]), ratio, case["rule"])
    for t in range(loop.steps):
        g, before = loop.gradient(t, w), w
        if case["part"] == "latent":
            latent, _ = run.steps.latent_sgd_step(latent, g, LatentSGDState(0 * latent), lr=gamma)
            w = run.bits(latent)
        else:
            w, state = run.steps.bop_step(w, g, state, **hyper)
            run.tie(np.abs(state.m) == threshold)
        run.row(step=t + 1, g=g, m=state.m, bits=w)
        for k in np.flatnonzero(before != w):
            if last[k] is not None:
                run.require(
                    t - last[k] >= least,
                    f"weight {k} flips after {t - last[k]} steps, the least is {least}",
                )
            elif case["part"] == "first":
                run.require(
                    t + 1 >= first, f"weight {k} flips at step {t + 1}, the least is {first}"
                )
            last[k] = t


def _first_flip(gamma, ratio, rule):
    """Least n with 1 - (1 - gamma)^n > ratio: no flip from m0 = 0 comes earlier."""
    n, rest = 1, 1 - gamma
    while not (1 - rest > ratio or (rule != "strict" and 1 - rest == ratio)):
        n, rest = n + 1, rest * (1 - gamma)
    return n


def _check_attained(case, run, loop, hyper, ratio, least):
    """Just above the threshold, then the largest gradient the other way: exactly ``least``."""
    bound, tau = loop.number(case["bound"]), hyper["threshold"]
    # Any start in (tau, tau + G slack) takes no longer than one at tau would.
    slack = (1 - ratio) / (1 - Fraction(case["gamma"])) ** least - (1 + ratio)
    above = Fraction(0)
    if slack:  # a power of two, so that float32 sums are exact
        above = Fraction(2) ** (floor(log2(slack)) - 1)
    start = (tau + bound * loop.number(above)) * loop.array([1])
    w, state = run.steps.bop_step(run.signs([1], loop.exact), start, BopState(start), **hyper)
    run.row(step=0, g=start, m=state.m, bits=w)
    if w[0] > 0:
        return  # at the tie itself Larq's rule keeps a +1
    for t in range(least):
        g = -bound * loop.array([1])
        w, state = run.steps.bop_step(w, g, state, **hyper)
        run.tie(np.abs(state.m) == tau)
        run.row(step=t + 1, g=g, m=state.m, bits=w)
        back = w[0] > 0
        run.require(back == (t + 1 == least), f"back at step {t + 1}: {back}; the bound is {least}")


def _spacing_case(g, part="apart", gamma=0.25, threshold=1.5, bit=1, m=0, bound=3, **more):
    case = {"numbers": "float32", "part": part, "rule": "strict", "average": "convex"}
    case |= {"gamma": gamma, "threshold": threshold, "bound": bound, "bits": [bit], "m": [m]}
    return case | {"gradients": always(*g)} | more


E11 = Entry(
    id="E11",
    title="Two flips of a weight are some steps apart",
    statement=(
        "|g| <= G, 0 <= tau < G: flips of one weight are at least n steps apart, n the least with "
        "(1 - gamma)^n (G + tau) < G - tau, about 2 tau / (gamma G); the worst case attains it. "
        "The first flip from m0 = 0: least n with 1 - (1 - gamma)^n > tau / G."
    ),
    preconditions="|g| <= G; with the inclusive and Larq's rule < and > become <= and >=",
    exactness="Q",
    proof=(
        "Between two flips m falls from above tau to below -tau, and falls fastest under g = -G: "
        "m_n = (1 - gamma)^n (m + G) - G."
    ),
    source="derived",
    make=_spacing_cases,
    run_case=_check_spacing,
    example=_spacing_case((3, 3, 3, -3, -3, -3, -3, -3)),
    counterexamples=(
        Counterexample(
            "latent SGD near 0 flips at every step",
            _spacing_case((1, -2, 2), "latent", gamma=0.5),
        ),
        Counterexample(
            "gradients above G",
            _spacing_case((24, -64), threshold=1.5),
        ),
        Counterexample(
            "the first flip from m0 = 1",
            _spacing_case((3,), "first", m=1.25),
        ),
    ),
    ports=("bop_step",),
)


# -- E19 -------------------------------------------------------------------------------------------


def _penalty_cases(draw, steps):
    rule = draw.choice(steps.rules)
    part = draw.choice(("held", "endless"))
    n, length = sizes(draw)
    threshold = draw.choice((1.0, 0.5, 2.0))
    ratios = (0.5, 1.0, 0.75) if rule == "strict" else (0.5, 0.75)  # lambda = tau can tie
    return {
        "numbers": arithmetic(draw, steps),
        "part": part,
        "rule": rule,
        "average": draw.choice(steps.averages),
        "gamma": draw.choice((0.5, 1.0, 0.25)),
        "threshold": threshold,
        "weight_decay": threshold
        * (draw.choice(ratios) if part == "held" else draw.choice((2, 4, 1.5))),
        "bits": draw.values((1, -1), n),
        "steps": length if part == "held" else length + 8,
    }


def _check_penalty(case, run):
    loop = Loop(case | {"gradients": always(*[0] * case["steps"])})
    w = run.signs(case["bits"], loop.exact)
    threshold, lam = loop.number(case["threshold"]), loop.number(case["weight_decay"])
    hyper = {"gamma": loop.number(case["gamma"]), "threshold": threshold}
    hyper |= {"rule": case["rule"], "average": case["average"]}
    state = BopState(loop.array([0] * len(w)))
    flips, idle = 0 * w, 0 * w
    # From -tau at worst, m passes tau: (1 - gamma)^n (lambda + tau) < lambda - tau.
    wait = (
        least_spacing(rational(case["gamma"]), rational(threshold) / rational(lam))
        if lam > threshold
        else 0
    )
    for t in range(case["steps"]):
        before = w
        w, state = run.steps.bop_step(w, lam * w, state, **hyper)  # the data's gradient is 0
        flipped = before != w
        flips, idle = flips + flipped, np.where(flipped, 0, idle + 1)
        run.tie(np.abs(state.m) == threshold)
        run.row(step=t + 1, m=state.m, bits=w, flips=flips)
        if case["part"] == "held":
            run.require(not flipped.any(), f"a weight flips at step {t + 1} without any gradient")
        else:
            run.require((idle <= wait).all(), f"a weight rests for more than {wait} steps")


def _penalty_case(part="held", lam=1.0, threshold=0.5, steps=8, **more):
    case = {"numbers": "float32", "part": part, "rule": "strict", "average": "convex"}
    case |= {"gamma": 0.5, "threshold": threshold, "weight_decay": lam, "bits": [1]}
    return case | {"steps": steps} | more


E19 = Entry(
    id="E19",
    title="An L2 penalty makes ±1 weights flip for nothing",
    statement=(
        "The penalty is constant, yet g gains lambda b. At g = 0 from m0 = 0: no flip for "
        "lambda <= tau, and endless ones for lambda > tau."
    ),
    preconditions="lambda <= tau for peace (lambda < tau with the inclusive and Larq's rule)",
    exactness="Q",
    proof="b m gains lambda times the average of 1, which tends to lambda from below.",
    source="derived; Helwegen et al.'s XNOR-Net regularizes real kernels only",
    make=_penalty_cases,
    run_case=_check_penalty,
    example=_penalty_case("endless"),
    counterexamples=(
        Counterexample("lambda above tau: flips without any gradient", _penalty_case()),
        Counterexample(
            "lambda = tau at gamma = 1 under the inclusive rule",
            _penalty_case(lam=0.5, gamma=1.0, rule="inclusive"),
        ),
        Counterexample("lambda = tau: no endless flips", _penalty_case("endless", lam=0.5)),
    ),
    ports=("bop_step",),
)
