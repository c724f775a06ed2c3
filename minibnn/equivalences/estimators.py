"""What one does to latent weights or their gradient: E9 (clip, mask), E10 (estimators)."""

import numpy as np

from minibnn.equivalences.cases import (
    QUARTERS,
    RATES,
    RATIONAL_RATES,
    TENTHS,
    WHOLE,
    Loop,
    always,
    gradients,
    sizes,
)
from minibnn.equivalences.entry import Counterexample, Entry
from minibnn.optim import BopState, LatentSGDState

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
            run.require((np.abs(a) <= clip).all(), f"|w| is above the clip after step {t + 1}")
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
        "(i) Under a clip at 1 all |w| <= 1, and the mask |w| <= 1 does nothing. (ii) Without "
        "clip and decay a weight beyond the mask is dead. (iii) A clip at c >= |w0| + lr sum |g| "
        "does nothing. (iv) Open loop, the next flip comes no later with a clip. (v) A "
        "saturated weight needs at least c / (lr G) steps to flip, a +1 more."
    ),
    preconditions=(
        "(i) an inclusive mask and |w0| <= 1; (iv) the next flip from one state, not the number "
        "of flips; (v) exact steps"
    ),
    exactness="B",
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
    exactness="T, Q",
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
