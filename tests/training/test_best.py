"""best.npz: which epoch's network it is, whatever happened in between."""

import pytest
from small_runs import BOP, assert_same_run, fit, small_net

import minibnn as bnn
from minibnn.files import checkpoint
from minibnn.training import keeper
from minibnn.training.run import Run


def script(monkeypatch, values):
    """Have accuracies given instead of measured."""
    measure = Run.measure

    def scripted(run, row, part, *rest):
        measure(run, row, part, *rest)
        row[f"{part}_accuracy"] = values[row["epoch"] - 1]

    monkeypatch.setattr(Run, "measure", scripted)


def best(folder):
    return checkpoint.read(folder / "best.npz")


@pytest.mark.parametrize(
    ("values", "epoch"),
    [([0.5, 0.7, 0.6, 0.7], 2), ([0.9, 0.1, 0.2, 0.3], 1), ([0.1, 0.2, 0.2, 0.3], 4)],
)
def test_the_first_of_the_highest_is_kept(tmp_path, monkeypatch, values, epoch):
    script(monkeypatch, values)
    fit(tmp_path / "run", epochs=4)
    meta, _ = best(tmp_path / "run")
    assert meta["epoch"] == epoch
    assert meta["best"] == {"test_accuracy": values[epoch - 1]}
    net = small_net()
    monkeypatch.undo()
    fit(net=net, epochs=epoch)
    assert bnn.load(tmp_path / "run/best.npz").digest() == net.digest()


@pytest.mark.parametrize(
    ("validation", "column"), [(0, "test_accuracy"), (30, "validation_accuracy")]
)
def test_validation_decides_if_there_is_one(tmp_path, validation, column):
    fast = "bop:gamma=0.5,threshold=0"  # its accuracy goes up and down
    history = fit(tmp_path / "run", spec=fast, epochs=8, validation=validation)
    meta, _ = best(tmp_path / "run")
    row = history.best(column)
    assert meta["best"] == {column: row[column]}
    assert meta["epoch"] == row["epoch"] < 8, "an accuracy that only rises shows nothing"


def test_a_resumed_run_keeps_the_same(tmp_path, monkeypatch):
    script(monkeypatch, [0.5, 0.7, 0.6, 0.65, 0.8, 0.7])
    fit(tmp_path / "run", epochs=3)
    fit(tmp_path / "run", epochs=4, resume=True)
    assert best(tmp_path / "run")[0]["epoch"] == 2  # 0.65 is not the best of all
    fit(tmp_path / "run", epochs=6, resume=True)
    fit(tmp_path / "whole", epochs=6)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_it_is_the_checkpoints_after_a_crash_and_another_way_on(tmp_path, monkeypatch):
    """The best epoch was after the checkpoint, and the run that goes on does not repeat it."""
    script(monkeypatch, [0.5, 0.7, 0.6, 0.65, 0.9, 0.6])

    def crash(run, row):
        if row["epoch"] == 6:
            raise KeyError("a power cut")

    with pytest.raises(KeyError):
        fit(tmp_path / "run", epochs=6, checkpoint_every=3, callbacks=[crash])
    assert best(tmp_path / "run")[0]["epoch"] == 2
    script(monkeypatch, [0.5, 0.7, 0.6, 0.65])  # as after raised --epochs with schedules
    history = fit(tmp_path / "run", epochs=6, resume=True, callbacks=[lambda *_: True])
    assert (len(history), history.best()["epoch"]) == (4, 2)
    assert best(tmp_path / "run")[0]["epoch"] == 2


def test_a_crash_between_the_two_renames(tmp_path, monkeypatch):
    script(monkeypatch, [0.5, 0.7, 0.6])
    commit = keeper.commit

    def crash(path):
        if path.name == "best.npz":
            meta, _ = checkpoint.read(path.parent / "checkpoint.npz")
            if meta["epoch"] == 2:
                raise KeyError("a power cut")
        commit(path)

    with monkeypatch.context() as patch:
        patch.setattr(keeper, "commit", crash)
        with pytest.raises(KeyError):
            fit(tmp_path / "run", epochs=3)
    assert best(tmp_path / "run")[0]["epoch"] == 1
    fit(tmp_path / "run", epochs=3, resume=True)
    assert best(tmp_path / "run")[0]["epoch"] == 2
    assert not list((tmp_path / "run").glob("*.new"))


def test_it_is_no_checkpoint_to_go_on_from(tmp_path):
    fit(tmp_path / "run", epochs=2)
    (tmp_path / "run/best.npz").rename(tmp_path / "run/checkpoint.npz")
    with pytest.raises(bnn.InputError, match=r"holds a network alone .*best\.npz"):
        fit(tmp_path / "run", epochs=3, resume=True, spec=BOP)
