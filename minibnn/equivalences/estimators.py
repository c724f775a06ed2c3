"""What one does to latent weights or their gradient: E9 (clip, mask), E10 (estimators)."""

import numpy as np

from minibnn.equivalences.case import QUARTERS, RATES, SMALL, TENTHS
from minibnn.equivalences.entry import EXACT, Entry

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


def alike(x, gradients, *runs):
    """Two runs of latent weights that stay equal; yields them."""
    for _, a, b in x.beside(gradients, *runs):
        x.same(latent=a, other=b)
        yield a


@E9.claim
def mask_under_clip(x):
    g, latent, lr = x.gradients(SMALL, TENTHS), x.weights("latent", WITHIN), x.one("lr", RATES)
    decay = x.one("weight_decay", (0, *RATES.floats))
    runs = (x.sgd(g, latent, lr, weight_decay=decay, clip=1.0, ste_clip=c) for c in (None, 1.0))
    for a in alike(x, g, *runs):
        x.require(np.abs(a) <= 1, "|w| is above the clip")


@E9.claim
def dead_beyond_mask(x, clip=None):
    g, latent = x.gradients(SMALL, TENTHS), x.weights("latent", (1.25, -1.25, 1.5, -3.0))
    run = x.sgd(g, latent, x.one("lr", RATES), ste_clip=1.0, clip=clip)
    list(alike(x, g, run, [latent] * len(g)))


@E9.claim
def clip_unreached(x, clip=None):
    g, latent, lr = x.gradients(SMALL), x.weights("latent", WITHIN), x.one("lr", EXACT_RATES)
    clip = clip or float(np.abs(latent).max() + lr * np.abs(g).sum(0).max())
    list(alike(x, g, *(x.sgd(g, latent, lr, clip=c) for c in (None, clip))))


@E9.claim
def next_flip(x):
    g, latent, lr = x.gradients(SMALL, TENTHS), x.weights("latent", WITHIN), x.one("lr", RATES)
    flips_no_later(x, g, latent, *(x.sgd(g, latent, lr, clip=c) for c in (None, 1.0)))


def flips_no_later(x, gradients, latent, free, held):
    """The same gradients for both runs, whatever their bits: open loop."""
    start = x.sign(latent)
    first = flipped = start != start  # which have flipped
    for _, a, b in x.beside(gradients, free, held):
        first, flipped = first | (x.sign(a) != start), flipped | (x.sign(b) != start)
        x.show(free=a, held=b)
        x.require(flipped | ~first, "a free weight has flipped, and a held one has not")


@E9.claim
def saturated(x, beyond=0):
    """b w >= c - t lr G; at w = 0 a -1 has flipped, since sign(0) = +1, and a +1 has not."""
    g, start, lr = x.gradients(SMALL), x.start_bits(), x.one("lr", EXACT_RATES)
    run, least = x.sgd(g, start * x.number(1), lr, clip=1.0), 1 / (lr * np.abs(g).max() or 1)
    for t, (_, latent) in enumerate(x.beside(g, run), 1):
        x.show(latent=latent, bits=x.sign(latent))
        late = (t < least + beyond) | ((t == least) & (start > 0))
        x.require(~(late & (x.sign(latent) != start)), "a saturated weight flips too early")


@E9.breaks("(i) with a strict mask |w| < 1 a weight at 1 is frozen")
def strict_mask(x):
    def masked(w, g, state, **hyper):
        return x.steps.latent_sgd_step(w, np.where(np.abs(w) < 1, g, 0 * g), state, **hyper)

    g, latent, hyper = x.column(-3, 1, 1), x.array([0.5]), {"lr": 0.5, "clip": 1.0}
    other = (w for w, _ in x.run(masked, g, latent, None, **hyper))
    list(alike(x, g, x.sgd(g, latent, **hyper), other))


E9.shows(next_flip, g=(-3, -1, 1, 2), latent=0.5)
E9.breaks("(ii) a clip at 1 brings the weight back")(
    dead_beyond_mask, clip=1.0, g=(0, 1), latent=1.5
)
E9.breaks("(iii) a clip that is reached")(clip_unreached, clip=1.0, g=(-3, 1), latent=0.5)
E9.breaks('(v) "more than c / (lr G) steps": a -1 flips after exactly that many')(
    saturated, beyond=1, g=(-1, -1), bits=-1
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


@E10.claim(("float64",))
def small_rate(x, estimator=None):
    """w under phi, and u = M(w0) under the plain estimator, eight steps for each gradient."""
    gradients = np.repeat(x.gradients(SMALL), 8, axis=0)
    w, lr = x.weights("latent", QUARTERS), x.one("lr", (1 / 64, 1 / 256))
    phi, image, slope = estimator or ESTIMATORS[x.one("phi", [*ESTIMATORS])]
    u, bound, size = image(w), 0.0, np.abs(gradients).max()
    run = x.sgd(gradients, u, lr)
    for g, new in x.beside(gradients, run):
        if (np.abs(u) <= bound).any():
            return  # too near 0 to say
        w, u = w - lr * phi(w) * g, new
        # Taylor's remainder; phi varies by less than a quarter within a step.
        bound += 1.25 * (lr * size) ** 2 * slope / 2 + 1e-12
        far = np.abs(u) > bound
        x.show(M_of_w=image(w), u=u)
        x.require(np.abs(image(w) - u) <= bound, f"|M(w) - u| is above {bound:.3g}")
        x.same_bits(sign_w=x.sign(w)[far], sign_u=x.sign(u)[far])


@E10.claim(EXACT)
def mirror(x, image=lambda w: w / (1 - np.abs(w)), inverse=lambda u: u / (1 + np.abs(u))):
    """w <- M^-1(M(w) - lr g) has the bits of SGD on u = M(w)."""
    g, u, lr = x.gradients(SMALL), x.weights("latent", QUARTERS), x.number(x.one("lr", RATES))
    w, run = inverse(u), x.sgd(g, u, lr)
    for gradient, u in x.beside(g, run):
        w = inverse(image(w) - lr * gradient)
        x.show(w=w, u=u)
        x.same_bits(mirror=x.sign(w), sgd=x.sign(u))
        if x.exact:
            x.same(M_of_w=image(w), latent=u)


@E10.claim
def under_bop(x):
    """phi(1) of 1 / (1 + |w|) is 1/2."""
    gradients, w = x.gradients(SMALL), x.start_bits()
    half, threshold = np.float32(0.5), np.float32(x.one("threshold", (0.5, 1, 0)))
    runs = (x.bop(c * gradients, w, 0 * gradients[0], 0.25, c * threshold) for c in (1, half))
    x.alike(gradients, **dict(zip(("without_phi", "with_phi"), runs, strict=True)))


E10.shows(small_rate, g=(2,), latent=0.75, numbers="float64")
E10.breaks("phi = 0 outside a box: a weight that leaves it never comes back")(
    small_rate, estimator=BOX, g=(-1, 1), latent=0.9375, lr=1 / 16, numbers="float64"
)
E10.breaks("mirror descent kept as w = tanh(u) in float32: w saturates at 1")(
    mirror, image=np.arctanh, inverse=np.tanh, g=(-16, 17), latent=0.75, lr=1.0
)
