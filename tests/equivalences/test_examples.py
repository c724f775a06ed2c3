"""The examples about equivalences: the page's numbers, and the scripts at smoke size."""

import doctest
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_page_is_as_it_runs():
    page = EXAMPLES / "equivalences.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 20
    assert found.failed == 0


@pytest.fixture
def example(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda name: runpy.run_path(str(EXAMPLES / name))["main"]


def test_two_optimizers_one_algorithm(example, capsys, tmp_path):
    result = example("06_two_optimizers_one_algorithm.py")(12)
    assert result.ok
    assert "0 of 93,728 signs differ after 12 steps" in capsys.readouterr().out
    assert (tmp_path / "two_optimizers_one_algorithm.png").exists()


def test_check_your_port(example, capsys):
    right, mislabelled, wrong = example("07_check_your_port.py")(40)
    assert right.ok
    assert {"bop.average", "bop.ties"} <= set(mislabelled.failed)
    assert "bop.rule" in wrong.failed
    assert "it looks at the m before the step" in capsys.readouterr().out
