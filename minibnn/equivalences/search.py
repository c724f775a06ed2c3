"""Looks for a case in which a statement fails, and with Hypothesis for the smallest such case."""

import random
import tempfile
from contextlib import suppress
from dataclasses import dataclass

from minibnn.equivalences.case import Broken

SHRINKING = 400  # cases that Hypothesis may try


@dataclass
class Found:
    """Cases tried, ties met in them, and the smallest failing case with its reason."""

    cases: int = 0
    ties: int = 0
    case: object = None
    why: str = ""


def chooser(seed):
    """A function that chooses one of some options, again and again; a function of ``seed``."""
    generator = random.Random(repr(seed))
    return lambda options: options[int(generator.random() * len(options))]


def search(attempt, examples, seed):
    """Run ``attempt(choose)`` until it raises Broken, then shrink; returns Found.

    It returns the ties it met; Broken carries its case as ``.case``.
    """
    choose, found = chooser(seed), Found()
    for found.cases in range(1, examples + 1):
        try:
            found.ties += attempt(choose)
        except Broken as broken:
            found.case, found.why = broken.case, str(broken)
            _shrink(attempt, found, seed)
            break
    return found


def _shrink(attempt, found, seed):
    """The simplest failing case that Hypothesis comes to, where it is installed."""
    try:
        import hypothesis
        from hypothesis import strategies
    except ImportError:
        return

    tried = 0

    @hypothesis.settings(
        max_examples=SHRINKING,
        database=None,
        deadline=None,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    )
    @hypothesis.seed(repr(seed))
    @hypothesis.given(strategies.data())
    def fails(data):
        nonlocal tried
        tried += 1
        if tried > SHRINKING:
            return
        try:
            attempt(lambda options: options[data.draw(strategies.integers(0, len(options) - 1))])
        except Broken as broken:
            if len(repr(broken.case)) <= len(repr(found.case)):
                found.case, found.why = broken.case, str(broken)
            raise

    home = hypothesis.configuration.set_hypothesis_home_dir
    with tempfile.TemporaryDirectory(prefix="minibnn-") as folder:
        home(folder)  # which otherwise is the working directory
        with suppress(Exception):  # Broken, or Hypothesis' words for one that it cannot repeat
            fails()
    home(None)
