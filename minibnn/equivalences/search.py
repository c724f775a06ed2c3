"""Looks for a case in which a statement fails, and for the smallest such case."""

from minibnn.equivalences import draws
from minibnn.equivalences.entry import Broken

BY_HYPOTHESIS = 4  # Hypothesis is good at corners and costs several times a seeded case


class Found:
    """Cases tried, ties met in them, and the smallest failing case with its reason."""

    def __init__(self):
        self.cases = self.ties = 0
        self.case, self.why = None, ""


def search(make, check, examples, seed):
    """Try cases ``make(Draw)`` until ``check`` raises Broken; then shrink.

    Every fourth case is Hypothesis', where it is installed. Returns Found.
    """
    found = Found()

    def attempt(case):
        """Whether the check fails; the latest failure is kept."""
        try:
            found.ties += check(case)
        except Broken as broken:
            found.case, found.why = case, str(broken)
            return True
        return False

    by_hypothesis = examples // BY_HYPOTHESIS if draws.hypothesis_installed() else 0
    for data in draws.seeded(seed, examples - by_hypothesis):
        found.cases += 1
        if attempt(make(draws.Draw(data))):
            smallest = draws.shrink(data, lambda data: attempt(make(draws.Draw(data))))
            attempt(make(draws.Draw(smallest)))
            return found
    if by_hypothesis:
        _search_by_hypothesis(make, attempt, found, by_hypothesis, seed)
    return found


def _search_by_hypothesis(make, attempt, found, examples, seed):
    import hypothesis
    from hypothesis import HealthCheck, Phase, Verbosity

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @hypothesis.seed(repr(seed))
    @hypothesis.given(draws.strategy(make))
    def run(case):
        found.cases += found.case is None
        if attempt(case):
            raise Broken

    try:
        run()  # on failure it replays the smallest case last
    except Exception:  # Broken, or Hypothesis' word for a check that fails only now and then
        if found.case is None:
            raise
