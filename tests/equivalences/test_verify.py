"""verify: what it reports, with and without Hypothesis, and when something is wrong."""

import copy
import subprocess
import sys

import pytest

from minibnn import equivalences
from minibnn.equivalences import CATALOGUE, Broken, verify
from minibnn.equivalences.steps import Steps
from minibnn.equivalences.verify import verify_entry


def test_the_catalogue_holds():
    report = verify(examples=20)
    assert report.ok
    assert [row.id for row in report.rows] == list(CATALOGUE)
    for row in report.rows:
        assert row.verdict == "holds"
        assert row.cases == 20
        assert row.broken == row.counterexamples > 0
    assert f"{len(CATALOGUE)} of {len(CATALOGUE)} hold" in str(report)


def test_same_seed_same_report():
    first, again, other = (verify(["E4", "E8"], examples=40, seed=s) for s in (1, 1, 2))
    assert [row.ties for row in first.rows] == [row.ties for row in again.rows]
    assert [row.ties for row in first.rows] != [row.ties for row in other.rows]


def test_some_of_it():
    assert [row.id for row in verify(["e9", "E2"], examples=5).rows] == ["E2", "E9"]
    report = verify("E12", examples=5)
    assert [row.id for row in report.rows] == ["E12"]
    assert report["E12"].counterexamples == 2
    with pytest.raises(KeyError):
        report["E2"]


def false_entry():
    """E4 with a claim that fails where the first gradient is at least 2."""

    def claim(x):
        entry.claims["decay_is_average"][0](x)
        x.require(x.given["g"][0][0] < 2, "the first gradient is large")

    entry, false = CATALOGUE["E4"], copy.copy(CATALOGUE["E4"])
    false.claims = {"claim": (claim, lambda steps: True)}
    return false


def test_a_false_statement_fails_with_its_smallest_case():
    row = verify_entry(false_entry(), Steps(), examples=200, seed=0)
    assert row.verdict == "FAILS"
    assert row.why.endswith("the first gradient is large")
    assert (row.case["numbers"], row.case["g"], row.case["latent"]) == ("float32", [[2]], [0.0])


def test_a_failure_can_be_pasted(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "E4", false_entry())
    report = verify(["E4"], examples=200)
    assert not report.ok
    assert report.failed == ["E4"]
    with pytest.raises(Broken, match="the first gradient is large"):
        exec(report["E4"].paste, {})
    assert report["E4"].paste in str(report)


def test_a_counterexample_that_does_not_break_is_a_failure():
    entry = copy.copy(CATALOGUE["E4"])
    entry.counterexamples = list(entry.counterexamples)
    entry.breaks("nothing is dropped")(entry.example)
    row = verify_entry(entry, Steps(), examples=5, seed=0)
    assert row.verdict == "FAILS"
    assert "nothing is dropped" in row.why
    assert row.broken == row.counterexamples - 1


def test_works_without_hypothesis_and_imports_nothing_heavy(tmp_path):
    """In an interpreter that cannot import it, and leaving no files behind."""
    code = (
        "import sys; from minibnn import equivalences\n"
        "assert not {'hypothesis', 'minibnn.ops.kernels'} & sys.modules.keys()\n"
        "sys.modules['hypothesis'] = None\n"
        "assert equivalences.verify(examples=5).ok\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    assert not list(tmp_path.iterdir())


def test_the_backend_in_use_is_left_alone(use_backend):
    from minibnn.ops.backend import ops

    use_backend("reference")
    equivalences.verify(["E16"], examples=3, backend="numba")
    assert ops.backend == "reference"
