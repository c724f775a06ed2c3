"""Cases drawn by a seed, and the smallest failing one that Hypothesis comes to."""

import sys

import pytest

from minibnn.equivalences.case import Broken, Case
from minibnn.equivalences.search import chooser, search


def attempt(fails):
    def run(choose):
        case = Case(choose)
        numbers = case.many("x", range(100), case.one("n", range(1, 10)))
        if fails(numbers):
            broken = Broken(f"sum {sum(numbers)}")
            broken.case = case.given
            raise broken
        return 2

    return run


def test_all_cases_are_tried_and_ties_are_summed():
    found = search(attempt(lambda x: False), 50, 0)
    assert (found.cases, found.ties, found.case, found.why) == (50, 100, None, "")


@pytest.mark.parametrize(
    ("fails", "smallest"),
    [(lambda x: True, [0]), (lambda x: x[0] >= 30, [30]), (lambda x: len(x) > 2, [0, 0, 0])],
)
def test_a_failing_case_shrinks(fails, smallest):
    found = search(attempt(fails), 100, 0)
    assert found.case == {"n": len(smallest), "x": smallest}
    assert found.why == f"sum {sum(smallest)}"


def test_without_hypothesis_the_first_failing_case_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    found = search(attempt(lambda x: sum(x) > 300), 100, 0)
    assert sum(found.case["x"]) > 300
    assert found.ties == 2 * (found.cases - 1)


def test_a_check_that_fails_only_now_and_then_is_told_too():
    calls = []

    def run(choose):
        calls.append(choose(range(10)))
        if len(calls) in (5, 20):
            broken = Broken("now and then")
            broken.case = {"x": 1}
            raise broken
        return 0

    found = search(run, 100, 0)
    assert (found.cases, found.why) == (5, "now and then")


def test_given_numbers_are_not_drawn():
    case = Case(chooser(0), given={"n": 2, "x": [7, 8]})
    assert case.one("n", (1,)) == 2
    assert case.many("x", range(3), 5) == [7, 8]
    assert case.many("y", (4,), 2, 3) == [[4, 4, 4], [4, 4, 4]]
    assert case.given == {"n": 2, "x": [7, 8], "y": [[4, 4, 4], [4, 4, 4]]}
