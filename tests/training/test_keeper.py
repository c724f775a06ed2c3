"""When a checkpoint is due, and how large it is."""

import numpy as np
import pytest
from small_runs import assert_same_run, compare, fit, optimizer, small_data

import minibnn as bnn
from minibnn.files import checkpoint
from minibnn.training import keeper


@pytest.fixture
def saved(monkeypatch):
    """Positions (epoch, step) of the checkpoints written."""
    stage, positions = keeper.stage, []

    def note(path, data):
        stage(path, data)
        if path.name != "checkpoint.npz":
            return
        meta, _ = checkpoint.read(f"{path}.new")
        positions.append((meta["epoch"], meta["step"]))

    monkeypatch.setattr(keeper, "stage", note)
    return positions


class Clock:
    """Goes on by 25 s at every look: once a batch and once after a save."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 25
        return self.now


@pytest.mark.parametrize(
    ("every", "epochs", "expected"),
    [(1, 3, [1, 2, 3]), (2, 4, [2, 4]), (2, 5, [2, 4, 5]), (9, 2, [2])],
)
def test_every_so_many_epochs_and_at_the_end(tmp_path, saved, every, epochs, expected):
    fit(tmp_path / "run", epochs=epochs, checkpoint_every=every)
    assert saved == [(epoch, 0) for epoch in expected]


def test_after_so_many_minutes_in_the_middle_of_an_epoch(tmp_path, saved, monkeypatch):
    monkeypatch.setattr(keeper, "time", Clock())
    fit(tmp_path / "run", epochs=2, checkpoint_every=9, checkpoint_minutes=2)
    # 25 s a batch: the fifth look is the first one 2 minutes after the last save; behind the last
    # step of an epoch the save waits for its end.
    assert saved == [(0, 5), (1, 0), (1, 5), (2, 0)]
    monkeypatch.undo()
    fit(tmp_path / "whole", epochs=2)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_no_minutes_no_saves_in_between(tmp_path, saved, monkeypatch):
    monkeypatch.setattr(keeper, "time", Clock())
    compare(tmp_path / "run", epochs=1)
    assert saved == [(1, 0), (1, 0)]


def test_how_often_is_saved_may_change_on_a_resume(tmp_path):
    fit(tmp_path / "run", epochs=1, checkpoint_every=5)
    fit(tmp_path / "run", epochs=2, checkpoint_every=1, checkpoint_minutes=7, resume=True)


@pytest.mark.parametrize(
    ("spec", "bits"),
    [("bop:gamma=1e-3", 32), ("latent-sgd:momentum=0", 32), ("latent-adam", 96), ("cema", 64)],
)
def test_a_checkpoint_has_a_bit_per_weight_beside_the_optimizers_floats(tmp_path, spec, bits):
    net = bnn.zoo.digits_net(filters=32, dense_units=128)
    weights = sum(p.size for p in net.parameters() if p.binary)
    reals = sum(p.size for p in net.parameters() if not p.binary)
    assert weights > 90_000
    data = small_data()
    bnn.fit(net, optimizer(spec), data, epochs=1, out=tmp_path / "run", progress=False)
    # A real parameter has Adam's two averages and, in batch normalisation, two statistics.
    around = 5 * 4 * reals + 20_000
    size = (tmp_path / "run/checkpoint.npz").stat().st_size
    flipped = 1  # telemetry's: whether a weight ever flipped
    assert weights * bits / 8 < size < weights * (1 + flipped + bits) / 8 + around
    assert (tmp_path / "run/best.npz").stat().st_size < weights / 8 + around
    _, best = checkpoint.read(tmp_path / "run/best.npz")
    assert all(name.startswith("network/") for name in best)
    _, arrays = checkpoint.read(tmp_path / "run/checkpoint.npz")
    for p in net.parameters():
        np.testing.assert_array_equal(arrays[f"network/{p.name}"], p.value)
