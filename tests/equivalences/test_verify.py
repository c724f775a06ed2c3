"""verify: what it reports, with and without Hypothesis, and when something is wrong."""

import dataclasses
import json
import subprocess
import sys

import pytest

from minibnn import InputError, equivalences
from minibnn.equivalences import CATALOGUE, Broken, Counterexample, draws, verify
from minibnn.equivalences.entry import Steps
from minibnn.equivalences.verify import verify_entry


@pytest.fixture(params=[True, False], ids=["hypothesis", "seeded"])
def generator(request, monkeypatch):
    """Both ways of making cases."""
    monkeypatch.setattr(draws, "hypothesis_installed", lambda: request.param)
    return request.param


def test_the_catalogue_holds(generator):
    report = verify(examples=20)
    assert report.ok
    assert [row.id for row in report.rows] == list(CATALOGUE)
    for row in report.rows:
        assert row.verdict == "holds"
        assert row.cases == 20 or generator  # Hypothesis may see all there is
        assert row.broken == row.counterexamples > 0
    assert "19 of 19 hold" in str(report)
    assert ("Hypothesis" in report.generator) == generator


def test_same_seed_same_report(generator):
    first, again, other = (verify(["E4", "E8"], examples=40, seed=s) for s in (1, 1, 2))
    assert [row.ties for row in first.rows] == [row.ties for row in again.rows]
    assert [row.ties for row in first.rows] != [row.ties for row in other.rows]


def test_some_of_it():
    assert [row.id for row in verify(["e9", "E2"], examples=5).rows] == ["E2", "E9"]
    assert [row.id for row in verify("E2", examples=5).rows] == ["E2"]


def test_on_the_compiled_steps():
    assert verify(examples=10, backend="numba").ok


def false_entry(**changes):
    """E4 with a check that fails where the first gradient is at least 2."""
    entry = CATALOGUE["E4"]

    def check(case, run):
        entry.run_case(case, run)
        run.require(case["gradients"][0][0][0] < 2, "the first gradient is large")

    return dataclasses.replace(entry, **({"run_case": check} | changes))


def test_a_false_statement_fails_with_its_smallest_case(generator):
    row = verify_entry(false_entry(), Steps(), examples=200, seed=0)
    assert row.verdict == "FAILS"
    assert row.why == "the first gradient is large"
    smallest = row.case["gradients"]
    assert smallest[0][0][0] == 2
    assert sum(abs(g) for step in smallest for pattern in step for g in pattern) == 2
    assert row.case["latent"] == [0.0] * len(row.case["latent"])


def test_a_failure_can_be_pasted(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "E4", false_entry())
    report = verify(["E4"], examples=200)
    assert not report.ok
    assert report.failed == ["E4"]
    with pytest.raises(Broken, match="the first gradient is large"):
        exec(report["E4"].paste, {})
    assert report["E4"].paste in str(report)


def test_a_counterexample_that_does_not_break_is_a_failure(monkeypatch):
    entry = CATALOGUE["E4"]
    harmless = Counterexample("nothing is dropped", entry.example)
    row = verify_entry(
        dataclasses.replace(entry, counterexamples=(*entry.counterexamples, harmless)),
        Steps(),
        examples=5,
        seed=0,
    )
    assert row.verdict == "FAILS"
    assert "nothing is dropped" in row.why
    assert row.broken == row.counterexamples - 1


def test_report_as_plain_data():
    report = verify(["E1", "E12"], examples=5)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is True
    assert [row["id"] for row in data["rows"]] == ["E1", "E12"]
    assert report["E12"].counterexamples == 2
    with pytest.raises(KeyError):
        report["E2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ids": ["E4", "E20"]}, "no statement 'E20'; the catalogue has E1, E2"),
        ({"ids": [4]}, "no statement '4'"),
        ({"examples": 0}, "examples must be a whole number from 1 on; found 0"),
        ({"examples": 2.5}, "examples"),
        ({"seed": -1}, "seed must be a whole number from 0 on"),
        ({"seed": True}, "seed"),
        ({"rule": "geq"}, "rule must be one of strict, inclusive, larq; found 'geq'"),
        ({"average": "ema"}, "average must be one of convex, lerp"),
        ({"backend": "torch"}, "backend must be one of reference, numba"),
    ],
)
def test_bad_arguments_are_told_in_a_line(arguments, words):
    with pytest.raises(InputError, match=words) as told:
        verify(**arguments)
    assert "\n" not in str(told.value)


def test_works_without_hypothesis(tmp_path):
    """In an interpreter that cannot import it, and leaving no files behind."""
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from minibnn import equivalences\n"
        "report = equivalences.verify(examples=5)\n"
        "assert report.ok and report.generator == 'a seeded generator', report\n"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    assert not list(tmp_path.iterdir())


def test_importing_it_does_not_import_hypothesis_or_the_compiler():
    code = (
        "import sys; import minibnn.equivalences\n"
        "assert 'hypothesis' not in sys.modules\n"
        "assert 'minibnn.ops.kernels' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_backend_in_use_is_left_alone(use_backend):
    from minibnn.ops.backend import backend_name

    use_backend("reference")
    equivalences.verify(["E16"], examples=3, backend="numba")
    assert backend_name() == "reference"
