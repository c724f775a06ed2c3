"""Callbacks and early stopping."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_runs import fit, without_seconds

import minibnn as bnn
from minibnn.training import EarlyStopping, History


class Recorder:
    def __init__(self):
        self.seen = []

    def on_epoch_end(self, run, row):
        assert run.history.last is row
        assert run.epoch == row["epoch"]
        self.seen.append((run.name, row["epoch"], row["test_accuracy"]))
        return "anything but True"


def test_objects_and_functions_are_called_after_each_epoch():
    recorder, epochs = Recorder(), []
    history = fit(callbacks=[recorder, lambda run, row: epochs.append(row["epoch"])])
    assert recorder.seen == [("bop", row["epoch"], row["test_accuracy"]) for row in history.rows]
    assert epochs == [1, 2, 3]


def test_true_ends_the_run_and_a_resume_leaves_it_ended(tmp_path):
    how = {"validation": 20, "epochs": 9}
    history = fit(tmp_path / "run", callbacks=lambda run, row: row["epoch"] == 2, **how)
    assert [accuracy is None for accuracy in history["test_accuracy"]] == [True, False]
    with pytest.warns(UserWarning, match="stopped by a callback in epoch 2"):
        again = fit(tmp_path / "run", **how, resume=True)
    assert again.rows == history.rows


def stopped_at(values, **arguments):
    stopping = EarlyStopping("x_loss" if arguments.pop("down", False) else "x", **arguments)
    run = SimpleNamespace(history=History("a"))
    for epoch, value in enumerate(values, 1):
        row = {"epoch": epoch, stopping.column: value}
        run.history.rows.append(row)
        if stopping.on_epoch_end(run, row):
            return epoch
    return None


def test_early_stopping():
    assert stopped_at([0.1, 0.5, 0.4, 0.5, 0.6], patience=2) == 4
    assert stopped_at([0.1, 0.5, 0.4, 0.5, 0.6], patience=3) is None
    assert stopped_at([0.1, 0.5, 0.55, 0.59, 0.7], patience=2, min_delta=0.1) == 4
    assert stopped_at([3.0, 2.0, 2.5, 1.0, 1.5, 1.2], patience=2, down=True) == 6
    assert stopped_at([0.1] * 5, patience=1) == 2


def test_early_stopping_survives_a_resume(tmp_path):
    stop = EarlyStopping("test_loss", patience=1)
    whole = fit(tmp_path / "whole", callbacks=[stop], epochs=30)
    assert 1 < len(whole) < 30
    fit(tmp_path / "parts", callbacks=[stop], epochs=len(whole) - 1)
    parts = fit(tmp_path / "parts", callbacks=[stop], epochs=30, resume=True)
    assert without_seconds(parts.rows) == without_seconds(whole.rows)


def test_a_column_that_is_not_measured():
    with pytest.raises(bnn.InputError, match=r"'validation_accuracy' is not measured; .*test_loss"):
        fit(callbacks=EarlyStopping())
    with pytest.raises(bnn.InputError, match="'name' is not measured"):
        fit(callbacks=EarlyStopping("name"))
    with pytest.raises(bnn.InputError, match="patience must be 1 or more"):
        EarlyStopping(patience=float("nan"))
    for min_delta in ("0.1", float("nan")):
        with pytest.raises(bnn.InputError, match="min_delta must be a number"):
            EarlyStopping(min_delta=min_delta)


def test_a_boolean_of_numpy_ends_the_run_too():
    stop = lambda run, row: np.mean(run.history["test_accuracy"]) >= 0  # noqa: E731
    assert len(fit(epochs=3, callbacks=[stop])) == 1
    assert len(fit(epochs=2, callbacks=[lambda run, row: np.False_])) == 2
