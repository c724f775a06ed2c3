"""config.json of a run that is taken up again: what stays on record, and what is told."""

import pytest

import minibnn as bnn
from minibnn.training.config import adopt_config, check_config
from minibnn.training.run_folder import RunFolder

STARTED = {"minibnn": "1", "computed_by": {"backend": "numba", "simd": "avx2"}}
TWO = {"mpi": {"ranks": 2, "sync_batch_norm": False}}


def config(**changes):
    return {"kind": "fit", "epochs": 2, "options": None} | STARTED | changes


@pytest.mark.parametrize(("before", "now"), [({}, TWO), (TWO, {})])
def test_the_ranks_of_the_start_stay_on_record(tmp_path, before, now):
    adopt_config(RunFolder(tmp_path), config(**before))
    notes = []
    adopt_config(
        RunFolder(tmp_path, resume=True), config(**now, epochs=3, minibnn="2"), notes.append
    )
    assert RunFolder(tmp_path).read_config() == config(**before, epochs=3)
    assert any("now 2" in text for text in notes)
    assert any("rank" in text for text in notes)


def test_what_a_config_says_is_told_in_one_line(tmp_path):
    adopt_config(RunFolder(tmp_path), config(minibnn="1\x1b[2J\n"))
    notes = []
    adopt_config(RunFolder(tmp_path, resume=True), config(), notes.append)
    assert [text.isprintable() for text in notes] == [True]


def test_looking_writes_nothing(tmp_path):
    adopt_config(RunFolder(tmp_path), config())
    before = (tmp_path / "config.json").read_bytes()
    check_config(RunFolder(tmp_path, resume=True), config(epochs=5))
    with pytest.raises(bnn.InputError, match="holds another run: seed was absent, now 1"):
        check_config(RunFolder(tmp_path, resume=True), config(seed=1))
    assert (tmp_path / "config.json").read_bytes() == before
