"""Statements about layers, on the layers of this library: E15, E16."""

import numpy as np

from minibnn.deploy.fold import fold
from minibnn.equivalences.case import POWERS, QUARTERS, SMALL, TENTHS
from minibnn.equivalences.entry import Entry
from minibnn.nn import BatchNorm, MaxPool2D, Sequential, Sign
from minibnn.ops.backend import ops
from minibnn.ops.thresholds import Thresholds


def normalisation(beta, epsilon, gamma=None, mean=None, variance=None):
    """A BatchNorm layer that stands by itself, with these numbers."""
    layer = BatchNorm(scale=gamma is not None, epsilon=epsilon)
    Sequential([layer], (len(beta),))  # builds it
    layer.beta.assign(np.float32(beta))
    if gamma is not None:
        layer.gamma.assign(np.float32(gamma))
    if mean is not None:
        layer.load_state({"moving_mean": mean, "moving_variance": variance})
    return layer


E15 = Entry(
    """E15 Batch normalisation absorbs a positive scale

    BN(a z) = BN(z) for a > 0 per channel with epsilon -> a^2 epsilon (or 0), so XNOR-Net's scale
    alpha before batch norm does nothing; the gradient at the bits does not depend on alpha, the
    one at alpha b is 1 / alpha of it.

    if: a > 0, one a for batch and space, statistics of the scaled z, epsilon scaled
    class: B2, T
    why: Mean and deviation scale by a.
    source: derived; XNOR-Net (Rastegari et al. 2016)"""
)


def drawn_normalisation(x, *palettes):
    """z, the gradient dy, beta and epsilon."""
    shape = x.one("samples", range(2, 7)), x.one("size", range(1, 4))
    z, dy = x.many("z", x.palette("z", *palettes), *shape), x.many("dy", QUARTERS, *shape)
    beta = x.many("beta", QUARTERS, shape[1])
    z, dy = (np.float32(each).reshape(len(each), -1) for each in (z, dy))
    return z, dy, beta, x.one("epsilon", (1e-3, 1e-5, 1.0))


def both_normalised(x, z, dy, beta, epsilon, a, scaled_epsilon=None):
    """Training batch norm of z and of a z: outputs, and the gradients at both."""
    plain = normalisation(beta, epsilon)
    scaled = normalisation(beta, scaled_epsilon or float(np.max(a)) ** 2 * epsilon)
    y, y_scaled = plain.forward(z, training=True), scaled.forward(a * z, training=True)
    x.tie(y == 0)
    x.show(z=z, a_z=a * z)
    return plain, y, y_scaled, plain.backward(dy), scaled.backward(dy)


@E15.claim
def power_of_two(x, scaled_epsilon=None):
    run, a = drawn_normalisation(x, SMALL, TENTHS), np.float32(x.one("a", POWERS))
    _, y, y_scaled, dx, dx_scaled = both_normalised(x, *run, a, scaled_epsilon)
    x.same(y=y, y_scaled=y_scaled)
    x.same(dx=dx, a_dx_scaled=a * dx_scaled)
    x.same_bits(sign=Sign().forward(y).unpack(), sign_scaled=Sign().forward(y_scaled).unpack())


@E15.claim
def any_scale(x):
    z, dy, beta, epsilon = drawn_normalisation(x, SMALL, TENTHS)
    a = np.float32(x.one("a", (0.3, 3.0, 0.01, 17.0)))
    plain, y, y_scaled, *_ = both_normalised(x, z, dy, beta, epsilon, a)
    size = np.abs(z).max() / np.sqrt(plain.variance + np.float32(epsilon)) + 1
    error = np.abs(y - y_scaled)
    x.require(error <= 2.0**-20 * size, f"batch norm moves by {error.max():.2g}")


ODD = {"dy": (0, 1, 0), "beta": [0.5]}
E15.shows(power_of_two, z=(3, -1, 2), a=4.0, **ODD)
E15.breaks("epsilon = 1e-3 stays, a = 2^-6")(
    power_of_two, scaled_epsilon=1e-3, z=(1, 0, 0), a=2.0**-6, **ODD
)
E15.breaks("a < 0")(power_of_two, z=(3, -1, 2), a=-4.0, **ODD)
E15.breaks("a differs between the samples, as XNOR-Net's K map does over space")(
    power_of_two, z=(3, -1, 2), a=[[1.0], [4.0], [1.0]], **ODD
)


E16 = Entry(
    """E16 Batch norm and sign are one integer threshold

    sign(gamma (z - mu) / sqrt(v + epsilon) + beta) of integers z is +1 iff z >= t (gamma > 0) or
    z <= t (gamma < 0) for one integer t, bit for bit as the float program has it. Max pooling
    before: OR of the +1s for gamma > 0, AND for gamma < 0.

    if: finite numbers; t by bisection of the program, not by its closed form
    class: B
    why: Each rounded step is monotone in z, so the program is.
    source: derived; Larq Compute Engine folds likewise"""
)
GAMMAS = (1.0, -1.0, 0.5, -2.0, 0.0, 0.3, -1.7)


def drawn_channels(x):
    """Moving statistics and constants of up to three channels."""
    size = x.one("size", range(1, 4))
    mean = x.many("mean", x.palette("mean", SMALL, TENTHS), size)
    variance = x.many("variance", (1.0, 4.0, 2.0, 0.1, 0.0, 100.0, 7.3), size)
    beta = x.many("beta", x.palette("beta", SMALL, TENTHS), size)
    gamma = x.many("gamma", GAMMAS, size) if x.one("scaled", (False, True)) else None
    # The first epsilon leaves 1 and 4 as they are: ties.
    return mean, variance, beta, gamma, x.one("epsilon", (1e-30, 1e-3, 0.1))


def thresholds_of(layer, n):
    """The Thresholds of a BatchNorm and its sign, for integers from -n to n."""
    (made,), _ = fold([layer, Sign()], len(layer.moving_mean), n)
    return made.thresholds


@E16.claim
def threshold(x, thresholds=None):
    """All sums of n signs through the layers, and through the threshold."""
    n, (mean, variance, beta, gamma, epsilon) = x.one("inputs", (5, 9, 31)), drawn_channels(x)
    mean, variance = np.float32(mean), np.float32(variance)
    z = np.arange(-n, n + 1, dtype=np.int16)[:, None] + np.zeros(len(mean), np.int16)
    layer = normalisation(beta, epsilon, gamma, mean, variance)
    thresholds = thresholds or thresholds_of(layer, n)
    y = layer.forward(z)
    x.tie(y == 0)
    x.show(threshold=thresholds.level, rising=thresholds.rising, mean=mean, beta=beta)
    folded, expected = ops.threshold_sign(z, thresholds).unpack(), Sign().forward(y).unpack()
    for row in np.flatnonzero((folded != expected).any(1))[:1]:
        x.require(False, f"z = {z[row]}: layers give {expected[row]}, the threshold {folded[row]}")


@E16.claim
def pooled(x, rising=None):
    """Pool, normalise, sign: on the signs of the four pixels an OR of +1, or an AND."""
    mean, variance, beta, gamma, epsilon = drawn_channels(x)
    z = x.many("z", range(-4, 5), 4, len(mean))
    layer = normalisation(beta, epsilon, gamma, np.float32(mean), np.float32(variance))
    z = np.int16(z).reshape(1, 2, 2, -1)
    y = layer.forward(MaxPool2D(2).forward(z))
    x.tie(y == 0)
    signs = Sign().forward(layer.forward(z)).unpack().reshape(4, -1)
    rising = rising or gamma is None or layer.gamma.value >= 0
    x.show(z=z)
    pooled_first = Sign().forward(y).unpack().reshape(-1)
    either, both = signs.max(0), signs.min(0)  # OR and AND of +1
    x.same_bits(pooled_first=pooled_first, combined=np.where(rising, either, both))


CHANNEL = {"mean": [4.0], "beta": [2.0], "scaled": True, "gamma": [1.0]}
BETA, GAMMA = 64.40226, -1.4311614
# floor(mean - beta sqrt(variance + epsilon) / gamma) in float64, where the root is 1
CLOSED = Thresholds(np.array([np.floor(4 - BETA / GAMMA)], np.int32), np.array([False]))
E16.shows(threshold, inputs=3, **CHANNEL)
E16.breaks("the closed form floor(T): z = 49 passes in the program, T is below 49")(
    threshold, CLOSED, inputs=63, **CHANNEL | {"beta": [BETA], "gamma": [GAMMA]}
)
E16.breaks("gamma < 0, combined as for gamma > 0")(
    pooled, rising=True, z=[[0], [1], [3], [9]], **CHANNEL | {"gamma": [-1.0]}
)
