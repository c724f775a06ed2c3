"""The course of a sweep: what is run, tried again, given up and reported; cells are pretended."""

import csv
import json
import os
import re
import signal
import sys
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
import pytest

from minibnn import InputError
from minibnn.training import Interrupted, sweep
from minibnn.training.sweep.worker import Outcome

PLOTS = sys.modules["minibnn.training.sweep.plots"]
GRID = {"gamma": [0.1, 0.01], "threshold": [0, 1e-6]}
KILLED = Outcome(-9, "killed by SIGKILL; its last line: epoch 1/2")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    monkeypatch.setattr(PLOTS, "draw_sweep", lambda *_: None)


@pytest.fixture
def trained(after):
    """Stands for a cell's process: leaves a finished run, whatever its settings."""

    def act(task, *_):
        after(task.folder, 2)
        return Outcome(0)

    return act


def run(tmp_path, small, act, at_once, said=None, **changes):
    executor = at_once(act)
    result = sweep(
        **{"grid": GRID, "out": tmp_path / "s", "options": small, "executor": executor} | changes,
        progress=False if said is None else said.append,
    )
    return result, executor


def statuses(result):
    return [row["status"] for row in result.rows]


def test_every_cell_gets_a_row(tmp_path, small, at_once, trained):
    said = []
    result, executor = run(tmp_path, small, trained, at_once, said, seeds=[0, 1])
    assert statuses(result) == ["done"] * 8 == [row["status"] for row in written(result.folder)]
    assert [line.split()[1] for line in said] == [f"{k}/8" for k in range(1, 9)]
    name = "gamma=0.1_threshold=0_seed=0"
    assert re.fullmatch(rf"cell 1/8  {name}  best test \S+ % in epoch \d, \S+ s", said[0])
    assert [row["gamma"] for row in result.rows] == [0.1, 0.1, 0.01, 0.01] * 2
    assert [row["seed"] for row in result.rows] == [0] * 4 + [1] * 4
    assert len({task.folder for task in executor.tasks}) == 8
    assert not result.failed
    assert "8 of 8 cells done" in repr(result)


def written(folder):
    with open(folder / "summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_tasks_are_those_of_train(tmp_path, small, at_once, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIBNN_DATA", "there")
    _, executor = run(tmp_path, small, trained, at_once, out="s", threads=3)
    task = executor.tasks[1]
    assert Path(task.folder) == tmp_path / "s" / "gamma=0.1_threshold=1e-06_seed=0"
    assert task.options["optimizer"] == "bop:gamma=0.1,threshold=1e-06"
    own = {"seed": 0, "out": task.folder, "resume": True}
    assert json.loads(task.text()) == task.options | own
    assert (task.cwd, task.threads) == (str(tmp_path), 3)
    assert task.environment["MINIBNN_DATA"] == "there"
    assert executor.tasks[0].threads == 3
    options = small | {"epochs": np.int64(1)}  # which JSON does not hold
    assert sweep(GRID, "t", options=options, executor=executor, progress=False)
    assert executor.tasks[-1].threads == 1  # an executor given shares nothing out by itself


def test_a_second_start_does_what_is_missing(tmp_path, small, at_once, trained):
    def third_fails(task, number):
        return Outcome(2, "no space left") if number == 2 else trained(task)

    result, _ = run(tmp_path, small, third_fails, at_once)
    assert statuses(result) == ["done", "done", "failed", "done"]
    said = []
    result, executor = run(tmp_path, small, trained, at_once, said)
    assert [Path(t.folder).name for t in executor.tasks] == ["gamma=0.01_threshold=0_seed=0"]
    assert [line[:26] for line in said] == ["cell 4/4  gamma=0.01_thres"]
    assert statuses(result) == ["done"] * 4
    _, executor = run(tmp_path, small, trained, at_once)
    assert not executor.tasks


def test_more_epochs_take_every_cell_up_again(tmp_path, small, at_once, trained, after):
    run(tmp_path, small, trained, at_once)

    def longer(task, _):
        assert task.options["epochs"] == 3
        after(task.folder, 3)
        return Outcome(0)

    result, executor = run(tmp_path, small | {"epochs": 3}, longer, at_once)
    assert len(executor.tasks) == 4
    assert [row["epochs"] for row in result.rows] == [3] * 4


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (KILLED, "killed by SIGKILL"),
        (OSError("the worker left"), "its worker was lost: OSError: the worker left"),
    ],
)
def test_a_killed_cell_is_tried_once_more(tmp_path, small, at_once, trained, end, words):
    def act(task, number):
        if number != 1:
            return trained(task)
        if isinstance(end, Exception):
            raise end
        return end

    said = []
    result, executor = run(tmp_path, small, act, at_once, said)
    assert statuses(result) == ["done"] * 4
    assert len(executor.tasks) == 5
    assert executor.tasks[4] == executor.tasks[1]
    (note,) = [line for line in said if line.startswith("note: ")]
    assert note.startswith(f"note: gamma=0.1_threshold=1e-06_seed=0: {words}")
    assert note.endswith("once more")


def test_a_cell_that_is_killed_twice_has_failed(tmp_path, small, at_once, trained):
    said = []

    def act(task, number):
        return KILLED if "gamma=0.1_threshold=0" in task.folder else trained(task)

    result, executor = run(tmp_path, small, act, at_once, said)
    assert len(executor.tasks) == 5
    assert statuses(result) == ["failed", "done", "done", "done"]
    (row,) = result.failed
    first = written(result.folder)[0]
    assert row["error"] == KILLED.error == first["error"]
    assert f"cell 4/4  gamma=0.1_threshold=0_seed=0  FAILED: {KILLED.error}" in said
    assert row["best_accuracy"] is None
    assert first["best_accuracy"] == ""


def test_a_run_that_refuses_is_not_tried_again(tmp_path, small, at_once):
    """It would say the same again: runs repeat bit for bit."""
    result, executor = run(tmp_path, small, lambda *_: Outcome(2, "the loss is nan"), at_once)
    assert len(executor.tasks) == 4
    assert [row["error"] for row in result.rows] == ["the loss is nan"] * 4


def test_a_broken_executor_leaves_the_rest_for_later(tmp_path, small, at_once, trained):
    class Breaks(at_once):
        def submit(self, fn, /, task):
            if len(self.tasks) == 2:
                raise BrokenExecutor("a process died")
            return super().submit(fn, task)

    result, _ = run(tmp_path, small, trained, Breaks)
    assert statuses(result) == ["done", "done", "failed", "failed"]
    assert "BrokenExecutor: a process died" in result.failed[0]["error"]


def test_a_worker_elsewhere_is_found_out(tmp_path, small, at_once, after):
    result, _ = run(tmp_path, small, lambda *_: Outcome(0), at_once)
    assert all("does not share the folder" in row["error"] for row in result.failed)
    assert len(result.failed) == 4

    def halfway(task, _):
        after(task.folder, 1)
        return Outcome(0)

    result, _ = run(tmp_path, small, halfway, at_once)
    assert ["before its last epoch" in row["error"] for row in result.failed] == [True] * 4


def test_a_signal_stops_the_cells_and_says_how_to_go_on(tmp_path, small, at_once, trained, after):
    def act(task, number):
        if number == 1:
            os.kill(os.getpid(), signal.SIGINT)
            after(task.folder, 1)
            return Outcome(143, "stopped", stopped=True)
        if number > 1:  # what a worker does once the stop file is there
            return Outcome(143, "not started", stopped=True)
        return trained(task)

    said = []
    with pytest.raises(Interrupted, match="1 of 4 cells are done") as stop:
        run(tmp_path, small, act, at_once, said)
    assert stop.value.exit_code == 130
    assert str(stop.value).endswith("; go on with the same call")
    assert stop.value.folder == tmp_path / "s"
    assert not list((tmp_path / "s").glob(".stop*"))
    seen = [row["status"] for row in written(tmp_path / "s")]
    assert seen == ["done", "stopped", "waiting", "waiting"]
    result, executor = run(tmp_path, small, trained, at_once)
    assert len(executor.tasks) == 3
    assert statuses(result) == ["done"] * 4


def test_cells_are_asked_to_stop_before_anything_is_told(tmp_path, small, at_once, trained):
    """Telling may fail: a closed terminal sends its signal first."""

    class Told(list):
        def append(self, text):
            super().append(len(list((tmp_path / "s").glob(".stop-*"))))

    def act(task, number):
        if number == 0:
            os.kill(os.getpid(), signal.SIGHUP)
        return Outcome(143, "not started", stopped=True)

    told = Told()
    with pytest.raises(Interrupted) as stop:
        run(tmp_path, small, act, at_once, told)
    assert (told, stop.value.exit_code) == ([1], 129)
    assert not list((tmp_path / "s").glob(".stop-*"))


def test_a_figure_that_fails_does_not_hide_an_interruption(
    tmp_path, small, at_once, trained, monkeypatch
):
    def draw(*_):
        raise TypeError("no figure")

    def act(task, number):
        if number == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return Outcome(143, "not started", stopped=True)

    monkeypatch.setattr(PLOTS, "draw_sweep", draw)
    with pytest.raises(Interrupted, match="0 of 4 cells are done"):
        run(tmp_path, small, act, at_once)
    with pytest.raises(TypeError, match="no figure"):
        run(tmp_path, small, trained, at_once)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jobs": 2}, "jobs belongs to the executor"),
        ({"seeds": []}, "seeds must be different integers"),
        ({"options": {"seed": 3}}, "options cannot hold seed: seeds are given by seeds"),
        ({"progress": 3}, "progress must be None, False or a function, found 3"),
    ],
)
def test_bad_arguments(tmp_path, small, at_once, changes, message):
    how = {"options": small, "executor": at_once(None)} | changes
    with pytest.raises(InputError, match=message):
        sweep(GRID, tmp_path / "s", **how)
    assert not list(tmp_path.iterdir())


def test_lines_are_printed_unless_somebody_takes_them(tmp_path, small, at_once, trained, capsys):
    how = {"options": small, "executor": at_once(trained)}
    sweep({"gamma": [0.1]}, tmp_path / "a", **how)
    assert capsys.readouterr().out.startswith("cell 1/1  gamma=0.1_seed=0  best test ")
    sweep({"gamma": [0.1]}, tmp_path / "b", **how, progress=False)
    assert capsys.readouterr().out == ""
