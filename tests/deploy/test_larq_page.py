"""The page about Larq: its lines run, and give what Larq gave."""

import doctest
import shutil
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_a_model_that_larq_trained(use_backend, monkeypatch, tmp_path):
    """Its accuracy and its logits are those that Larq itself printed."""
    page = EXAMPLES / "from_larq.md"
    text = page.read_text("utf-8")
    for number in ("0.9388889", "-0.5935796", "1.8449783"):  # in Larq's output
        assert number in text
    shutil.copytree(EXAMPLES / "results", tmp_path / "examples" / "results")
    monkeypatch.chdir(tmp_path)  # what its lines write stays out of the tree
    use_backend("reference")
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted == 16
    assert found.failed == 0
