"""E18 (dual views), and priors: E25 (a constant gradient), E26 (BayesBiNN's published code)."""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.case import ANY, LAMBDAS, QUARTERS, RATES, SMALL, Options
from minibnn.equivalences.entry import BITS, BOTH, EXACT, Entry, equal
from minibnn.equivalences.scale import library

E18 = Entry(
    """E18 Dual views of latent weights

    SGD from w0 = 0 is dual averaging: b = argmin <b, sum g>, ties +1. BayesBiNN with s = 1, sign
    for tanh, no prior, step a, weight rho of the KL term and N samples is Bop with threshold 0,
    gamma = a rho, m = -(rho / N) lambda_nat.

    if: w0 = 0 and lr = 2^k in float32; Larq's tie for BayesBiNN, in Fractions
    class: B, Q
    why: w_t = -lr sum g; multiply the natural parameter's update by -rho / N.
    source: ProxQuant (Bai et al. 2019); BayesBiNN (Meng et al. 2020)""",
    ports=("latent_sgd_step",),
)


@E18.claim(BOTH)
def dual_averaging(x, start=0):
    powers = Options((1.0, 0.5, 0.25, 2.0, 16.0), (*RATES.fractions, Fraction(7)))
    g, lr = x.gradients(SMALL, *([ANY] if x.exact else [])), x.number(x.one("lr", powers))
    run, totals = x.sgd(g, 0 * g[0] + x.number(start), lr), np.cumsum(g, 0)
    for _, latent, total in x.beside(g, run, totals):
        x.show(latent=latent, total=total)
        best = [min((1, -1), key=lambda b: b * s) for s in total]  # at a tie +1
        x.same_bits(sign=x.sign(latent), argmin=x.signs(best))


@E18.claim(EXACT, when=library)
def bayes(x):
    """lambda <- (1 - a rho) lambda - a N g."""
    gradients, natural = x.gradients(SMALL, ANY), x.weights("natural", (0, 1, -1, Fraction(1, 3)))
    step, rho = x.number(x.one("a", RATES)), x.number(x.one("rho", RATES))
    samples = x.one("N", (50, 1, 3))
    factor, gamma = -rho / samples, step * rho
    bop = x.bop(gradients, x.sign(natural), factor * natural, gamma, rule="larq")
    for g, (w, m) in x.beside(gradients, bop):
        natural = (1 - gamma) * natural - step * samples * g
        x.same_bits(bop=w, bayes=x.sign(natural))
        x.same(m=m, scaled_natural=factor * natural)


E18.shows(dual_averaging, g=(2, -1, -1, -3), lr=0.5)
E18.breaks("a start that is not 0")(dual_averaging, start=2, g=(1,), lr=0.5)
E18.breaks("lr = 0.1 in float32: 0.3 - 0.1 - 0.1 - 0.1 is not 0")(
    dual_averaging, g=(3, -1, -1, -1), lr=0.1
)


E25 = Entry(
    """E25 A centre, or prior, is a constant gradient

    w <- w - lr (g + lambda (w - c)) is Bop(0) on g - lambda c with m = -lambda w, and the plain
    average of g from -lambda (w0 - c), read out as b = +1 iff m <= lambda c. A weight that starts
    on its prior's side never flips while |g| <= G < lambda |c|: that protects old tasks.

    if: lambda constant; for freezing the right start and lr lambda <= 1
    class: Q
    why: lambda (w - c) + g = lambda w + (g - lambda c).
    source: Meng et al. 2020, whose continual learning sets the prior to the last lambda; derived"""
)


def with_prior(gradients, latent, centre, rates, lam):
    for g, lr in zip(gradients, rates, strict=True):
        latent = latent - lr * (g + lam * (latent - centre))
        yield latent


def drawn_prior(x, *palettes):
    """Gradients, rates with lr lambda <= 1, and lambda."""
    gradients, lam = x.gradients(*palettes), x.number(x.one("weight_decay", LAMBDAS))
    return gradients, [lr / max(lam, 1) for lr in x.each_step("lr", RATES, gradients)], lam


@E25.claim(EXACT)
def prior(x, shifted=True):
    gradients, rates, lam = drawn_prior(x, SMALL, ANY)
    latent, centre = x.weights("latent", QUARTERS), x.weights("centre", QUARTERS)
    plain, gammas = -lam * (latent - centre), [lr * lam for lr in rates]
    direction = gradients - lam * centre if shifted else gradients
    bop = x.bop(direction, x.sign(latent), -lam * latent, gammas, rule="larq")
    run = with_prior(gradients, latent, centre, rates, lam)
    for g, gamma, latent, (w, m) in x.beside(gradients, gammas, run, bop):
        plain = (1 - gamma) * plain + gamma * g
        x.same_bits(with_prior=x.sign(latent), bop=w)
        x.same(minus_lambda_latent=-lam * latent, m=m)
        x.same_bits(bits=w, read_out=np.where(plain <= lam * centre, 1, -1))


@E25.claim(EXACT)
def never_flips(x):
    """lambda |c| = G + beyond."""
    gradients, rates, lam = drawn_prior(x, SMALL)
    latent, beyond = x.weights("latent", QUARTERS[1:]), x.one("beyond", (Fraction(1, 8), 1))
    first = x.sign(latent)
    centre = (np.abs(gradients).max() + x.number(beyond)) / lam * first
    run = with_prior(gradients, latent, centre, rates, lam)
    for _, latent in x.beside(gradients, run):
        x.show(latent=latent)
        x.same_bits(first=first, now=x.sign(latent))


# lambda/2 (b - c)^2 at b = 1, c = 3, lambda = 1/2: its slope over ±1 is -lambda c.
E25.breaks("the penalty on ±1 weights, backpropagated: lambda b too much (E19)")(
    equal, backpropagated=0.5 * (1 - 3), slope=(0.25 * (1 - 3) ** 2 - 0.25 * (-1 - 3) ** 2) / 2
)
E25.shows(prior, g=(1, 3, -2), latent=1, centre=2, weight_decay=0.5)
E25.breaks("the prior is left out of Bop's gradient")(
    prior, shifted=False, g=(1,), latent=1, centre=4, lr=1, weight_decay=0.5, **BITS
)
E25.breaks("lambda |c| = 2.5 below G = 3: the gradient flips the weight")(
    never_flips, g=(3,), latent=0.5, lr=1, beyond=-0.5
)


E26 = Entry(
    """E26 The published BayesBiNN is latent SGD with decay, bit for bit

    rho = log(u / (1 - u)) / 2 + lambda, w = tanh(rho / T), mu = tanh(lambda),
    s = (1 - w^2 + 1e-10) / T / (1 - mu^2 + 1e-10),
    lambda <- lambda - a (N s g + rho_KL (lambda - lambda0)), lambda0 = 0. While every |lambda| is
    above about 10, in float32: w = sign(lambda), s = 1e-10 / T / 1e-10 is constant, so the step is
    coupled latent SGD.

    if: |lambda| > 10 (the defaults start at ±10); T <= 0.18 (the default is 1e-10); u not 0
    class: B
    why: tanh(lambda) = ±1 from 9.02 on, and the noise is at most 8.32: both ratios are 1e-10.
    source: Meng et al. 2020, their code; derived"""
)
GUARD = np.float32(1e-10)


def bayes_step(lam, g, u, temperature, rate, n=1, kl=1.0):
    """One step of the code, in float32: (lambda, sampled w)."""
    one, half, temperature = np.float32(1), np.float32(0.5), np.float32(temperature)
    w = np.tanh((half * np.log(u / (one - u)) + lam) / temperature)
    mu = np.tanh(lam)
    s = (one - w * w + GUARD) / temperature / (one - mu * mu + GUARD)
    return lam - np.float32(rate) * (np.float32(n) * s * g + np.float32(kl) * lam), w


@E26.claim
def published(x):
    gradients, temperature = x.gradients(SMALL, ANY), np.float32(x.one("T", (1e-10, 1e-8)))
    starts = tuple(s * v for v in (12.0, 10.0, 14.5, 20.0) for s in (1, -1))
    lam = latent = x.weights("start", starts)
    noise = x.many("u", (0.5, 2.0**-24, 1 - 2.0**-24, 0.1, 0.9), *gradients.shape)
    noise = np.broadcast_to(np.float32(noise), gradients.shape)
    s, rate = GUARD / temperature / GUARD, np.float32(x.one("a", (2.0**-7, 0.01, 2.0**-10)))
    x.tie(np.abs(lam) == 10)
    n, kl = x.one("N", (1, 3)), x.one("rho_KL", (1.0, 0.5))
    hyper = {"lr": rate, "weight_decay": kl, "decay": "coupled"}
    for g, u in x.beside(gradients * temperature, noise):  # s is 1 / temperature
        if (np.abs(lam) < 10).any() and len(x.rows) > 1:
            return
        bits = x.sign(latent)
        lam, w = bayes_step(lam, g, u, temperature, rate, n, kl)
        latent, _ = x.steps.latent_sgd_step(latent, np.float32(n) * s * g, None, **hyper)
        x.same_bits(sample=w, sign=bits)
        x.same(bayes=lam, latent=latent)


ONES = (1, 1, 1)
E26.shows(published, g=ONES, u=0.25, a=0.01)
E26.breaks("T = 1e-2 from lambda = 1: s moves with lambda")(
    published, g=ONES, start=1.0, T=1e-2, u=0.25, a=0.01
)
E26.breaks("a start of 1: the noise decides the sample")(
    published, g=ONES, start=1.0, u=0.01, a=0.01
)
E26.breaks("u = 0, of chance 2^-24: the noise is -infinity")(published, g=ONES, u=0.0, a=0.01)
