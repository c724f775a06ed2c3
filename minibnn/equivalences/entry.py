"""What a statement of the catalogue is made of: words, claims, an example, counterexamples."""

from contextlib import contextmanager
from dataclasses import dataclass
from inspect import cleandoc, signature

import numpy as np

from minibnn.equivalences.case import Broken, Case
from minibnn.ops.backend import using

BOTH, EXACT = ("float32", "fraction"), ("fraction",)  # what a claim computes in
BITS = {"bits_only": True}  # of a counterexample: real numbers part at once
equal = Case.same_bits  # as a counterexample that is two numbers: broken unless they are equal


@dataclass(frozen=True)
class Counterexample:
    """``run(case)`` drops a precondition, so that it must raise Broken."""

    words: str
    run: object


class Entry:
    """A statement that can be run: ``words``, then claims and counterexamples by decorators.

    ``words`` are three paragraphs: "E4 Title", the statement, and lines that start with "if:",
    "class:", "why:" and "source:". ``ports`` are the step functions that may be somebody else's:
    "bop_step", "latent_sgd_step".
    """

    def __init__(self, words, ports=()):
        title, statement, fields = cleandoc(words).split("\n\n")
        self.id, self.title = title.split(" ", 1)
        self.statement = " ".join(statement.split())
        lines = fields.replace("\n    ", " ").splitlines()  # a field that goes on is indented
        self.fields = dict(line.split(": ", 1) for line in lines)
        self.exactness, self.ports = self.fields["class"], ports
        self.claims, self.counterexamples, self.example = {}, [], None

    def __repr__(self):
        return f"<{self.id} {self.title}>"

    def claim(self, numbers=(), when=lambda steps: True):
        """Decorator: a function of a Case that draws, runs and raises Broken where it fails.

        It computes in one of the ``numbers``, or else in float32 until it asks for
        ``arithmetic`` itself; it is claimed of step functions with ``when(steps)``.
        """
        if callable(numbers):
            return self.claim()(numbers)

        def add(function):
            def claim(case):
                if numbers:
                    case.arithmetic(*numbers)
                function(case)

            self.claims[function.__name__] = claim, when
            return function

        return add

    def shows(self, run, *arguments, **named):
        """What ``verify --explain`` shows: ``run(case, ...)``, and nothing breaks.

        Of the ``arguments`` and what is ``named`` see ``breaks``.
        """
        self.example = case_of(run, arguments, named)

    def breaks(self, words):
        """A counterexample: a function of a Case that drops a precondition, which ``words`` name.

        As a decorator, or called with a function and more: what the function does not take by name
        are numbers of the case.
        """

        def add(run, *arguments, **named):
            self.counterexamples.append(Counterexample(words, case_of(run, arguments, named)))
            return run

        return add

    def claims_of(self, steps):
        """Names of the claims that concern these step functions (``steps``)."""
        return [name for name, (_, when) in self.claims.items() if when(steps)]

    def check(self, given=None, steps=None, choose=None):
        """Hold the statement against one case: ``given`` numbers, or drawn by ``choose(options)``.

        ``steps`` are the step functions, the library's if left out. Returns the Case; raises Broken
        where the statement fails, with the numbers as ``.case``.
        """
        case = Case(choose, steps, given)
        claim, _ = self.claims[case.one("claim", self.claims_of(case.steps))]
        with _computing(case):
            claim(case)
        return case

    def broken_by(self, counterexample):
        """How a counterexample breaks the statement, in words; None if it does not."""
        case = Case()
        try:
            with _computing(case):
                counterexample.run(case)
        except Broken as broken:
            return str(broken)
        return None

    def shown(self):
        """The Case of the example."""
        case = Case()
        with _computing(case):
            self.example(case)
        return case


def case_of(run, arguments, named):
    """A function of a Case: it runs with the numbers of ``named`` that it does not take itself."""
    taken = signature(run).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    numbers = {name: x for name, x in named.items() if not every and name not in taken}
    others = {name: x for name, x in named.items() if name not in numbers}
    bits_only = numbers.pop("bits_only", False)

    def example(case):
        case.bits_only = bits_only
        case.given |= numbers
        case.numbers = case.given.get("numbers", "float32")
        run(case, *arguments, **others)

    return example


@contextmanager
def _computing(case):
    try:
        with np.errstate(all="ignore"), using(case.steps.backend):
            yield
    except Broken as broken:
        broken.case = case.given
        raise
