"""Signs and mirrors: E32 (sign gradients), E33 (mirror descent), E34 (a clamp), E36 (tiny nets)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import ANY, QUARTERS, RATES, SMALL
from minibnn.equivalences.entry import EXACT, Entry
from minibnn.equivalences.tiny import classes, group_orbit, outputs
from minibnn.optim import LatentAdamState

E32 = Entry(
    """E32 Sign gradients

    g = ±c: with epsilon 0 Adam's v is c^2 to bias correction, so Adam is momentum SGD and c is
    invisible (bit for bit for c = 2^-k). Latent SGD is a saturating counter: from a lattice of step
    lr the weight takes 2 clip / lr + 1 values.

    if: no zero gradient; a start on the lattice; lr = 2^-k that divides the clip
    class: B2, T
    why: A mean of equal squares is that square; steps of lr keep the lattice.
    source: Wang et al. 2021, their code; derived"""
)


@E32.claim
def adam(x, epsilon=0.0):
    """Latent Adam on gradients of size 1 and of size c, and on the mean of signs."""
    signs, c = x.gradients((1, -1)), np.float32(x.one("c", (0.5, 0.25, 2.0**-6)))
    hyper, zero = {"lr": 0.25, "epsilon": epsilon}, 0 * signs[0]
    start = zero, LatentAdamState(zero, zero)
    runs = (x.run(x.steps.latent_adam_step, s * signs, *start, **hyper) for s in (c / c, c))
    for _, (a, state), (b, _) in x.beside(signs, *runs):
        x.tie(a == 0)
        x.same(latent=a, of_scaled=b)
        if not epsilon:
            corrected = state.v / np.float32(1 - 0.999 ** len(x.rows))
            x.require(np.abs(corrected - 1) < 2.0**-9, f"v is {corrected[0]}, not c^2 = 1")


@E32.claim
def counter(x, clip=1.0):
    signs, lr = x.gradients((1, -1), most=16), x.one("lr", (0.5, 0.25, 0.125))
    start, values = np.float32(lr) * x.weights("start", (0, 1, -1, 2, -2)), int(2 * clip / lr) + 1
    for _, latent in x.beside(signs, x.sgd(signs, start, lr, clip=clip)):
        place = (latent + x.number(clip)) / x.number(lr)
        x.show(latent=latent)
        x.require((place == np.rint(place)) & (place < values), f"{latent[0]} is off the lattice")


E32.shows(adam, g=(1, -1, 1))
E32.breaks("a zero gradient: v is no longer c^2")(adam, g=(1, 0))
E32.breaks("epsilon = 1e-3")(adam, epsilon=1e-3, g=(1, 1), c=2.0**-6)
E32.breaks("lr = 0.1")(counter, g=(-1, -1, -1, 1, 1, 1, 1), lr=0.1)
E32.breaks("a start off the lattice")(counter, clip=0.5, g=(1,), start=0.5)


E33 = Entry(
    """E33 Mirror descent

    MD-softmax on the labels -1 and +1 is MD-tanh: u+/u- gains exp(-2 lr beta g). With a hard
    forward pass the primal form (x stored) at annealed beta_t has the bits of latent SGD at rate
    lr beta_t, the stable form (its image stored) those at rate lr.

    if: S (their forward is tanh: the late phase only); exact numbers
    class: Q
    why: log((1 + x) / (1 - x)) moves by -2 lr beta_t g. Here 2 stands for e, so all is rational.
    source: Ajanthan et al. 2021"""
)


def powers_of_two(exponents):
    return np.array([Fraction(2) ** int(e) for e in exponents], object)


@E33.claim(EXACT)
def annealed(x, stored="primal"):
    """x = (E - 1) / (E + 1), E the odds (1 + x) / (1 - x), times 2^(-2 beta g) at each step."""
    gradients = x.gradients(SMALL)
    betas = x.each_step("beta", (1, 2, 3), gradients)
    odds, plus, minus = (0 * gradients[0] + s for s in (1, Fraction(1, 2), Fraction(1, 2)))
    sgd = x.sgd(gradients, 0 * gradients[0], betas if stored == "primal" else 1)
    for g, beta, latent in x.beside(gradients, betas, sgd):
        odds = odds * powers_of_two(-2 * beta * g)
        value, factor = (odds - 1) / (odds + 1), powers_of_two(-beta * g)
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


def clamp_step(latent, g, bound, lr):
    """Backwards through sign (identity) and clamp (1 where |w| <= bound)."""
    inside = (latent >= -bound) & (latent <= bound)
    return latent - lr * (g * inside.astype(g.dtype))


@E34.claim
def mask(x):
    latent, bound = x.weights("latent", QUARTERS), np.float32(x.one("Q", (1.0, 0.5, 0.3, 2.0)))
    gradients, lr, other = x.gradients(SMALL, ANY), np.float32(x.one("lr", RATES)), latent
    run = x.sgd(gradients, latent, lr, ste_clip=bound)
    for g, latent in x.beside(gradients, run):
        other = clamp_step(other, g, bound, lr)
        x.tie(np.abs(latent) == bound)
        x.same(masked=latent, clamped_latent=other)
        x.same_bits(sign=x.sign(latent), clamped=x.sign(np.clip(latent, -bound, bound)))


@E34.breaks('"ReCU revives the tail": its own gradient is cut')
def tail_moves(x):
    latent = x.array([2])
    moved, _ = x.steps.latent_sgd_step(latent, x.array([1]), None, lr=1, ste_clip=1)
    x.require(moved != latent, "a weight in the tail has not moved")


@E34.breaks("Q below 0, as ReCU has for tau below 1/2")
def folded_clamp(x):
    """Q = -1 turns the bounds round: a clamp to [1, -1] gives -1 for all."""
    x.same_bits(sign=x.sign(x.array([2])), clamped=x.sign(np.clip(x.array([2]), 1, -1)))


E34.shows(mask, g=(1, -1), latent=0.5)


E36 = Entry(
    """E36 Tiny networks can be enumerated

    sign(sum_k v_k sign(w_k x)) with n inputs and h hidden units, both odd: the 2^(h (n + 1))
    networks fall into C(2^n + h - 1, h) classes under E30's group, of one function each: v = +1
    and a multiset of w. So the best of all networks is known (``minibnn.equivalences.tiny``).

    if: n and h odd, so that no sum is 0; no beta
    class: B
    why: Negating (w_k, v_k) together keeps v_k sign(w_k x), and the order of k does not matter.
    source: derived"""
)


@E36.claim
def same_function(x):
    """A network, and its image with v = +1, sorted."""
    n, h = x.one("n", (3, 5)), x.one("h", (1, 3))
    w, v = np.int8(x.many("w", (1, -1), h, n)), np.int8(x.many("v", (1, -1), h))
    image = group_orbit(w, v)
    x.tie((w == image).all(1))
    x.same_bits(network=outputs(w, v), image=outputs(image, np.ones(h, np.int8)))
    x.same_bits(canonical=group_orbit(image, np.ones(h, np.int8)), itself=image)


@E36.claim
def count(x):
    n, h = x.one("n", (3,)), x.one("h", (1, 3))
    found, networks = classes(n, h)
    x.tie(1)
    expected = {1: 8, 3: 120}[h]
    x.same(classes=found, binomial=expected)
    x.same(networks=networks, power=2 ** (h * (n + 1)))


@E36.breaks("an even number of inputs: sums of 0 read +1 on both sides")
def even_inputs(x):
    w = np.int8([[1, 1]])
    x.same_bits(negated=-outputs(w, np.int8([1])), of_negated=outputs(-w, np.int8([1])))


E36.shows(count)
