"""The pages about equivalences: their numbers are what their lines give."""

import doctest
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.ci
@pytest.mark.parametrize(("page", "lines"), [("equivalences.md", 20), ("descent.md", 15)])
def test_the_page_is_as_it_runs(page, lines):
    file = str(EXAMPLES / page)
    found = doctest.testfile(file, module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > lines
    assert found.failed == 0
