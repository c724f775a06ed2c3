"""What one does to latent weights or their gradient: clips, masks, estimators and mirrors.

E9 (clip, mask), E10 (estimators), E32 (sign gradients), E33 (mirror descent), E34 (a clamp).
"""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, RATES, SMALL, TENTHS
from minibnn.equivalences.entry import EXACT, Entry, equal
from minibnn.optim import LatentAdamState

E9 = Entry(
    """E9 Weight clip and straight-through mask

    (i) Under a clip at 1 all |w| <= 1, and the mask |w| <= 1 does nothing. (ii) Without clip and
    decay a weight beyond the mask is dead. (iii) A clip at c >= |w0| + lr sum |g| does nothing.
    (iv) Open loop, the next flip comes no later with a clip. (v) A saturated weight needs at least
    c / (lr G) steps to flip, a +1 more.

    if: (i) an inclusive mask and |w0| <= 1; (iv) the next flip from one state, not the number of
        flips; (iii) and (v) exact steps; (v) no decay; from (ii) on no momentum
    class: B
    why: (iv) Until -c is reached the clipped path lies on or below the free one, as each operation
        is monotone. The others are bounds on |w|.
    source: Helwegen et al. 2019, section 3, call clipping a ceiling on inertia"""
)
WITHIN = tuple(q for q in QUARTERS if abs(q) <= 1)
EXACT_RATES = (0.5, 0.25, 0.125)


@E9.claim
def mask_under_clip(x):
    g, latent, lr = x.gradients(SMALL, TENTHS), x.weights("latent", WITHIN), x.one("lr", RATES)
    decay = x.one("weight_decay", (0, *RATES.floats))
    runs = (x.sgd(g, latent, lr, weight_decay=decay, clip=1.0, ste_clip=c) for c in (None, 1.0))
    for _, a, b in x.beside(g, *runs):
        x.same(latent=a, masked=b)
        x.require(np.abs(a) <= 1, "|w| is above the clip")


@E9.claim
def dead_beyond_mask(x, clip=None):
    g, latent = x.gradients(SMALL, TENTHS), x.weights("latent", (1.25, -1.25, 1.5, -3.0))
    run = x.sgd(g, latent, x.one("lr", RATES), ste_clip=1.0, clip=clip)
    x.alike(g, latent=run, start=[latent] * len(g))


@E9.claim
def clip_unreached(x, clip=None):
    g, latent, lr = x.gradients(SMALL), x.weights("latent", WITHIN), x.one("lr", EXACT_RATES)
    clip = clip or float(np.abs(latent).max() + lr * np.abs(g).sum(0).max())
    x.alike(g, free=x.sgd(g, latent, lr), clipped=x.sgd(g, latent, lr, clip=clip))


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
    x.alike(g, free=x.sgd(g, latent, **hyper), masked=x.run(masked, g, latent, None, **hyper))


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
    for g, new in x.beside(gradients, x.sgd(gradients, u, lr)):
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


E32 = Entry(
    """E32 Sign gradients

    g = ±c: with epsilon 0 Adam's v is c^2 to bias correction, so Adam is momentum SGD and c is
    invisible (bit for bit for c = 2^-k). On ±1 latent SGD is a saturating counter: from a lattice
    of step lr the weight takes 2 clip / lr + 1 values.

    if: no zero gradient; a start on the lattice; lr = 2^-k that divides the clip
    class: B2, T
    why: A mean of equal squares is that square; steps of lr keep the lattice.
    source: Wang et al. 2021, their code; derived"""
)


@E32.claim
def adam(x, epsilon=0.0):
    """Latent Adam on gradients of size 1 and of size c, and a step along the mean of signs."""
    signs, c = x.gradients((1, -1)), np.float32(x.one("c", (0.5, 0.25, 2.0**-6)))
    hyper, zero = {"lr": 0.25, "epsilon": epsilon}, 0 * signs[0]
    start, before = (zero, LatentAdamState(zero, zero)), zero
    runs = (x.run(x.steps.latent_adam_step, g, *start, **hyper) for g in (signs, c * signs))
    for _, (a, state), (b, _) in x.beside(signs, *runs):
        x.tie(a == 0)
        x.same(latent=a, of_scaled=b)
        corrected = state.v / np.float32(1 - 0.999 ** len(x.rows))
        x.require(np.abs(corrected - 1) < 2.0**-9, f"v is {corrected[0]}, not c^2 = 1")
        momentum = before - np.float32(0.25) * state.m / np.float32(1 - 0.9 ** len(x.rows))
        x.require(np.abs(momentum - a) < 2.0**-9, "not the step of momentum SGD")
        before = a


@E32.claim
def counter(x, clip=1.0):
    signs, lr = x.gradients((1, -1), most=16), x.one("lr", (0.5, 0.25, 0.125))
    start, values = np.float32(lr) * x.weights("start", (0, 1, -1, 2, -2)), int(2 * clip / lr) + 1
    for _, latent in x.beside(signs, x.sgd(signs, start, lr, clip=clip)):
        place = (latent + x.number(clip)) / x.number(lr)
        x.show(latent=latent)
        there = (place == np.rint(place)) & (place >= 0) & (place < values)
        x.require(there, f"{latent[0]} is off the lattice")


E32.shows(adam, g=(1, -1, 1))
E32.breaks("a zero gradient: v is no longer c^2")(adam, g=(1, 0))
E32.breaks("epsilon = 1e-3")(adam, epsilon=1e-3, g=(1, 1), c=2.0**-6)
E32.breaks("lr = 0.1")(counter, g=(-1, -1, -1, 1, 1, 1, 1), lr=0.1)
E32.breaks("a start off the lattice")(counter, clip=0.5, g=(1,), start=0.5)


E33 = Entry(
    """E33 Mirror descent

    MD-softmax on the labels -1 and +1 is MD-tanh: u+/u- gains exp(-2 lr beta g). With a hard
    forward pass the primal form (x stored) at annealed beta_t has the bits of latent SGD at rate
    lr beta_t; the stable form, which stores the image, is latent SGD at rate lr.

    if: S (their forward is tanh: the late phase only); exact numbers
    class: Q
    why: log((1 + x) / (1 - x)) moves by -2 lr beta_t g. Here 2 stands for e, so all is rational.
    source: Ajanthan et al. 2021"""
)


@E33.claim(EXACT)
def annealed(x, stored="primal"):
    """x = (E - 1) / (E + 1), E the odds (1 + x) / (1 - x), times 2^(-2 beta g) at each step."""
    gradients = x.gradients(SMALL)
    betas = x.each_step("beta", (1, 2, 3), gradients)
    odds, plus, minus = (0 * gradients[0] + s for s in (1, Fraction(1, 2), Fraction(1, 2)))
    sgd = x.sgd(gradients, 0 * gradients[0], betas if stored == "primal" else 1)
    for g, beta, latent in x.beside(gradients, betas, sgd):
        odds = odds * np.power(Fraction(2), -2 * beta * g)
        value, factor = (odds - 1) / (odds + 1), np.power(Fraction(2), -beta * g)
        plus, minus = plus * factor, minus / factor  # softmax, before it is normalised
        x.show(x=value)
        x.same(tanh=value, softmax=(plus - minus) / (plus + minus))
        x.same_bits(mirror=x.sign(value), sgd=x.sign(latent))


@E33.breaks("the public primal step in float32: -1 absorbs")
def absorbed(x):
    """The public float32 step from x = -1: E = 0 for ever."""
    value = np.float32([-1])
    for g in x.over(np.full((5, 1), -40, np.float32)):
        odds = (1 + value) / (1 - value + np.float32(1e-20)) * np.exp(-2 * g)
        value = (odds - 1) / (odds + 1)
    x.same_bits(stays=x.sign(value), sgd=x.signs([1]))


E33.shows(annealed, g=(3, -2), beta=(1, 2), numbers="fraction")
E33.breaks("the primal form taken for the stable one, at beta = 1, 2")(
    annealed, stored="image", g=(3, -2), beta=(1, 2), numbers="fraction"
)


E34 = Entry(
    """E34 A clamp before the sign is a mask

    sign(clamp(w, -Q, Q)) = sign(w) for Q > 0; its only effect is the mask |w| <= Q on the
    gradient. So the public ReCU, which clamps before the sign, does not move tail weights; it cuts
    their gradient.

    if: Q > 0
    class: B
    why: A clamp keeps signs, and its derivative is 1 inside and 0 outside.
    source: Xu et al. 2021 (ReCU), their code; derived"""
)


@E34.claim
def mask(x):
    latent, bound = x.weights("latent", QUARTERS), np.float32(x.one("Q", (1.0, 0.5, 0.3, 2.0)))
    gradients, lr, other = x.gradients(SMALL, ANY), np.float32(x.one("lr", RATES)), latent
    run = x.sgd(gradients, latent, lr, ste_clip=bound)
    for g, latent in x.beside(gradients, run):
        # Backwards through sign (identity) and clamp (1 where |w| <= Q).
        other = other - lr * (g * ((other >= -bound) & (other <= bound)))
        x.tie(np.abs(latent) == bound)
        x.same(masked=latent, clamped_latent=other)
        x.same_bits(sign=x.sign(latent), clamped=x.sign(np.clip(latent, -bound, bound)))


@E34.breaks('"ReCU revives the tail": its own gradient is cut')
def tail_moves(x):
    latent = x.array([2])
    moved, _ = x.steps.latent_sgd_step(latent, x.array([1]), None, lr=1, ste_clip=1)
    x.require(moved != latent, "a weight in the tail has not moved")


E34.shows(mask, g=(1, -1), latent=0.5)
E34.breaks("Q = -1, as ReCU has for tau below 1/2: a clamp to [1, -1] gives -1 for all")(
    equal, sign=np.sign(2), clamped=np.sign(np.clip(2, 1, -1))
)
