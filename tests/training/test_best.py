"""best.npz: which epoch's network it is, whatever happened in between."""

import numpy as np
import pytest
from small_runs import BOP, compare, fit, small_data, small_net

import minibnn as bnn
from minibnn.files import checkpoint
from minibnn.training import TrainingError, keeper

FAST = {"spec": "bop:gamma=0.5,threshold=0", "epochs": 8}  # its accuracy goes up and down


class Scripted:
    """Accuracies that are given instead of measured."""

    def __init__(self, monkeypatch, values):
        from minibnn.training.run import Run

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
    Scripted(monkeypatch, values)
    fit(tmp_path / "run", epochs=4)
    meta, _ = best(tmp_path / "run")
    assert meta["epoch"] == epoch
    assert meta["best"] == {"test_accuracy": values[epoch - 1]}
    net = small_net()
    monkeypatch.undo()
    fit(net=net, epochs=epoch)
    kept = bnn.load(tmp_path / "run/best.npz")
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(kept.state_dict()[name], array)


def test_it_evaluates_to_what_was_measured(tmp_path):
    history = fit(tmp_path / "run", **FAST)
    meta, _ = best(tmp_path / "run")
    row = history.best()
    assert row["epoch"] == meta["epoch"]
    assert row["epoch"] < 8, "an accuracy that only rises shows nothing"
    result = bnn.evaluate(bnn.load(tmp_path / "run/best.npz"), small_data())
    assert result.accuracy == row["test_accuracy"] == meta["best"]["test_accuracy"]


def test_validation_decides_if_there_is_one(tmp_path):
    history = fit(tmp_path / "run", **FAST, validation=30)
    meta, _ = best(tmp_path / "run")
    row = history.best("validation_accuracy")
    assert meta["best"] == {"validation_accuracy": row["validation_accuracy"]}
    assert meta["epoch"] == row["epoch"]


def test_a_resumed_run_keeps_the_same(tmp_path, monkeypatch):
    values = [0.5, 0.7, 0.6, 0.65, 0.8, 0.7]
    Scripted(monkeypatch, values)
    fit(tmp_path / "run", epochs=3)
    assert best(tmp_path / "run")[0]["epoch"] == 2
    fit(tmp_path / "run", epochs=4, resume=True)
    assert best(tmp_path / "run")[0]["epoch"] == 2  # 0.65 is not the best of all
    fit(tmp_path / "run", epochs=6, resume=True)
    fit(tmp_path / "whole", epochs=6)
    kept = [(tmp_path / name / "best.npz").read_bytes() for name in ("run", "whole")]
    assert kept[0] == kept[1]


def test_it_is_the_checkpoints_after_a_crash_and_another_way_on(tmp_path, monkeypatch):
    """The best epoch was after the checkpoint, and the run that goes on does not repeat it."""
    Scripted(monkeypatch, [0.5, 0.7, 0.6, 0.65, 0.9, 0.6])

    def crash(run, row):
        if row["epoch"] == 6:
            raise KeyError("a power cut")

    with pytest.raises(KeyError):
        fit(tmp_path / "run", epochs=6, checkpoint_every=3, callbacks=[crash])
    assert best(tmp_path / "run")[0]["epoch"] == 2
    Scripted(monkeypatch, [0.5, 0.7, 0.6, 0.65])  # as after raised --epochs with schedules
    history = fit(tmp_path / "run", epochs=6, resume=True, callbacks=[lambda *_: True])
    assert (len(history), history.best()["epoch"]) == (4, 2)
    assert best(tmp_path / "run")[0]["epoch"] == 2


def test_it_is_written_with_the_checkpoint_that_knows_of_it(tmp_path, monkeypatch):
    written = []
    for name in ("stage", "commit"):
        own = getattr(keeper, name)
        monkeypatch.setattr(
            keeper,
            name,
            lambda path, *data, own=own: (
                written.append((own.__name__, path.name)),
                own(path, *data),
            ),
        )
    fit(tmp_path / "run", epochs=1)
    names = ("checkpoint.npz", "best.npz")
    assert written == [(how, name) for how in ("stage", "commit") for name in names]


def test_a_crash_between_the_two_renames(tmp_path, monkeypatch):
    Scripted(monkeypatch, [0.5, 0.7, 0.6])
    commit = keeper.commit

    def crash(path):
        saved = (
            checkpoint.read(path.parent / "checkpoint.npz")[0] if path.name == "best.npz" else {}
        )
        if saved.get("epoch") == 2:
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


def test_each_run_of_a_comparison_has_its_own(tmp_path):
    result = compare(tmp_path / "run", epochs=4)
    for name, history in result.histories.items():
        assert best(tmp_path / "run" / name)[0]["epoch"] == history.best()["epoch"]
    assert not (tmp_path / "run/best.npz").exists()


def test_it_holds_a_bit_per_weight_and_no_optimizer(tmp_path):
    fit(tmp_path / "run", epochs=1)
    _, arrays = best(tmp_path / "run")
    assert all(name.startswith("network/") for name in arrays)


def test_the_disk_full_while_it_is_written(tmp_path, monkeypatch):
    Scripted(monkeypatch, [0.5, 0.7])
    fit(tmp_path / "run", epochs=1)
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").glob("*.npz")}
    with monkeypatch.context() as patch:
        stage = keeper.stage

        def full(path, data):
            if path.name == "best.npz":
                raise OSError(28, "No space left on device")
            stage(path, data)

        patch.setattr(keeper, "stage", full)
        with pytest.raises(TrainingError, match=r"best.npz failed: No space left .*is kept"):
            fit(tmp_path / "run", epochs=2, resume=True)
    for name in ("best.npz", "checkpoint.npz"):
        assert (tmp_path / "run" / name).read_bytes() == before[name]
    assert not list((tmp_path / "run").glob("*.new"))
    fit(tmp_path / "run", epochs=2, resume=True)
    assert best(tmp_path / "run")[0]["epoch"] == 2


def test_it_is_no_checkpoint_to_go_on_from(tmp_path):
    fit(tmp_path / "run", epochs=2)
    (tmp_path / "run/best.npz").rename(tmp_path / "run/checkpoint.npz")
    with pytest.raises(bnn.InputError, match=r"holds a network alone .*best\.npz"):
        fit(tmp_path / "run", epochs=3, resume=True, spec=BOP)
