"""What a statement of the catalogue is made of, and what its check is handed."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from minibnn import optim
from minibnn.equivalences import draws
from minibnn.ops.backend import using
from minibnn.ops.bits import binarize
from minibnn.ops.hyperparameters import constant
from minibnn.optim.bop import AVERAGES, RULES
from minibnn.optim.latent import DECAYS


class Broken(AssertionError):
    """A statement does not hold in a case; the message says where."""


class Steps:
    """The step functions a check runs: the library's, or somebody else's Bop and latent SGD.

    Attributes
    ----------
    rules, averages, decays : tuple of str
        The dialects they speak; a case is drawn from these.
    exact : bool
        Whether they take Fractions.
    foreign : tuple of str
        Which of "bop_step" and "latent_sgd_step" are somebody else's.
    """

    def __init__(
        self,
        bop_step=None,
        latent_sgd_step=None,
        rules=RULES,
        averages=AVERAGES,
        decays=DECAYS,
        exact=True,
        backend="reference",
    ):
        self.rules, self.averages, self.decays = rules, averages, decays
        self.exact, self.backend = exact, backend
        self.foreign = ("bop_step",) * bool(bop_step) + ("latent_sgd_step",) * bool(latent_sgd_step)
        self.sign_type = np.float32 if self.foreign else np.int8
        for name in dir(optim):
            if name.endswith("_step"):
                setattr(self, name, _library_step(name, backend))
        if bop_step:
            self.bop_step = _as_called(bop_step)
        if latent_sgd_step:
            self.latent_sgd_step = _as_called(latent_sgd_step, weight_decay=0)


def _library_step(name, backend):
    plain = getattr(optim, name)
    if backend == "reference":
        return plain
    from minibnn.ops.kernels import optim as kernels

    compiled = getattr(kernels, name)

    def step(value, g, state, **hyper):
        return (plain if g.dtype == object else compiled)(value, g, state, **hyper)

    return step


def _as_called(step, **defaults):
    """``step`` as somebody else's is called: constants of the arrays' type, and no dialect."""

    def call(value, g, state, *, rule=None, average=None, decay=None, **hyper):
        hyper = {name: constant(x, g.dtype) for name, x in (defaults | hyper).items()}
        return step(value, g, state, **hyper)

    return call


class Run:
    """One check of one case: which step functions, how many ties, and what happened.

    Attributes
    ----------
    ties : int
        Entries that stood exactly at a threshold, or latent weights exactly at 0.
    rows : list of dict
        One per step, for a reader.
    """

    def __init__(self, steps=None):
        self.steps = steps or Steps()
        self.ties = 0
        self.rows = []

    def bits(self, latent):
        """Signs of latent weights, in the type of weights that the step functions are given."""
        return self.signs(binarize(latent), latent.dtype == object)

    def signs(self, values, exact=False):
        """An array of +1 and -1 in that type; somebody else's get Fractions beside Fractions."""
        if exact and self.steps.foreign:
            return np.array([Fraction(int(x)) for x in values], object)
        return np.array(values, self.steps.sign_type)

    def tie(self, at_threshold):
        self.ties += int(np.count_nonzero(at_threshold))

    def row(self, **cells):
        self.rows.append({name: text(value) for name, value in cells.items()})

    def same(self, what, a, b):
        """Raise Broken unless a equals b entry by entry (0 equals -0)."""
        if not np.array_equal(a, b):
            raise Broken(f"{what}: {text(a)} and {text(b)}")

    def require(self, holds, otherwise):
        if not holds:
            raise Broken(otherwise)


def text(value):
    """A number, a fraction or a small array as a person writes it.

    >>> text(np.float32([0.1, -2])), text(Fraction(1, 3))
    ('0.1 -2', '1/3')
    """
    if isinstance(value, np.ndarray):
        return " ".join(text(x) for x in value.reshape(-1)) if value.size <= 16 else str(value)
    if isinstance(value, list | tuple):
        return " ".join(map(text, value))
    if isinstance(value, Fraction | str | int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return np.format_float_positional(value, trim="-") if _plain(value) else f"{value!s}"
    return str(value)


def _plain(x):
    return x == 0 or 1e-4 <= abs(x) < 1e7


@dataclass(frozen=True)
class Counterexample:
    """A case in which one precondition is dropped, so that the statement must fail.

    Parameters
    ----------
    words : str
        What is dropped.
    case : dict
        As ``Entry.make`` makes them.
    """

    words: str
    case: dict = field(repr=False)


@dataclass(frozen=True, eq=False)
class Entry:
    """A statement of the catalogue that can be run.

    Attributes
    ----------
    id, title : str
    statement, preconditions, proof, source : str
        In words and formulas.
    exactness : str
        "B" bit-exact in float32; "B2" bit-exact for constants that are powers of two; "Q" exact in
        rational numbers; "T" within a stated bound.
    make : callable (Draw, Steps) -> dict
        A case, made of plain numbers and lists.
    run_case : callable (case, Run)
        Raises Broken where the statement fails.
    example : dict
        A small case to look at.
    counterexamples : tuple of Counterexample
    ports : tuple of str
        The step functions that may be somebody else's: "bop_step", "latent_sgd_step".
    """

    id: str
    title: str
    statement: str
    preconditions: str
    exactness: str
    proof: str
    source: str
    make: object = field(repr=False)
    run_case: object = field(repr=False)
    example: dict = field(repr=False)
    counterexamples: tuple = field(default=(), repr=False)
    ports: tuple = ()

    def cases(self, draw, steps=None):
        """The case that ``draw`` chooses.

        Parameters
        ----------
        draw : Draw
            Where every choice comes from: Hypothesis or a seeded generator.
        steps : Steps, optional
            The step functions to check; the library's own if left out.

        Returns
        -------
        dict
        """
        return self.make(draw, steps or Steps())

    def strategy(self, steps=None):
        """Hypothesis' strategy of the entry's cases.

        Parameters
        ----------
        steps : Steps, optional

        Returns
        -------
        hypothesis.strategies.SearchStrategy
        """
        steps = steps or Steps()
        return draws.strategy(lambda draw: self.make(draw, steps))

    def check(self, case, steps=None):
        """Hold the statement against one case.

        Parameters
        ----------
        case : dict
        steps : Steps, optional
            The step functions to check; the library's own if left out.

        Returns
        -------
        Run

        Raises
        ------
        Broken
            Where the statement fails.
        """
        run = Run(steps)
        with np.errstate(all="ignore"), using(run.steps.backend):
            self.run_case(case, run)
        return run

    def breaks(self, counterexample, steps=None):
        """How a counterexample breaks the statement, in words.

        Parameters
        ----------
        counterexample : Counterexample
        steps : Steps, optional

        Returns
        -------
        str, or None if it does not
        """
        try:
            self.check(counterexample.case, steps)
        except Broken as broken:
            return str(broken)
        return None
