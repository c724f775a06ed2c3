"""config.json of a run that is taken up again: what stays on record, and what is told."""

import pytest

from minibnn.errors import InputError
from minibnn.training.config import adopted

STARTED = {"minibnn": "1", "computed_by": {"backend": "numba", "simd": "avx2"}}


def config(**changes):
    own = {"kind": "fit", "epochs": 2, "options": {"command": "train"}, "network": {}}
    return own | STARTED | changes


def ranks(count, sync=False):
    return {"mpi": {"ranks": count, "sync_batch_norm": sync}} if count > 1 else {}


@pytest.mark.parametrize(("before", "now"), [(1, 2), (2, 1)])
def test_where_a_run_was_started_stays_on_record(before, now):
    elsewhere = {"minibnn": "2", "computed_by": {"backend": "reference"}}
    before, now = config(**ranks(before)), config(**ranks(now), epochs=3, **elsewhere)
    new, notes = adopted(before, now, "a")
    had = {"epochs": 2, "gradients": "float32", "repeatable": False}  # on other ranks
    assert new == before | {"epochs": 3, "earlier": [had]}
    version, backend, count = notes
    assert version.startswith("a was started with minibnn 1, now with minibnn 2: last bits may")
    assert backend.startswith("a was started on numba avx2, now on reference: last bits may")
    assert "1 rank" in count and "2 ranks with batch normalisation per rank" in count
    assert adopted(config(minibnn="1\x1b[2J\n"), config(), "a")[1][0].isprintable()


def test_another_number_of_ranks_is_noted():
    def notes(before, now):
        return adopted(config(**before), config(**now), "x")[1]

    assert notes(ranks(2), ranks(2)) == notes(ranks(1), ranks(1)) == []
    (note,) = notes(ranks(2, True), ranks(4, True))
    assert "on 2 ranks with batch normalisation synchronised, now on 4 ranks" in note
    assert len(notes(ranks(2, True), ranks(2))) == 1
    exact = {"machine_dependent": []}  # integer gradients: statistics of ranks make a difference
    assert notes(ranks(2, True) | exact, ranks(4, True) | exact) == []
    assert len(notes(ranks(2) | exact, ranks(4) | exact)) == 1


def test_a_longer_run_keeps_what_it_had_on_record():
    own = {k: {"epochs": k, "optimizer": {"kind": "a", "gamma": 9 - k}} for k in (2, 3, 4)}
    stages = [config(**own[k], network={"gradients": f"int{k + 5}"}) for k in own]
    found, _ = adopted(adopted(*stages[:2], "a")[0], stages[2], "a")
    assert found["earlier"] == [own[k] | {"gradients": f"int{k + 5}"} for k in (2, 3)]
    for stands, changes in ((1, 5), {}), ((2, 0), {"options": None}):
        (had,) = adopted(stages[0], stages[1] | changes, "a", stands)[0]["earlier"]
        assert had["repeatable"] is False
    with pytest.raises(InputError, match=r"a holds another run: optimizer.kind was a, now b"):
        adopted(stages[0], config(epochs=3, optimizer={"kind": "b", "gamma": 6}), "a")
    with pytest.raises(InputError, match="a holds another run: seed was absent, now 1"):
        adopted(config(), config(seed=1), "a")
