"""Symmetry and order: E17, E30 (of a network, in training), E31 (order is kept)."""

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import ANY, RATES, SMALL, STARTS
from minibnn.equivalences.entry import BOTH, Entry, equal
from minibnn.equivalences.estimators import flips_no_later
from minibnn.nn import BatchNorm, BinaryDense, Sequential, Sign, softmax_cross_entropy

BOP = ("bop:gamma=0.5,threshold=1e-3", "bop:gamma=1,threshold=1e-3", "bop:gamma=0.1,threshold=1e-3")
OPTIMIZERS = (
    BOP[0],
    "bop:gamma=0.5,threshold=1e-3,rule=inclusive,average=lerp",
    "bop2nd:gamma=0.5,sigma=0.25,threshold=0.3",
    "cema:gamma=0.5,alpha=0.25",
    "latent-sgd:lr=1,momentum=0.5,weight_decay=0.1,decay=coupled",
    "latent-sgd:lr=1,clip=1,ste_clip=0.5",
    "latent-adam:lr=0.3",
    "inertia-sgd:lr=1,momentum=0.5",
    "schmitt-sgd:lr=0.5,weight_decay=0.5,deadband=0.01",
    "double-well-sgd:lr=0.5,weight_decay=0.5,deadband=0.01",
    "bold:lr=8",
    "latent-direction:direction=lion,lr=0.1,weight_decay=0.5",
    "directed-bop:direction=nesterov,gamma=0.5,threshold=1e-3",
    "integer-bop:shift=1,threshold=3,unit=0.00390625",
)
ONE = np.int8(1)


def drawn_net(x):
    """Bits (I, H), offsets (H,) and bits (H, 2) of a dense network, data and labels."""
    inputs, hidden = x.one("inputs", (3, 5)), x.one("hidden", (2, 3, 4))
    samples = x.one("n", range(2, 7))
    first = np.int8(x.many("first", (1, -1), inputs, hidden))
    beta = np.float32(x.many("beta", (0.125, -0.125, 0.3, -0.3, 0.7, 0.0), hidden))
    second = np.int8(x.many("second", (1, -1), hidden, 2))
    data = np.float32(x.many("data", (1, -1), samples, inputs))
    return (first, beta, second), data, np.array(x.many("labels", (0, 1), samples))


def network(values):
    first, _, second = values
    layers = [BinaryDense(second.shape[0]), BatchNorm(), Sign(), BinaryDense(2), BatchNorm()]
    net = Sequential(layers, (len(first),))
    for p, value in zip(net.parameters(), values, strict=False):
        p.assign(value)
    return net


def image_of(values, factors, order):
    """The factors times the values of parameters, then the hidden units in this order."""
    first, beta, second, *rest = (v * f for v, f in zip(values, (*factors, ONE), strict=False))
    return first[:, order], beta[order], second[order], *rest


def trained_alike(x, drawn, factors=(ONE, ONE, ONE), order=slice(None), rows=ONE, zeros=False):
    """A network and its image, trained on one batch: images of each other after each step.

    ``rows`` are signs of the input features. With ``order`` real numbers are compared to rounding,
    but for compiled sums, which have one order.
    """
    values, data, labels = drawn
    text, real = x.one("binary", BOP), optim.parse_optimizer(x.one("real", ("sgd:lr=0.25",)))
    split = optim.Split(binary=optim.parse_optimizer(text), real=real)
    nets = [network(values), network(image_of(values, factors, order))]
    optimizers = [split, split.copy()]
    exact = isinstance(order, slice) or x.steps.backend == "numba"
    for step in range(x.one("steps", (1, 2))):
        x.rows.append({"step": step + 1})
        at_zero = nets[0].layers[1].forward(nets[0].layers[0].forward(data, True), True) == 0
        x.tie(at_zero)
        if at_zero.any() and not zeros:
            return  # sign(0) = +1 has no mirror image
        logits = [net.forward(z, True) for net, z in zip(nets, (data, data * rows), strict=True)]
        for net, out, each in zip(nets, logits, optimizers, strict=True):
            net.backward(softmax_cross_entropy(out, labels)[1])
            each.step(net.parameters())
        alike(x, "logits", *logits, exact or step == 0)
        image = image_of([p.value for p in nets[0].parameters()], factors, order)
        for a, p in zip(image, nets[1].parameters(), strict=True):
            alike(x, p.name, a, p.value, exact or a.dtype == np.int8)


def alike(x, name, a, b, exact):
    if exact:
        x.same(**{name: a, f"{name} of the image": b})
    else:
        x.require(np.allclose(a, b, rtol=1e-4, atol=1e-5), f"{name}: {a} and {b}")


E17 = Entry(
    """E17 Symmetries of a network

    Negating the bits into a hidden unit, the bits out of it and its beta changes nothing, through
    training by Bop. Nor does an exchange of hidden units.

    if: no pre-activation of 0 (sign(0) = +1); no tie of Larq's rule (at threshold 0 it sets dead
        weights to +1); exchange: sums of fixed order (the compiled kernels), else to rounding
    class: B, T
    why: Negation commutes with rounding, and the gradients negate too.
    source: derived"""
)


@E17.claim
def negated_units(x, kept=(), zeros=False):
    drawn = drawn_net(x)
    sign = np.int8(x.many("sign", (-1, 1), len(drawn[0][1])))
    factors = {"bits in": sign, "beta": sign, "bits out": sign[:, None]} | dict.fromkeys(kept, ONE)
    trained_alike(x, drawn, factors.values(), zeros=zeros)


@E17.claim
def exchanged_units(x):
    drawn = drawn_net(x)
    trained_alike(x, drawn, order=np.roll(np.arange(len(drawn[0][1])), 1))


NET = {
    "first": ((1, -1), (1, 1), (-1, 1)),
    "beta": (0.125, -0.3),
    "second": ((1, -1), (1, 1)),
    "data": ((1, 1, 1), (-1, 1, 1), (1, -1, -1)),
    "labels": (0, 1, 0),
    "sign": (-1, 1),
    "steps": 2,
}
# Equal samples: all gradients are 0, and m = 0 = threshold sets every weight to +1.
DEAD = NET | {"data": ((1, 1, 1),) * 3, "binary": "bop:gamma=0.5,threshold=0,rule=larq"}
ZERO = NET | {"first": ((1, 1), (1, 1), (-1, 1)), "beta": (0.125, 0.0), "sign": (1, -1)}
E17.shows(negated_units, **NET)
E17.breaks("the bits out of the unit are kept")(negated_units, kept=["bits out"], **NET)
E17.breaks("beta is kept")(negated_units, kept=["beta"], **NET | {"beta": (0.7, -0.3), "steps": 3})
E17.breaks("a pre-activation of exactly 0: z = 3, 1, -1 has the mean 1")(
    negated_units, zeros=True, **ZERO | {"data": ((1, 1, 1), (1, 1, -1), (1, -1, -1))}
)
E17.breaks("Larq's rule at threshold 0, no pre-activation 0: dead weights")(negated_units, **DEAD)


E30 = Entry(
    """E30 Every optimizer has the symmetries of the network

    Negate hidden units (bits in and out, beta) and carry |w0| and m0 along: each optimizer of this
    library but Diode, with SGD or Adam for the real parameters, trains the mirror image, bit for
    bit. Likewise an input feature and its row.

    if: E17's, for every optimizer; no latent weight exactly 0; masks, clips and roundings odd; no
        max pooling or ReLU between
    class: B
    why: Each step is an odd function of (bits, state, gradient), and the gradients negate.
    source: derived; the function's symmetry is folklore"""
)


def drawn_optimizers(x):
    x.one("binary", OPTIMIZERS)
    x.one("real", ("sgd:lr=0.25", "adam:lr=0.05"))


@E30.claim
def by_any_optimizer(x):
    drawn_optimizers(x)
    negated_units(x)


@E30.claim
def negated_input(x):
    drawn_optimizers(x)
    drawn = drawn_net(x)
    rows = np.int8(x.many("row", (-1, 1), len(drawn[0][0])))
    trained_alike(x, drawn, (rows[:, None], ONE, ONE), rows=rows)


@E30.breaks("a latent weight of exactly 0")
def latent_zero(x):
    """w = 1/4 and -1/4 under g = ±1 at rate 1/4: both end at 0, and both read +1."""
    g = x.array([[1, -1]])
    for _, latent in x.beside(g, x.sgd(g, g[0] / 4, lr=0.25)):
        x.same_bits(negated=-x.sign(latent[:1]), mirrored=x.sign(latent[1:]))


E30.breaks("max pooling between: max(-z) is not -max(z)")(
    equal, negated=-np.max([1, 3]), of_negated=np.max([-1, -3])
)
E30.shows(by_any_optimizer, **NET)
E30.breaks("Diode: an inertia of 0 reads +1")(negated_units, **DEAD | {"binary": "diode:lr=1"})


E31 = Entry(
    """E31 Order is kept; decay and clip never delay the next flip

    Two copies of one update under the same gradients: w <= w' stays so, hence b <= b'; Bop from one
    bit: m <= m' and b >= b'. A step that ends at or below the free one from the same positive w
    (clip; decay, also switched on and off) flips no later.

    if: open loop; no mask, no momentum; 0 <= 1 - gamma; in float32 plain, shrink, convex and clip
    class: B, Q
    why: Rounding is monotone, so shrink, convex and clip are; induct.
    source: derived; extends E9 (iv)"""
)


def drawn_pair(x):
    gradients, low = x.gradients(SMALL, ANY), x.weights("low", STARTS)
    return gradients, (low, low + np.abs(x.weights("above", STARTS)))


@E31.claim(BOTH)
def latent_order(x, ste_clip=None):
    gradients, pair = drawn_pair(x)
    hyper = {"lr": x.one("lr", RATES), "clip": x.one("clip", (None, 1.0)), "ste_clip": ste_clip}
    hyper["weight_decay"] = x.one("weight_decay", RATES)
    for _, low, high in x.beside(gradients, *(x.sgd(gradients, w, **hyper) for w in pair)):
        x.show(low=low, high=high)
        x.require(low <= high, "the order has changed")


@E31.claim(BOTH)
def bop_order(x, average="convex"):
    gradients, pair = drawn_pair(x)
    bits, hyper = x.signs([1] * len(pair[0])), {"threshold": 0.5, "average": average}
    hyper |= {"gamma": x.one("gamma", RATES), "rule": x.one("rule", x.steps.rules)}
    runs = (x.bop(gradients, bits, m, **hyper) for m in pair)
    for _, (b, low), (c, high) in x.beside(gradients, *runs):
        x.show(low=low, high=high)
        x.require((low <= high) & (b >= c), "the order has changed")


@E31.claim(BOTH)
def no_later(x):
    gradients, start, lr = x.gradients(SMALL, ANY), x.weights("latent", STARTS), x.one("lr", RATES)
    decays = x.each_step("decay", (0, 0.5, 1.0), gradients)
    held = x.sgd(gradients, start, lr, weight_decay=decays, clip=1.0)
    flips_no_later(x, gradients, start, x.sgd(gradients, start, lr), held)


ULP = np.spacing(np.float32(0.13))
E31.shows(latent_order, g=(1,), low=0.25, above=0.25)
E31.breaks("a mask of 1/2 stops the higher weight alone")(
    latent_order, ste_clip=0.5, g=(-1,), low=0.5, above=0.25, lr=1, weight_decay=0
)
E31.breaks("lerp in float32 crosses: m = 0.13 and one ulp above, g = -2.2")(
    bop_order, average="lerp", g=(-2.2,), low=0.13, above=ULP, gamma=0.1
)
E31.breaks("gamma = 3/2")(bop_order, g=(0,), low=0.5, above=0.5, gamma=1.5)
