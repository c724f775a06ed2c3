"""The examples about packing and Larq: the page's lines run, and the script at smoke size."""

import doctest
import runpy
import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def beside_the_examples(monkeypatch, tmp_path):
    """What they write stays out of the tree."""
    (tmp_path / "examples").mkdir()
    shutil.copytree(EXAMPLES / "results", tmp_path / "examples" / "results")
    monkeypatch.chdir(tmp_path)


def test_a_model_that_larq_trained(use_backend):
    """Its accuracy and its logits are those that Larq itself printed."""
    page = EXAMPLES / "from_larq.md"
    text = page.read_text("utf-8")
    for number in ("0.9388889", "-0.5935796", "1.8449783"):  # in Larq's output
        assert number in text
    use_backend("reference")
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted == 16
    assert found.failed == 0


def test_packing(use_backend, capsys, tmp_path):
    use_backend("numba")  # and back to what it was after it
    differing, smaller = runpy.run_path(str(EXAMPLES / "09_packing.py"))["main"](1, repeats=1)
    assert differing == 0
    assert 28 < smaller < 32
    assert "0 of 3,600 logits differ" in capsys.readouterr().out
    assert (tmp_path / "packing.png").stat().st_size > 5000
