"""``discover``: the constants under which two step functions have the same bits, or how they part.

The unknown constants of B are looked for among monomials in A's. All candidates run at once, in
float64 on powers of two, where it is exact, and those without A's bits are dropped. What is left
runs on Fractions of rational constants. The rest, shortest first, are conjectures: an entry of the
catalogue has to prove them.
"""

import math
import time
from collections import namedtuple
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

import numpy as np

from minibnn.equivalences.case import text
from minibnn.equivalences.models import RATE, START, THRESHOLD, model_of
from minibnn.errors import InputError, integer

ROUNDS, STEPS = 24, 6  # traces in float64, and their length
EXACT_ROUNDS = 40
MOST = 5_000_000  # candidates; half as many take seconds
FEW = 300  # candidates that may run on Fractions
GRADIENTS = (0, 1, -1, 2, -2, 3, -3)
SMALLEST = (0, 1, -1, 2, -2)
MOST_FACTORS = 2  # of a rate or a threshold


@dataclass(frozen=True)
class Term:
    """A sign, a monomial in constants, or its size; 0 has the sign 0."""

    sign: int
    powers: tuple  # of (constant, exponent)
    size: bool = False

    def value(self, constants):
        """Its value at constants, numbers of one kind."""
        result = self.sign * next(iter(constants.values())) ** 0
        for name, power in self.powers:
            result = result * (constants[name] if power > 0 else 1 / constants[name])
        return abs(result) if self.size else result

    def __str__(self):
        top = [name for name, power in self.powers if power > 0]
        bottom = [name for name, power in self.powers if power < 0]
        words = " ".join(top) or "1"
        if bottom:
            words += " / " + (bottom[0] if len(bottom) == 1 else f"({' '.join(bottom)})")
        words = f"|{words}|" if self.size else words
        return "0" if not self.sign else "-" * (self.sign < 0) + words


def grammar(kind, known):
    """Terms for an unknown of a kind, shortest first; ``known`` are names with their kinds.

    Rates are positive, thresholds also 0; only starts may be negative or sizes.
    """
    starts = {name for name, of in known.items() if of == START}
    terms = [] if kind not in (START, THRESHOLD) else [Term(0, ())]
    for powers in product((0, 1, -1), repeat=len(known)):
        monomial = tuple((n, p) for n, p in zip(known, powers, strict=True) if p)
        signed = starts & {name for name, _ in monomial}
        if kind == START:
            terms += [Term(sign, monomial) for sign in (1, -1)]
            terms += [Term(1, monomial, size=True)] * bool(signed)
        elif len(monomial) <= MOST_FACTORS and not signed:
            terms.append(Term(1, monomial))
    return sorted(terms, key=lambda term: (len(term.powers), str(term)))


# What a run of A said, and how many candidates are left that have its bits.
Trace = namedtuple("Trace", "constants gradients bits left")


@dataclass(frozen=True)
class Discovery:
    """What ``discover`` found: conjectures, shortest first, or the sequences on which all part."""

    a: str
    b: str
    candidates: int
    conjectures: tuple  # of dicts {constant of B: text}
    parted: tuple  # of sequences of gradients, if there are none
    traces: tuple = field(repr=False, default=())
    seconds: float = 0.0

    def __str__(self):
        lines = [f"{self.a} and {self.b}: {self.candidates:,} candidates, {self.seconds:.1f} s"]
        for found in self.conjectures:
            lines.append("conjecture: " + ", ".join(f"{k} = {v}" for k, v in found.items()))
        if not self.conjectures:
            words = " and ".join(f"({text(g)})" for g in self.parted) or "none short enough"
            length = f" of length {len(self.parted[0])}" if self.parted else ""
            part = f"all part by the gradients{length}: {words}"
            lines.append(f"no candidate has the same bits; {part}")
        return "\n".join(lines)

    def explanation(self):
        """The traces, as lines."""
        lines = []
        for k, trace in enumerate(self.traces, 1):
            constants = ", ".join(f"{name} = {text(x)}" for name, x in trace.constants.items())
            lines.append(f"trace {k}: {constants}")
            lines.append(f"  gradients {text(trace.gradients)}; bits {text(trace.bits)}")
            lines.append(f"  {trace.left:,} candidates left")
        return "\n".join(lines)


class Candidates:
    """All assignments of terms to B's unknown constants that are still alive, for each choice."""

    def __init__(self, model, known):
        self.model = model
        self.terms = {name: grammar(kind, known) for name, kind in model.constants.items()}
        shape = tuple(len(terms) for terms in self.terms.values())
        if (count := math.prod(shape)) > MOST:
            words = f"has {count:,} candidates, and more than {MOST:,} take too long"
            raise InputError(f"{model.name} {words}: choose step functions of fewer constants")
        every = np.indices(shape, np.int16).reshape(len(shape), -1)
        self.alive = {choice: every for choice in model.combinations()}

    def __len__(self):
        return sum(indices.shape[1] for indices in self.alive.values())

    def same(self, choice, constants, gradients, bits, exact=False):
        """Which of a choice's candidates have these bits; the first are from before any step."""
        indices = self.alive[choice]
        kind = object if exact else np.float64
        values = {
            name: np.array([term.value(constants) for term in terms], kind)[row]
            for (name, terms), row in zip(self.terms.items(), indices, strict=True)
        }
        where = np.arange(indices.shape[1])
        w, state = self.model.begin(values, np.full(len(where), bits[0], np.int8))
        for g, bit in zip((None, *gradients), bits, strict=True):
            if g is not None:
                gradient = np.full(len(where), g, kind)
                w, state = self.model.go_on(w, gradient, state, values, dict(choice))
            ok = np.asarray(w == bit, bool)
            if not ok.all():
                where, w, state = where[ok], w[ok], state[ok]
                values = {name: x[ok] for name, x in values.items()}
            if not len(where):
                break
        return np.isin(np.arange(indices.shape[1]), where)

    def found(self, given=()):
        """The living as {constant: text}, shortest first; those with one of ``given``, if any."""
        living = []
        for choice, indices in self.alive.items():
            for column in indices.T:
                terms = [t[k] for t, k in zip(self.terms.values(), column, strict=True)]
                if given and not any(name in given for t in terms for name, _ in t.powers):
                    continue
                words = dict(zip(self.terms, map(str, terms), strict=True)) | dict(choice)
                size = sum(len(t.powers) for t in terms), sum(map(len, words.values()))
                living.append((size, words))
        return [words for _, words in sorted(living, key=lambda each: each[0])]


def run_of(model, constants, gradients, exact=False):
    """A's bits before the first step and after each."""
    kind = object if exact else np.float64
    values = {name: np.array([constants[name]], kind) for name in model.constants}
    w, state = model.begin(values, np.int8([1]))
    bits, choice = [int(w[0])], dict(model.combinations()[0])
    for g in gradients:
        w, state = model.go_on(w, np.array([g], kind), state, values, choice)
        bits.append(int(w[0]))
    return tuple(bits)


def drawn_constants(known, random, exact=False):
    """Powers of two, or small rationals; starts of both signs."""
    constants = {}
    for name, kind in known.items():
        if exact:
            x = Fraction(int(random.integers(1, 8)), int(random.integers(1, 8)))
        else:
            x = 2.0 ** int(random.integers(-3, 3))
        signed = kind == START and name != "inertia0"  # inertia is never below 0
        constants[name] = x * int(random.choice((1, -1))) if signed else x
    return constants


def discover(a, b, given=(), seed=0):
    """Constants of ``b`` under which it has the bits of ``a``; returns a Discovery.

    a and b are names of ``MODELS``, Models, or step functions ``f(w, g, state, *, constants)`` of
    which each keyword is a constant. ``given`` are free constants that may occur too, such as a
    scale; then what makes use of them counts, if anything does. ``seed`` is that of the traces.
    InputError for what cannot be tried.

    >>> discover("sgd-decay", "bop").conjectures[0]
    {'gamma': 'lam lr', 'threshold': '0', 'm0': '-lam w0', 'rule': 'larq'}
    """
    start, random = time.perf_counter(), np.random.default_rng(integer(seed, "seed"))
    a, b = model_of(a), model_of(b)
    known = dict(sorted(a.constants.items())) | dict.fromkeys(given, RATE) | a.constants
    candidates = Candidates(b, known)
    count, traces = len(candidates), []
    for k in range(ROUNDS + EXACT_ROUNDS):
        exact = k >= ROUNDS
        if not len(candidates) or (exact and len(candidates) > FEW):
            break
        constants = drawn_constants(known, random, exact)
        gradients = tuple(int(g) for g in random.choice(GRADIENTS, STEPS))
        bits = run_of(a, constants, gradients, exact)
        before = len(candidates)
        for choice, rows in candidates.alive.items():
            same = candidates.same(choice, constants, gradients, bits, exact)
            candidates.alive[choice] = rows[:, same]
        if len(candidates) < before:
            traces.append(Trace(constants, gradients, bits, len(candidates)))
    found = candidates.found(given) or candidates.found()
    parted = () if found else smallest_parting(a, Candidates(b, known), known)
    seconds = time.perf_counter() - start
    return Discovery(a.name, b.name, count, tuple(found), parted, tuple(traces), seconds)


def smallest_parting(a, candidates, known):
    """Sequences of the least length, up to 3, that leave no candidate, chosen greedily."""
    random = np.random.default_rng(0)
    constants = [drawn_constants(known, random) for _ in range(4)]
    for length in (1, 2, 3):
        for each in constants:
            killed = {}
            for gradients in product(SMALLEST, repeat=length):
                bits = run_of(a, each, gradients)
                lost = [~candidates.same(c, each, gradients, bits) for c in candidates.alive]
                killed[gradients] = np.concatenate(lost)
            if np.any(list(killed.values()), axis=0).all():
                return cover(killed)
    return ()


def cover(killed):
    """Keys whose sets together hold everything; the largest first."""
    left, chosen = np.ones(len(next(iter(killed.values()))), bool), []
    while left.any():
        best = max(killed, key=lambda key: np.count_nonzero(killed[key] & left))
        chosen.append(best)
        left &= ~killed[best]
    return tuple(chosen)
