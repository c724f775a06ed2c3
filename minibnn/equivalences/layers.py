"""Statements about layers, on the layers of this library: E15, E16, E17."""

import math

import numpy as np

from minibnn import optim
from minibnn.equivalences.cases import QUARTERS, TENTHS, WHOLE, power_of_two
from minibnn.equivalences.entry import Broken, Counterexample, Entry
from minibnn.nn import BatchNorm, BinaryDense, MaxPool2D, Sequential, Sign, softmax_cross_entropy
from minibnn.ops.backend import ops
from minibnn.ops.thresholds import Thresholds, sign_thresholds


def normalisation(beta, epsilon, gamma=None, mean=None, variance=None):
    """A BatchNorm layer that stands by itself, with these numbers."""
    layer = BatchNorm(scale=gamma is not None, epsilon=epsilon)
    layer.name = "batch_norm"
    layer.build((len(beta),), None)
    layer.beta.assign(np.float32(beta))
    if gamma is not None:
        layer.gamma.assign(np.float32(gamma))
    if mean is not None:
        layer.load_state({"moving_mean": mean, "moving_variance": variance})
    return layer


# -- E15 -------------------------------------------------------------------------------------------


def _absorb_cases(draw, steps):
    samples, channels = draw.whole(2, 6), draw.whole(1, 3)
    part = draw.choice(("power of two", "any scale", "kernel scale"))
    palette = draw.choice((WHOLE, TENTHS))
    return {
        "part": part,
        "scale": draw.choice((0.3, 3.0, 0.01, 17.0)) if part == "any scale" else power_of_two(draw),
        "epsilon": draw.choice((1e-3, 1e-5, 1.0)),
        "beta": draw.values(QUARTERS, channels),
        "z": draw.values(WHOLE if part == "kernel scale" else palette, samples, channels),
        "dy": draw.values(QUARTERS, samples, channels),
    }


def _check_absorb(case, run):
    """Training batch norm of a z and of z; backwards, the gradients at a z are 1 / a those at z."""
    z = np.float32(case["z"])
    a = np.float32(case["scale"])
    if "scales" in case:  # one for each sample: not constant over the batch
        a = np.float32(case["scales"])[:, None]
    plain = normalisation(case["beta"], case["epsilon"])
    factor = float(np.max(a)) ** 2 if case.get("epsilon scales", True) else 1.0
    scaled = normalisation(case["beta"], case["epsilon"] * factor)
    y, y_scaled = plain.forward(z, training=True), scaled.forward(a * z, training=True)
    dy = np.float32(case["dy"])
    dx, dx_scaled = plain.backward(dy), scaled.backward(dy)
    run.tie(y == 0)
    run.row(z=z, scaled=a * z, y=y, y_scaled=y_scaled, dx=dx, dx_scaled=dx_scaled)
    if case["part"] == "any scale":
        size = np.abs(z).max() / np.sqrt(plain.variance + np.float32(case["epsilon"])) + 1
        error = np.abs(y - y_scaled)
        run.require((error <= 2.0**-20 * size).all(), f"batch norm moves by {error.max():.2g}")
        return
    run.same("batch norm of a z and of z", y, y_scaled)
    run.same("a times the gradient at a z, and the gradient at z", dx, a * dx_scaled)
    signs = Sign().forward(y).unpack(), Sign().forward(y_scaled).unpack()
    run.same("signs after batch norm", *signs)


def _absorb_case(z, part="power of two", scale=4.0, epsilon=1e-3, **more):
    case = {
        "part": part,
        "scale": scale,
        "epsilon": epsilon,
        "beta": [0.5],
        "dy": [[k % 2] for k in range(len(z))],
    }
    return case | {"z": [[x] for x in z]} | more


E15 = Entry(
    id="E15",
    title="Batch normalisation absorbs a positive scale",
    statement=(
        "BN(a z) = BN(z) for a > 0 per channel with epsilon -> a^2 epsilon (or 0), so XNOR-Net's "
        "scale alpha before batch norm does nothing; the gradient at the bits does not depend on "
        "alpha, the one at alpha b is 1 / alpha of it."
    ),
    preconditions="a > 0, one a for batch and space, statistics of the scaled z, epsilon scaled",
    exactness="B2, T",
    proof="Mean and deviation scale by a.",
    source="derived; XNOR-Net (Rastegari et al. 2016)",
    make=_absorb_cases,
    run_case=_check_absorb,
    example=_absorb_case((3, -1, 2, 0)),
    counterexamples=(
        Counterexample(
            "epsilon = 1e-3 stays, a = 2^-6",
            _absorb_case((1, 0, 0, 0), scale=2.0**-6) | {"epsilon scales": False},
        ),
        Counterexample("a < 0", _absorb_case((3, -1), scale=-4.0)),
        Counterexample(
            "a differs between the samples, as XNOR-Net's K map does over space",
            _absorb_case((3, -1, 2), scales=[1.0, 4.0, 1.0]),
        ),
    ),
)


# -- E16 -------------------------------------------------------------------------------------------


def _threshold_cases(draw, steps):
    channels = draw.whole(1, 3)
    case = {
        "part": draw.choice(("threshold", "pool", "dense")),
        "inputs": draw.choice((5, 9, 31)),
        "mean": draw.values(draw.choice((WHOLE, TENTHS)), channels),
        "variance": draw.values((1.0, 4.0, 2.0, 0.1, 0.0, 100.0, 7.3), channels),
        "epsilon": draw.choice((1e-30, 1e-3, 0.1)),  # the first leaves 1 and 4 as they are: ties
        "beta": draw.values(draw.choice((WHOLE, TENTHS)), channels),
        "gamma": draw.choice((None, draw.values((1.0, -1.0, 0.5, -2.0, 0.0, 0.3, -1.7), channels))),
    }
    if case["part"] == "pool":
        case["z"] = draw.values(range(-4, 5), 4, channels)
    if case["part"] == "dense":
        case["x"] = draw.values((1, -1), 3, 5)
        case["w"] = draw.values((1, -1), 5, channels)
    return case


def _check_threshold(case, run):
    mean, variance = np.float32(case["mean"]), np.float32(case["variance"])
    layer = normalisation(case["beta"], case["epsilon"], case["gamma"], mean, variance)
    gamma = None if case["gamma"] is None else layer.gamma.value
    n = case.get("inputs", 9)
    arguments = mean, variance, layer.beta.value, case["epsilon"], -n, n
    thresholds = sign_thresholds(*arguments, gamma)
    if case["part"] == "closed form":
        thresholds = _closed_form(case)
    if case["part"] == "pool":
        return _check_pool(case, run, layer, gamma)
    if case["part"] == "dense":
        z = _sums(case["x"], case["w"])
    else:
        z = np.arange(-n, n + 1, dtype=np.int16)[:, None] + np.zeros(mean.shape, np.int16)
    y = layer.forward(z)
    run.tie(y == 0)
    level, rising = thresholds.level, thresholds.rising
    run.row(threshold=level, rising=rising, mean=mean, beta=layer.beta.value)
    found, expected = ops.threshold_sign(z, thresholds).unpack(), Sign().forward(y).unpack()
    for row in np.flatnonzero((found != expected).any(1)):
        raise Broken(f"z = {z[row]}: the layers give {expected[row]}, the threshold {found[row]}")


def _sums(x, w):
    """The whole numbers that a BinaryDense layer makes of signs."""
    x, w = np.int8(x), np.int8(w)
    layer = BinaryDense(w.shape[1])
    layer.name = "dense"
    layer.build((w.shape[0],), np.random.default_rng(0))
    layer.kernel.assign(w)
    return layer.forward(ops.pack_signs(x, 1))


def _closed_form(case):
    """ceil or floor of mean - beta sqrt(variance + epsilon) / gamma in float64."""
    rows = zip(case["mean"], case["variance"], case["beta"], case["gamma"], strict=True)
    exact = [m - b * math.sqrt(v + case["epsilon"]) / g for m, v, b, g in rows]
    ends = zip(exact, case["gamma"], strict=True)
    level = [math.ceil(t) if g > 0 else math.floor(t) for t, g in ends]
    return Thresholds(np.array(level, np.int32), np.array(case["gamma"]) > 0)


def _check_pool(case, run, layer, gamma):
    """Pool, normalise, sign: on the signs of the four pixels an OR of +1, or an AND."""
    z = np.int16(case["z"]).reshape(1, 2, 2, -1)
    pooled = layer.forward(MaxPool2D(2).forward(z))
    expected = Sign().forward(pooled).unpack().reshape(-1)
    signs = Sign().forward(layer.forward(z))
    rising = np.ones(len(expected), bool) if gamma is None else gamma >= 0
    words = signs.words.reshape(4, -1)  # bit 1 means -1: an OR of +1 is an AND of words
    both = np.bitwise_and.reduce(words), np.bitwise_or.reduce(words)
    channel = np.arange(len(expected))
    bits = [np.int8(1) - 2 * (w[channel // 32] >> (channel % 32) & 1).astype(np.int8) for w in both]
    found = np.where(rising, *bits)
    if case.get("rule") == "or":
        found = bits[0]
    run.tie(pooled == 0)
    run.row(z=z, pooled=expected, bits=found)
    run.same("signs after max pooling, and bits combined before it", expected, found)


def _threshold_case(part="threshold", **more):
    case = {"part": part, "inputs": 63, "mean": [4.0], "variance": [1.0], "epsilon": 1e-30}
    return case | {"beta": [2.0], "gamma": [1.0]} | more


E16 = Entry(
    id="E16",
    title="Batch norm and sign are one integer threshold",
    statement=(
        "sign(gamma (z - mu) / sqrt(v + epsilon) + beta) of whole numbers z is +1 iff z >= t "
        "(gamma > 0) or z <= t (gamma < 0) for one whole number t, bit for bit as the float "
        "program has it. Max pooling before: OR of the +1s for gamma > 0, AND for gamma < 0."
    ),
    preconditions="finite numbers; t by bisection of the program, not by its closed form",
    exactness="B",
    proof="Each rounded step is monotone in z, so the program is.",
    source="derived; Larq Compute Engine folds likewise",
    make=_threshold_cases,
    run_case=_check_threshold,
    example=_threshold_case(),
    counterexamples=(
        Counterexample(
            "the closed form floor(T): z = 49 passes in the program, T is below 49",
            _threshold_case("closed form", gamma=[-1.4311614], beta=[64.40226]),
        ),
        Counterexample(
            "gamma < 0, combined as for gamma > 0",
            _threshold_case("pool", gamma=[-1.0], z=[[0], [1], [3], [9]], rule="or"),
        ),
    ),
)


# -- E17 -------------------------------------------------------------------------------------------


def _symmetry_cases(draw, steps):
    inputs, hidden, classes = draw.choice((3, 5)), draw.whole(2, 4), 2
    samples = draw.whole(2, 6)
    return {
        "part": draw.choice(("negate", "permute")),
        "unit": draw.whole(0, hidden - 1),
        "threshold": 1e-3,
        "gamma": draw.choice((0.5, 1.0, 0.1)),
        "first": draw.values((1, -1), inputs, hidden),
        "second": draw.values((1, -1), hidden, classes),
        "beta": draw.values((0.125, -0.125, 0.3, -0.3, 0.7, 0.0), hidden),
        "x": draw.values((1, -1), samples, inputs),
        "labels": draw.values((0, 1), samples),
        "steps": draw.whole(1, 2),
    }


def _check_symmetry(case, run):
    """Train a small network and its mirror image by Bop, and compare after each step."""
    first, second, beta = np.int8(case["first"]), np.int8(case["second"]), np.float32(case["beta"])
    hidden = len(beta)
    order, sign = np.arange(hidden), np.ones(hidden, np.int8)
    if case["part"] == "negate":
        sign[case["unit"]] = -1
    else:
        order = np.roll(order, 1)
    out = 1 if case.get("outgoing kept") else sign[:, None]
    offset = 1 if case.get("beta kept") else sign
    nets = (
        _two_layers(first, second, beta),
        _two_layers((first * sign)[:, order], (second * out)[order], (beta * offset)[order]),
    )
    x, labels = np.float32(case["x"]), np.array(case["labels"])
    optimizers = [
        optim.Split(
            binary=optim.Bop(gamma=case["gamma"], threshold=case["threshold"]),
            real=optim.SGD(lr=0.25),
        )
        for _ in nets
    ]
    # BLAS may round a column differently at another place; the compiled sums have one order.
    fixed_order = case["part"] == "negate" or run.steps.backend == "numba"
    for t in range(case["steps"]):
        outputs = []
        for each, optimizer in zip(nets, optimizers, strict=True):
            at_zero = _pre_activation(each, x) == 0
            logits = each.forward(x, training=True)
            if at_zero.any() and not case.get("ties"):
                return run.tie(at_zero)  # sign(0) = +1 has no mirror image
            _, dlogits = softmax_cross_entropy(logits, labels)
            each.backward(dlogits)
            optimizer.step(each.parameters())
            outputs.append(logits)
        ours, theirs = (each.parameters() for each in nets)
        run.row(step=t + 1, logits=outputs[0], image=outputs[1], kernel=ours[0].value)
        exact = fixed_order or t == 0
        _alike(run, f"logits at step {t + 1}", *outputs, exact)
        images = ours[0].value * sign, ours[1].value * offset, ours[2].value * out, ours[3].value
        images = images[0][:, order], images[1][order], images[2][order], images[3]
        for p, image, other in zip(ours, images, theirs, strict=True):
            _alike(run, f"{p.name} after step {t + 1}", image, other.value, fixed_order or p.binary)


def _two_layers(first, second, beta):
    hidden, classes = second.shape
    layers = [BinaryDense(hidden), BatchNorm(), Sign(), BinaryDense(classes), BatchNorm()]
    net = Sequential(layers, (len(first),))
    for p, value in zip(net.parameters(), (first, beta, second), strict=False):
        p.assign(value)
    return net


def _pre_activation(net, x):
    kernel, beta = net.parameters()[:2]
    z = ops.binary_dense(x, kernel.signs)
    mean, variance = (a.astype(np.float32) for a in ops.batch_statistics(z))
    return ops.batch_norm(z, mean, variance, beta.value, net.layers[1].epsilon)


def _alike(run, what, a, b, exact):
    if exact:
        run.same(what, a, b)
    else:
        run.require(np.allclose(a, b, rtol=1e-4, atol=1e-5), f"{what}: {a} and {b}")


def _symmetry_case(part="negate", **more):
    case = {"part": part, "unit": 0, "threshold": 1e-3, "gamma": 0.5, "steps": 2}
    case |= {"first": [[1, -1], [1, 1], [-1, 1]], "second": [[1, -1], [1, 1]]}
    case |= {"beta": [0.125, -0.3], "x": [[1, 1, 1], [-1, 1, 1], [1, -1, -1]], "labels": [0, 1, 0]}
    return case | more


E17 = Entry(
    id="E17",
    title="Symmetries of a network",
    statement=(
        "Negating the bits into a hidden unit, the bits out of it and its beta changes nothing, "
        "through training by Bop. Nor does an exchange of hidden units."
    ),
    preconditions=(
        "no pre-activation of exactly 0 (sign(0) = +1); exchange: sums of fixed order (the "
        "compiled kernels), else to rounding"
    ),
    exactness="B, T",
    proof="Negation commutes with rounding, and the gradients negate too.",
    source="derived",
    make=_symmetry_cases,
    run_case=_check_symmetry,
    example=_symmetry_case(),
    counterexamples=(
        Counterexample(
            "the bits out of the unit are kept", _symmetry_case() | {"outgoing kept": True}
        ),
        Counterexample(
            "beta is kept", _symmetry_case(beta=[0.7, -0.3], steps=3) | {"beta kept": True}
        ),
        Counterexample(
            "a pre-activation of exactly 0: z = 3, 1, -1 has the mean 1",
            _symmetry_case(
                unit=1,
                first=[[1, 1], [1, 1], [-1, 1]],
                beta=[0.125, 0.0],
                ties=True,
                x=[[1, 1, 1], [1, 1, -1], [1, -1, -1]],
            ),
        ),
    ),
)
