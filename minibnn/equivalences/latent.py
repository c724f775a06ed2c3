"""Latent weights in other clothes: E3 (inertia), E9 (clip and mask), E10 (estimators), E18 (duals)."""

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
    exactness="B for any constants, Q",
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


# -- E9 --------------------------------------------------------------------------------------------


def _clip_cases(draw, steps):
    part = draw.choice(
        ("mask under clip", "dead beyond mask", "clip unreached", "next flip", "saturated")
    )
    n, length = sizes(draw)
    exact = part in ("clip unreached", "saturated")
    lr = draw.choice((0.5, 0.25, 0.125) if exact else RATES)
    case = {
        "part": part,
        "lr": lr,
        "weight_decay": 0 if part != "mask under clip" else draw.choice((0, *RATES)),
        "latent": draw.values([x for x in QUARTERS if abs(x) <= 1], n),
        "gradients": gradients(draw, n, length, WHOLE if exact else draw.choice((WHOLE, TENTHS))),
    }
    if part == "dead beyond mask":
        case["latent"] = draw.values((1.25, -1.25, 1.5, -3.0), n)
    if part == "clip unreached":
        case["clip"] = max(map(abs, case["latent"])) + lr * 3 * length
    return case


def _check_clip(case, run):
    loop = Loop(case)
    part, lr = case["part"], loop.number(case["lr"])
    a = b = loop.array(case["latent"])
    if part == "saturated":
        a = b = run.bits(a) * loop.number(1)
    first_a = first_b = None
    step, state = run.steps.latent_sgd_step, LatentSGDState(None)
    clip = case.get("clip", 1.0)
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(a))
        before = a
        if part == "mask under clip":
            hyper = {"lr": lr, "weight_decay": case["weight_decay"], "clip": clip}
            a, _ = step(a, g, state, **hyper)
            if case.get("strict mask"):
                b, _ = step(b, np.where(np.abs(b) < 1, g, 0 * g), state, **hyper)
            else:
                b, _ = step(b, g, state, **hyper, ste_clip=1.0)
            run.same(f"latent weights with and without mask after step {t + 1}", a, b)
        elif part == "dead beyond mask":
            a, _ = step(a, g, state, lr=lr, ste_clip=1.0, clip=case.get("clip"))
            run.same(f"latent weights beyond the mask before and after step {t + 1}", before, a)
        elif part == "clip unreached":
            a, _ = step(a, g, state, lr=lr)
            b, _ = step(b, g, state, lr=lr, clip=clip)
            run.same(f"latent weights with and without clip after step {t + 1}", a, b)
        elif part == "next flip":  # the same gradients for both, whatever their bits: open loop
            g = loop.table[t, 0]
            a, _ = step(a, g, state, lr=lr)
            b, _ = step(b, g, state, lr=lr, clip=clip)
            start = run.bits(loop.array(case["latent"]))
            first_a, first_b = (
                np.where((first < 0) & (run.bits(x) != start), t, first)
                for first, x in ((_none_yet(first_a, start), a), (_none_yet(first_b, start), b))
            )
            late = (first_a >= 0) & (first_b < 0)
            run.require(not late.any(), f"step {t + 1} flips a free weight, and not a clipped one")
        else:  # saturated: b w >= c - t lr G
            a, _ = step(a, g, state, lr=lr, clip=clip)
            start = run.bits(b)
            least = abs(b) / (lr * np.abs(loop.table).max() or loop.number(1))
            flipped = run.bits(a) != start
            # At w = 0 exactly a -1 has flipped, since sign(0) = +1, and a +1 has not.
            late = t + 1 < least if not case.get("beyond") else t + 1 <= least
            late = late | ((t + 1 == least) & (start > 0))
            run.require(not (flipped & late).any(), f"a saturated weight flips at step {t + 1}")
        run.tie(a == 0)
        run.row(step=t + 1, g=g, latent=a, other=b, bits=run.bits(a))


def _none_yet(first, like):
    return np.full(like.shape, -1) if first is None else first


def _clip_case(part, g, latent=0.5, lr=0.5, **more):
    base = {"part": part, "lr": lr, "weight_decay": 0, "latent": [latent]}
    return base | {"gradients": always(*g)} | more


E9 = Entry(
    id="E9",
    title="Weight clip and straight-through mask",
    statement=(
        "(i) Under a clip at 1 the mask |w| <= 1 does nothing. (ii) Without clip and decay a "
        "weight beyond the mask is dead. (iii) A clip at c >= |w0| + lr sum |g| does nothing. (iv) "
        "Open loop, the next flip comes no later with a clip. (v) A saturated weight needs at "
        "least c / (lr G) steps to flip, a +1 more."
    ),
    preconditions=(
        "(i) an inclusive mask and |w0| <= 1; (iv) the next flip from one state, not the number "
        "of flips; (v) exact steps"
    ),
    exactness="(i), (ii), (iv) B; (iii), (v) on exact sums",
    proof=(
        "(iv) Until -c is reached the clipped path lies on or below the free one, as each "
        "operation is monotone. The others are bounds on |w|."
    ),
    source="Helwegen et al. 2019, section 3, call clipping a ceiling on inertia",
    make=_clip_cases,
    run_case=_check_clip,
    example=_clip_case("next flip", (-3, -1, 1, 2)),
    counterexamples=(
        Counterexample(
            "(i) with a strict mask |w| < 1 a weight at 1 is frozen",
            _clip_case("mask under clip", (-3, 1, 1)) | {"strict mask": True},
        ),
        Counterexample(
            "(ii) a clip at 1 brings the weight back",
            _clip_case("dead beyond mask", (0, 1), latent=1.5, clip=1.0),
        ),
        Counterexample("(iii) a clip that is reached", _clip_case("clip unreached", (-3, 1))),
        Counterexample(
            '(v) "more than c / (lr G) steps": a -1 flips after exactly that many',
            _clip_case("saturated", (-1, -1), latent=-1, beyond=True),
        ),
    ),
)


# -- E10 -------------------------------------------------------------------------------------------

# phi > 0, M(w) = integral of 1 / phi, a bound of |phi'|
ESTIMATORS = {
    "1/(1+|w|)": (lambda w: 1 / (1 + np.abs(w)), lambda w: w + w * np.abs(w) / 2, 1.0),
    "exp(-|w|)": (lambda w: np.exp(-np.abs(w)), lambda w: np.sign(w) * np.expm1(np.abs(w)), 1.0),
    "1/(1+w^2)": (lambda w: 1 / (1 + w * w), lambda w: w + w**3 / 3, 0.65),
    "box": (lambda w: (np.abs(w) <= 1) * 1.0, lambda w: w, 0.0),
}
# M and its inverse
MIRRORS = {
    "rational": (lambda w: w / (1 - np.abs(w)), lambda u: u / (1 + np.abs(u))),
    "tanh": (np.arctanh, np.tanh),
}


def _estimator_cases(draw, steps):
    part = draw.choice(("small rate", "mirror", "under bop"))
    n, length = sizes(draw)
    return {
        "numbers": {"small rate": "float64", "mirror": "fraction", "under bop": "float32"}[part],
        "part": part,
        "phi": draw.choice(("1/(1+|w|)", "exp(-|w|)", "1/(1+w^2)")),
        "lr": draw.choice((1 / 64, 1 / 256))
        if part == "small rate"
        else draw.choice(RATIONAL_RATES),
        "threshold": draw.choice((0.5, 1, 0)),
        "latent": draw.values(QUARTERS, n),
        "gradients": gradients(draw, n, length, WHOLE),
    }


def _check_estimator(case, run):
    loop = Loop(case)
    if case["part"] == "under bop":
        return _check_under_bop(case, run, loop)
    w = loop.array(case["latent"])
    lr = loop.number(case["lr"])
    if case["part"] == "mirror":
        return _check_mirror_descent(case, run, loop, w, lr)
    phi, image, slope = ESTIMATORS[case["phi"]]
    u = image(w)
    size = np.abs(loop.table).max()
    bound = 0.0
    for t in range(loop.steps):
        for _ in range(case.get("repeat", 8)):
            if (np.abs(u) <= bound).any():
                return  # too near 0 to say
            g = loop.gradient(t, run.bits(u))
            w = w - lr * phi(w) * g
            u, _ = run.steps.latent_sgd_step(u, g, LatentSGDState(None), lr=lr)
            # Taylor's remainder; phi varies by less than a quarter within a step.
            bound += 1.25 * (lr * size) ** 2 * slope / 2 + 1e-12
            error = np.abs(image(w) - u).max()
            run.require(
                error <= bound, f"|M(w) - u| = {error:.3g} at step {t + 1}, allowed {bound:.3g}"
            )
            far = np.abs(u) > bound
            run.same(f"bits at step {t + 1}", run.bits(w)[far], run.bits(u)[far])
        run.row(step=t + 1, g=g, **{"M(w)": image(w)}, ste=u, bits=run.bits(u))


def _check_mirror_descent(case, run, loop, u, lr):
    """w <- M^-1(M(w) - lr g) has the bits of SGD on u = M(w)."""
    image, inverse = MIRRORS[case.get("mirror", "rational")]
    w = inverse(u)
    for t in range(loop.steps):
        g = loop.gradient(t, run.bits(u))
        w = inverse(image(w) - lr * g)
        u, _ = run.steps.latent_sgd_step(u, g, LatentSGDState(None), lr=lr)
        run.tie(u == 0)
        run.row(step=t + 1, g=g, w=w, image=u, bits=run.bits(u))
        run.same(f"bits of mirror descent and of SGD after step {t + 1}", run.bits(w), run.bits(u))
        if loop.exact:
            run.same(f"M(w) and SGD's latent weight after step {t + 1}", image(w), u)


def _check_under_bop(case, run, loop):
    """|b| = 1, so an even phi is the constant phi(1), and Bop's threshold takes it up."""
    factor = loop.number(0.5)  # phi(1) of 1 / (1 + |w|)
    w = v = run.bits(loop.array(case["latent"]))
    state = scaled = BopState(0 * loop.array(case["latent"]))
    threshold = loop.number(case["threshold"])
    for t in range(loop.steps):
        g = loop.gradient(t, w)
        w, state = run.steps.bop_step(w, g, state, gamma=0.25, threshold=threshold)
        hyper = {"gamma": 0.25, "threshold": factor * threshold}
        v, scaled = run.steps.bop_step(v, factor * g, scaled, **hyper)
        run.tie(np.abs(state.m) == threshold)
        run.same(f"bits with and without phi after step {t + 1}", w, v)


def _estimator_case(g, part="small rate", phi="1/(1+|w|)", latent=0.75, lr=1 / 64, **more):
    base = {"numbers": "float64" if part == "small rate" else "fraction"}
    base |= {"part": part, "phi": phi, "lr": lr, "threshold": 0.5}
    return base | {"latent": [latent], "gradients": always(*g)} | more


E10 = Entry(
    id="E10",
    title="A weight's pseudo-gradient is a change of its start",
    statement=(
        "w <- w - lr phi(w) g with phi > 0 and M(w) = integral of 1 / phi: the bits of the plain "
        "estimator from M(w0), up to O(lr). Exact: w <- M^-1(M(w) - lr g), mirror descent with "
        "any odd increasing M. Under Bop |b| = 1: an even phi is a factor of the threshold."
    ),
    preconditions="phi continuous and > 0; |u| above lr^2 G^2 max|phi'| / 2 per step",
    exactness="T; mirror descent Q; under Bop B2",
    proof="M(w) moves by -lr g + O(lr^2 phi'), and M keeps signs.",
    source="Schoenbauer et al. 2024; Ajanthan et al. 2021",
    make=_estimator_cases,
    run_case=_check_estimator,
    example=_estimator_case((2, 1, 3, 2)),
    counterexamples=(
        Counterexample(
            "phi = 0 outside a box: a weight that leaves it never comes back",
            _estimator_case((-1, 1), phi="box", latent=0.9375, lr=1 / 16),
        ),
        Counterexample(
            "mirror descent kept as w = tanh(u) in float32: w saturates at 1",
            _estimator_case((-16, 17), "mirror", lr=1.0, mirror="tanh", numbers="float32"),
        ),
    ),
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
    preconditions="w0 = 0 and lr = 2^k in float32; Larq's tie for BayesBiNN",
    exactness="B; BayesBiNN Q",
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
