"""The page about equivalences: its numbers are what its lines give."""

import doctest
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_page_is_as_it_runs():
    page = EXAMPLES / "equivalences.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 20
    assert found.failed == 0
