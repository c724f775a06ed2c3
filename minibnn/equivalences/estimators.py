"""What one does to latent weights or their gradient: E9 (clip, mask), E10 (estimators)."""

from functools import partial

import numpy as np

from minibnn.equivalences.case import QUARTERS, RATES, SMALL, TENTHS
from minibnn.equivalences.entry import Entry
from minibnn.equivalences.scale import sgd_start
from minibnn.optim import BopState

E9 = Entry(
    """E9 Weight clip and straight-through mask

    (i) Under a clip at 1 all |w| <= 1, and the mask |w| <= 1 does nothing. (ii) Without clip and
    decay a weight beyond the mask is dead. (iii) A clip at c >= |w0| + lr sum |g| does nothing.
    (iv) Open loop, the next flip comes no later with a clip. (v) A saturated weight needs at least
    c / (lr G) steps to flip, a +1 more.

    if: (i) an inclusive mask and |w0| <= 1; (iv) the next flip from one state, not the number of
        flips; (v) exact steps
    class: B
    why: (iv) Until -c is reached the clipped path lies on or below the free one, as each operation
        is monotone. The others are bounds on |w|.
    source: Helwegen et al. 2019, section 3, call clipping a ceiling on inertia"""
)
WITHIN = tuple(q for q in QUARTERS if abs(q) <= 1)
EXACT_RATES = (0.5, 0.25, 0.125)


def sgd(x, latent, g, lr, **hyper):
    return x.steps.latent_sgd_step(latent, g, sgd_start(latent), lr=lr, **hyper)[0]


def beside(x, gradients, latent, first, second):
    """Two updates ``(latent, g) -> latent`` that keep the latent weights equal."""
    a = b = latent
    for g in x.over(gradients):
        a, b = first(a, g), second(b, g)
        x.tie(a == 0)
        x.same(latent=a, other=b)
        yield a


@E9.claim
def mask_under_clip(x):
    g, latent, lr = x.gradients(SMALL, TENTHS), x.weights("latent", WITHIN), x.one("lr", RATES)
    hyper = {"weight_decay": x.one("weight_decay", (0, *RATES.floats)), "clip": 1.0}
    without, masked = partial(sgd, x, lr=lr, **hyper), partial(sgd, x, lr=lr, **hyper, ste_clip=1.0)
    for a in beside(x, g, latent, without, masked):
        x.require(np.abs(a) <= 1, "|w| is above the clip")


@E9.claim
def dead_beyond_mask(x):
    g, latent = x.gradients(SMALL, TENTHS), x.weights("latent", (1.25, -1.25, 1.5, -3.0))
    stays_beyond(x, g, latent, x.one("lr", RATES))


def stays_beyond(x, gradients, latent, lr, **hyper):
    moves = partial(sgd, x, lr=lr, ste_clip=1.0, **hyper)
    list(beside(x, gradients, latent, moves, lambda w, g: w))


@E9.claim
def clip_unreached(x):
    g, latent, lr = x.gradients(SMALL), x.weights("latent", WITHIN), x.one("lr", EXACT_RATES)
    beside_clipped(x, g, latent, lr, float(np.abs(latent).max() + lr * np.abs(g).sum(0).max()))


def beside_clipped(x, gradients, latent, lr, clip):
    list(beside(x, gradients, latent, partial(sgd, x, lr=lr), partial(sgd, x, lr=lr, clip=clip)))


@E9.claim
def next_flip(x):
    g, latent = x.gradients(SMALL, TENTHS), x.weights("latent", WITHIN)
    no_later(x, g, latent, x.one("lr", RATES))


def no_later(x, gradients, latent, lr, **hyper):
    """The same gradients for both, whatever their bits: open loop."""
    a, b, start = latent, latent, x.sign(latent)
    free, clipped = start != start, start != start  # which have flipped
    for g in x.over(gradients):
        a, b = sgd(x, a, g, lr), sgd(x, b, g, lr, **{"clip": 1.0} | hyper)
        free, clipped = free | (x.sign(a) != start), clipped | (x.sign(b) != start)
        x.tie(a == 0)
        x.show(free=a, clipped=b)
        x.require(clipped | ~free, "a free weight has flipped, and a clipped one has not")


@E9.claim
def saturated(x):
    g, start = x.gradients(SMALL), x.start_bits()
    from_the_clip(x, g, start, x.one("lr", EXACT_RATES))


def from_the_clip(x, gradients, start, lr, beyond=0):
    """b w >= c - t lr G; at w = 0 a -1 has flipped, since sign(0) = +1, and a +1 has not."""
    latent, least = start * x.number(1), 1 / (lr * np.abs(gradients).max() or 1)
    for t, g in enumerate(x.over(gradients), 1):
        latent = sgd(x, latent, g, lr, clip=1.0)
        x.tie(latent == 0)
        x.show(latent=latent, bits=x.sign(latent))
        late = (t < least + beyond) | ((t == least) & (start > 0))
        x.require(~(late & (x.sign(latent) != start)), "a saturated weight flips too early")


def strict_mask(x):
    def masked(w, g):
        return sgd(x, w, np.where(np.abs(w) < 1, g, 0 * g), 0.5, clip=1.0)

    clipped = partial(sgd, x, lr=0.5, clip=1.0)
    list(beside(x, x.column(-3, 1, 1), x.array([0.5]), clipped, masked))


E9.shows(lambda x: no_later(x, x.column(-3, -1, 1, 2), x.array([0.5]), 0.5))
E9.breaks("(i) with a strict mask |w| < 1 a weight at 1 is frozen", strict_mask)
E9.breaks(
    "(ii) a clip at 1 brings the weight back",
    lambda x: stays_beyond(x, x.column(0, 1), x.array([1.5]), 0.5, clip=1.0),
)
E9.breaks(
    "(iii) a clip that is reached",
    lambda x: beside_clipped(x, x.column(-3, 1), x.array([0.5]), 0.5, 1.0),
)
E9.breaks(
    '(v) "more than c / (lr G) steps": a -1 flips after exactly that many',
    lambda x: from_the_clip(x, x.column(-1, -1), x.signs([-1]), 0.5, beyond=1),
)


E10 = Entry(
    """E10 A weight's pseudo-gradient is a change of its start

    w <- w - lr phi(w) g with phi > 0 and M(w) = integral of 1 / phi: the bits of the plain
    estimator from M(w0), up to O(lr). Exact: w <- M^-1(M(w) - lr g), mirror descent with any odd
    increasing M. Under Bop |b| = 1: an even phi is a factor of the threshold.

    if: phi continuous and > 0; |u| above lr^2 G^2 max|phi'| / 2 per step
    class: T, Q
    why: M(w) moves by -lr g + O(lr^2 phi'), and M keeps signs.
    source: Schoenbauer et al. 2024; Ajanthan et al. 2021"""
)
# phi > 0, M(w) = integral of 1 / phi, a bound of |phi'|
ESTIMATORS = {
    "1/(1+|w|)": (lambda w: 1 / (1 + np.abs(w)), lambda w: w + w * np.abs(w) / 2, 1.0),
    "exp(-|w|)": (lambda w: np.exp(-np.abs(w)), lambda w: np.sign(w) * np.expm1(np.abs(w)), 1.0),
    "1/(1+w^2)": (lambda w: 1 / (1 + w * w), lambda w: w + w**3 / 3, 0.65),
}
BOX = (lambda w: (np.abs(w) <= 1) * 1.0, lambda w: w, 0.0)


def beside_image(x, gradients, w, lr, estimator):
    """w under phi, and u = M(w0) under the plain estimator, eight steps for each gradient."""
    phi, image, slope = estimator
    u, bound, size = image(w), 0.0, np.abs(gradients).max()
    for g in x.over(np.repeat(gradients, 8, axis=0)):
        if (np.abs(u) <= bound).any():
            return  # too near 0 to say
        w, u = w - lr * phi(w) * g, sgd(x, u, g, lr)
        # Taylor's remainder; phi varies by less than a quarter within a step.
        bound += 1.25 * (lr * size) ** 2 * slope / 2 + 1e-12
        far = np.abs(u) > bound
        x.show(M_of_w=image(w), u=u)
        x.require(np.abs(image(w) - u) <= bound, f"|M(w) - u| is above {bound:.3g}")
        x.same_bits(sign_w=x.sign(w)[far], sign_u=x.sign(u)[far])


@E10.claim
def small_rate(x):
    x.arithmetic("float64")
    g, w = x.gradients(SMALL), x.weights("latent", QUARTERS)
    beside_image(x, g, w, x.one("lr", (1 / 64, 1 / 256)), ESTIMATORS[x.one("phi", [*ESTIMATORS])])


@E10.claim
def mirror(x):
    x.arithmetic("fraction")
    g, u, lr = x.gradients(SMALL), x.weights("latent", QUARTERS), x.number(x.one("lr", RATES))
    rational = lambda w: w / (1 - np.abs(w)), lambda u: u / (1 + np.abs(u))
    beside_mirror(x, g, u, lr, *rational)


def beside_mirror(x, gradients, u, lr, image, inverse):
    """w <- M^-1(M(w) - lr g) has the bits of SGD on u = M(w)."""
    w = inverse(u)
    for g in x.over(gradients):
        w, u = inverse(image(w) - lr * g), sgd(x, u, g, lr)
        x.tie(u == 0)
        x.show(w=w, u=u)
        x.same_bits(mirror=x.sign(w), sgd=x.sign(u))
        if x.exact:
            x.same(M_of_w=image(w), latent=u)


@E10.claim
def under_bop(x):
    """phi(1) of 1 / (1 + |w|) is 1/2."""
    gradients, w = x.gradients(SMALL), x.start_bits()
    half, threshold = np.float32(0.5), np.float32(x.one("threshold", (0.5, 1, 0)))
    v, state = w, BopState(0 * gradients[0])
    scaled = state
    for g in x.over(gradients):
        w, state = x.steps.bop_step(w, g, state, gamma=0.25, threshold=threshold)
        hyper = {"gamma": 0.25, "threshold": half * threshold}
        v, scaled = x.steps.bop_step(v, half * g, scaled, **hyper)
        x.tie(np.abs(state.m) == threshold)
        x.same_bits(without_phi=w, with_phi=v)


def out_of_the_box(x):
    x.arithmetic("float64")
    beside_image(x, x.column(-1, 1), x.array([0.9375]), 1 / 16, BOX)


E10.shows(lambda x: beside_image(x, x.column(2), x.array([0.75]), 1 / 64, ESTIMATORS["1/(1+|w|)"]))
E10.breaks("phi = 0 outside a box: a weight that leaves it never comes back", out_of_the_box)
E10.breaks(
    "mirror descent kept as w = tanh(u) in float32: w saturates at 1",
    lambda x: beside_mirror(x, x.column(-16, 17), x.array([0.75]), 1.0, np.arctanh, np.tanh),
)
