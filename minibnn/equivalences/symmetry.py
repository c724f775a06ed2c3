"""Symmetry and order: E30 (every optimizer has the network's symmetries), E31 (order is kept)."""

import numpy as np

from minibnn import optim
from minibnn.equivalences.case import ANY, RATES, SMALL, STARTS
from minibnn.equivalences.entry import BOTH, Entry
from minibnn.equivalences.estimators import flips_no_later
from minibnn.equivalences.layers import DEAD, NET, drawn_net, negation, trained_alike

E30 = Entry(
    """E30 Every optimizer has the symmetries of the network

    Negate hidden units (bits in and out, beta) and carry |w0| and m0 along: each optimizer of this
    library, with SGD or Adam for the real parameters, trains the mirror image, bit for bit.
    Likewise an input feature and its row.

    if: no pre-activation and no latent weight exactly 0; Larq's rule not at a tie b m = tau; masks,
        clips and roundings odd; no max pooling or ReLU between
    class: B
    why: Each step is an odd function of (bits, state, gradient), and the gradients negate.
    source: derived; the function's symmetry is folklore"""
)
OPTIMIZERS = {
    "bop": lambda: optim.Bop(gamma=0.5, threshold=1e-3),
    "inclusive": lambda: optim.Bop(gamma=0.5, threshold=1e-3, rule="inclusive", average="lerp"),
    "bop2nd": lambda: optim.Bop2ndOrder(gamma=0.5, sigma=0.25, threshold=0.3),
    "cema": lambda: optim.CEMA(gamma=0.5, alpha=0.25),
    "latent-sgd": lambda: optim.LatentSGD(lr=1.0, momentum=0.5, weight_decay=0.1, decay="coupled"),
    "masked": lambda: optim.LatentSGD(lr=1.0, clip=1.0, ste_clip=0.5),
    "latent-adam": lambda: optim.LatentAdam(lr=0.3),
    "inertia-sgd": lambda: optim.InertiaSGD(lr=1.0, momentum=0.5),
    "schmitt-sgd": lambda: optim.SchmittSGD(lr=0.5, weight_decay=0.5, deadband=0.01),
    "double-well-sgd": lambda: optim.DoubleWellSGD(lr=0.5, weight_decay=0.5, deadband=0.01),
    "bold": lambda: optim.Bold(lr=8.0),
    "lion": lambda: optim.LatentDirection(direction="lion", lr=0.1, weight_decay=0.5),
    "directed-bop": lambda: optim.DirectedBop(direction="nesterov", gamma=0.5, threshold=1e-3),
    "integer-bop": lambda: optim.IntegerBop(shift=1, threshold=3, unit=2.0**-8),
}
LARQ = {"larq at 0": lambda: optim.Bop(gamma=0.5, threshold=0.0, rule="larq")}
REAL = {"sgd": lambda: optim.SGD(lr=0.25), "adam": lambda: optim.Adam(lr=0.05)}


def image_trained(x, values, data, labels, **image):
    binary = (OPTIMIZERS | LARQ)[x.one("binary", [*OPTIMIZERS])]
    real = REAL[x.one("real", [*REAL])]

    def optimizer():
        return optim.Split(binary=binary(), real=real())

    trained_alike(x, values, data, labels, optimizer, x.one("steps", (1, 2)), **image)


@E30.claim
def negated_units(x, outgoing=True):
    values, *rest = drawn_net(x)
    sign = np.int8(x.many("sign", (-1, 1), len(values[1])))
    image_trained(x, values, *rest, sign=sign, outgoing=outgoing)


@E30.claim
def negated_input(x):
    values, data, labels = drawn_net(x)
    inputs = data.shape[1]
    image_trained(x, values, data, labels, rows=negation(x.one("feature", range(inputs)), inputs))


@E30.breaks("a latent weight of exactly 0")
def latent_zero(x):
    """w = 1/4 and -1/4 under g = ±1 at rate 1/4: both end at 0, and both read +1."""
    g = x.array([[1, -1]])
    for _, latent in x.beside(g, x.sgd(g, g[0] / 4, lr=0.25)):
        x.same_bits(negated=-x.sign(latent[:1]), mirrored=x.sign(latent[1:]))


@E30.breaks("max pooling between: max(-z) is not -max(z)")
def max_pooled(x):
    z = np.float32([1, 3])
    x.same_bits(negated=-z.max(), of_negated=(-z).max())


E30.shows(negated_units, sign=(-1, 1), **NET)
E30.breaks("the bits out of the unit are kept")(negated_units, outgoing=False, sign=(-1, 1), **NET)
E30.breaks("Larq's rule at tau = 0")(negated_units, binary="larq at 0", sign=(-1, 1), **DEAD)


E31 = Entry(
    """E31 Order is kept; decay and clip never delay the next flip

    Two copies of one update under the same gradients: w <= w' stays so, hence b <= b'; Bop from one
    bit: m <= m' and b >= b'. A step that ends at or below the free one from the same positive w
    (clip; decay, also switched on and off) flips no later.

    if: open loop; no mask; 0 <= 1 - gamma; in float32 plain, shrink, convex and clip
    class: B, Q
    why: Rounding is monotone, so shrink, convex and clip are; induct.
    source: derived; extends E9 (iv)"""
)


def drawn_pair(x):
    x.arithmetic()
    gradients, low = x.gradients(SMALL, ANY), x.weights("low", STARTS)
    return gradients, (low, low + np.abs(x.weights("above", STARTS)))


@E31.claim
def latent_order(x, ste_clip=None):
    gradients, pair = drawn_pair(x)
    hyper = {"lr": x.one("lr", RATES), "clip": x.one("clip", (None, 1.0)), "ste_clip": ste_clip}
    hyper["weight_decay"] = x.one("weight_decay", RATES)
    for _, low, high in x.beside(gradients, *(x.sgd(gradients, w, **hyper) for w in pair)):
        x.show(low=low, high=high)
        x.require(low <= high, "the order has changed")


@E31.claim
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
