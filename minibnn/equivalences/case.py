"""A case: the numbers that a claim draws, the arithmetic it computes in, and what came of it."""

from collections import namedtuple
from fractions import Fraction
from itertools import repeat

import numpy as np

from minibnn.equivalences.steps import Steps
from minibnn.ops.bits import binarize
from minibnn.optim import BopState, LatentAdamState, LatentSGDState


class Broken(AssertionError):
    """A statement does not hold in a case; the message says where."""


# Numbers to choose from, by arithmetic; the simplest comes first.
Options = namedtuple("Options", "floats fractions")
rational = np.vectorize(Fraction, otypes=[object])  # an array of any numbers as Fractions


def zigzag(count, divisor=1):
    """0, 1, -1, 2, -2, ... divided; exactly for a Fraction, or where the divisor is 1."""
    numbers = ((k + 1) // 2 * (1 if k % 2 else -1) for k in range(count))
    return tuple(n / divisor if divisor != 1 else n for n in numbers)


def fractions(texts):
    """Fractions of "1/2 1 2/3", as a tuple."""
    return tuple(map(Fraction, texts.split()))


SMALL = zigzag(7)  # 0, 1, -1, ... 3, -3: with dyadic constants these meet ties
QUARTERS = zigzag(17, 4)
TENTHS = zigzag(101, 10)  # nearly every operation rounds
ANY = Options(TENTHS, zigzag(25, Fraction(3)))
STARTS = Options(QUARTERS + TENTHS[1:41], QUARTERS)
# In (0, 1].
RATES = Options((0.5, 1.0, 0.25, 0.1, 0.3, 0.01, 0.001), fractions("1/2 1 1/4 1/3 2/5 1/10"))
POWERS = tuple(2.0**k for k in zigzag(17)[1:])
SCALES = Options(POWERS, fractions("2 3 1/3 7/5 1/100 50/7"))
LAMBDAS = Options((1.0, 0.5, 0.25, 2.0, 2.0**-7), fractions("1 1/2 2/3 1/5 3"))
THRESHOLDS = Options((0, 0.5, 1, 0.25, 0.1), (0, 0.5, 1, 0.25, Fraction(1, 3)))


class Case:
    """The numbers of one case by name, drawn by ``choose(options)`` unless they are ``given``.

    In a lockstep, both sides have the same bits up to a step or the claim is broken; so gradients
    drawn step by step are as general as any function of bits and step. ``ties`` counts entries that
    stood exactly at a threshold, or latent weights exactly at 0; ``rows`` has a dict for each step.
    """

    def __init__(self, choose=None, steps=None, given=None):
        self.choose = choose or (lambda options: options[0])
        self.steps, self.given = steps or Steps(), dict(given or {})
        self.numbers, self.ties, self.rows = "float32", 0, []
        self.bits_only = False  # set by counterexamples in which real numbers part at once

    # -- what is drawn

    def many(self, name, options, *shape):
        """Options in nested lists of this shape; one, if there is none. What is given is taken."""
        if name not in self.given:
            if isinstance(options, Options):
                options = options.fractions if self.exact else options.floats
            self.given[name] = self._nested(options, *shape)
        return self.given[name]

    one = many

    def _nested(self, options, *shape):
        if not shape:
            return self.choose(options)
        return [self._nested(options, *shape[1:]) for _ in range(shape[0])]

    def arithmetic(self, *numbers):
        """Compute in one of these: "float32", "float64", "fraction"."""
        self.numbers = self.one("numbers", numbers if self.steps.exact else ("float32",))

    @property
    def exact(self):
        return self.numbers == "fraction"

    def weights(self, name, *palettes):
        """An array of one to three numbers, the same count whatever the name."""
        size = self.one("size", range(1, 4))
        return np.atleast_1d(self.array(self.many(name, self.palette(name, *palettes), size)))

    def gradients(self, *palettes, most=8, name="g"):
        """An array (steps, weights); given as one line, it is that of a single weight."""
        steps, size = self.one("steps", range(1, most + 1)), self.one("size", range(1, 4))
        g = self.array(self.many(name, self.palette(name, *palettes), steps, size))
        return g if g.ndim == 2 else g.reshape(-1, 1)

    def each_step(self, name, options, gradients):
        """A list with a number for each step; given as one number, it is the same at all."""
        given = self.many(name, options, len(gradients))
        given = given if isinstance(given, list | tuple) else [given] * len(gradients)
        return [self.number(x) for x in given]

    def palette(self, name, *palettes):
        """One of the palettes, if they are several."""
        if len(palettes) == 1 or name in self.given:
            return palettes[0]
        return self.choose(palettes)

    def start_bits(self):
        size = self.one("size", range(1, 4))
        return self.signs(np.atleast_1d(self.many("bits", (1, -1), size)))

    # -- arithmetic

    def number(self, x):
        return Fraction(x) if self.exact else np.dtype(self.numbers).type(x)

    def array(self, values):
        """Numbers, in lists or not, as an array of the case's arithmetic."""
        if self.exact:
            return rational(values)
        return np.array(values, self.numbers)

    def column(self, *gradients):
        """The gradients of one weight, an array (steps, 1)."""
        return self.array([[g] for g in gradients])

    def signs(self, values):
        """An array of +1 and -1 as the step functions take it."""
        if self.steps.foreign:
            return self.array(values)
        return np.array(values, np.int8)

    def sign(self, latent):
        """Signs of latent weights; that of 0 is +1."""
        return self.signs(binarize(latent))

    # -- runs: what there is after each step

    def run(self, step, gradients, value, state, **hyper):
        """(value, state) of a step function; a list in ``hyper`` has a number for each step."""
        for t, g in enumerate(gradients):
            now = {name: x[t] if isinstance(x, list) else x for name, x in hyper.items()}
            value, state = step(value, g, state, **now)
            yield value, state

    def bop(self, gradients, w, m, gamma, threshold=0, **dialect):
        """(w, m) of Bop."""
        hyper = {"gamma": gamma, "threshold": threshold} | dialect
        run = self.run(self.steps.bop_step, gradients, w, BopState(m), **hyper)
        thresholds = threshold if isinstance(threshold, list) else repeat(threshold)
        for (w, state), threshold in zip(run, thresholds, strict=False):
            self.tie(np.abs(state.m) == threshold)
            yield w, state.m

    def sgd(self, gradients, latent, lr, **hyper):
        """Latent weights of SGD."""
        run = self.steps.latent_sgd_step, gradients, latent, LatentSGDState(0 * latent)
        return self._latents(*run, lr=lr, **hyper)

    def adam(self, gradients, latent, lr, **hyper):
        """Latent weights of Adam."""
        state = LatentAdamState(0 * latent, 0 * latent)
        return self._latents(self.steps.latent_adam_step, gradients, latent, state, lr=lr, **hyper)

    def _latents(self, *run, **hyper):
        for w, _ in self.run(*run, **hyper):
            self.tie(w == 0)
            yield w

    def over(self, gradients):
        """The gradients step by step, each with a row of its own."""
        for g in gradients:
            self.rows.append({"step": len(self.rows) + 1, "g": g})
            yield g

    def beside(self, gradients, *runs):
        """(g, what each of the runs has then) at each step, which has a row of its own."""
        return zip(self.over(gradients), *runs, strict=True)

    def alike(self, gradients, **runs):
        """Two runs of arrays, or of (array, ...), that have the same array after each step."""
        for _, *ends in self.beside(gradients, *runs.values()):
            bits = (end[0] if isinstance(end, tuple) else end for end in ends)
            self.same_bits(**dict(zip(runs, bits, strict=True)))

    # -- what came of it

    def show(self, **cells):
        if not self.rows:
            self.rows.append({})
        self.rows[-1].update(cells)

    def tie(self, at_threshold):
        self.ties += int(np.count_nonzero(at_threshold))

    def same_bits(self, **pair):
        """Broken unless the two named arrays are equal; both are shown."""
        self.show(**pair)
        (a, x), (b, y) = pair.items()
        if not np.array_equal(x, y):
            raise Broken(f"{self._when()}{a} is {text(x)}, {b} is {text(y)}")

    def same(self, **pair):
        """As ``same_bits``, for real numbers (0 equals -0)."""
        if self.bits_only:
            self.show(**pair)
        else:
            self.same_bits(**pair)

    def require(self, holds, otherwise):
        if not np.all(holds):
            raise Broken(self._when() + otherwise)

    def _when(self):
        step = self.rows[-1].get("step") if self.rows else None
        return f"after step {step} " if step else ""


def hold(latent, bits):
    """Signs of latent weights, where 0 keeps the bit that was there."""
    one = np.ones_like(bits)
    return np.where(latent == 0, bits, np.where(latent < 0, -one, one))


def text(value):
    """A number, a fraction or a small array as a person writes it.

    >>> text(np.float32([0.1, -2])), text(Fraction(1, 3))
    ('0.1 -2', '1/3')
    """
    if isinstance(value, np.ndarray):
        return " ".join(text(x) for x in value.reshape(-1)) if value.size <= 16 else str(value)
    if isinstance(value, list | tuple):
        return " ".join(map(text, value))
    if isinstance(value, float | np.floating) and (value == 0 or 1e-4 <= abs(value) < 1e7):
        return np.format_float_positional(value, trim="-")
    return str(value)
