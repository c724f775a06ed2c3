"""Sweeps with real processes: every cell as alone, whoever dies."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from sweep_checks import Killer, assert_as_alone

from minibnn.training import sweep
from minibnn.training.metrics import read_rows
from minibnn.training.sweep import executors, worker
from minibnn.training.sweep.run import Plan
from minibnn.training.sweep.worker import Job, Outcome, ask_to_stop, run_cell

LONG = {"filters": 4, "dense-units": 16, "batch-size": 20, "epochs": 500}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(executors, "cores", lambda: range(2))


@pytest.fixture
def job(tmp_path):
    """A function: the Job of a cell in ``tmp_path / "cell"``."""

    def make(options=None, **changes):
        folder, stop = str(tmp_path / "cell"), str(tmp_path / ".stop")
        return Job(options or {}, folder, str(tmp_path), {}, 1, stop)._replace(**changes)

    return make


@pytest.mark.ci
@pytest.mark.parametrize(
    "gammas", [[0.1], pytest.param([0.1, 0.01, 0.001], marks=pytest.mark.slow)]
)
def test_two_processes_one_of_them_killed(tmp_path, small, monkeypatch, gammas):
    """As each would be alone; the killed one goes on from its checkpoint."""
    monkeypatch.delenv("MINIBNN_NUM_THREADS", raising=False)  # two cores for two cells
    options = small | {"epochs": 6, "batch-size": 50}
    grid = {"gamma": gammas, "threshold": [0, 1e-6]}
    plan = Plan(grid, {}, None, 0, [0], options)
    said = []
    killer = Killer(tmp_path / "s" / plan.cells[1].name)
    result = sweep(grid, tmp_path / "s", options=options, jobs=2, progress=said.append)
    assert [row["status"] for row in result.rows] == ["done"] * len(plan.cells)
    (note,) = [line for line in said if line.startswith("note: ")]
    assert "killed by SIGKILL" in note
    log = (killer.folder / "log.txt").read_text()
    assert log.count("data:  ") == 2  # two starts
    assert_as_alone(tmp_path / "s", plan.cells, tmp_path)
    assert {p.name for p in (tmp_path / "s").iterdir() if p.is_file()} == {
        ".lock", "sweep.json", "summary.csv", "curves.png", *["heatmap.png"] * (len(gammas) > 1),
    }  # fmt: skip


@pytest.mark.slow
def test_a_process_pool(tmp_path, small):
    """An executor of the standard library, with spawned workers."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        result = sweep({"gamma": [0.1, 0.01]}, tmp_path / "s", options=small, executor=pool,
                       progress=False)  # fmt: skip
    assert [row["status"] for row in result.rows] == ["done"] * 2
    assert_as_alone(tmp_path / "s", Plan({"gamma": [0.1, 0.01]}, {}, None, 0, [0], small).cells,
                    tmp_path)  # fmt: skip


def test_a_cell_is_asked_to_stop_and_saves(tmp_path, job, monkeypatch):
    asked = job(LONG)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_cell, asked)
        while not read_rows(tmp_path / "cell" / "metrics.csv") and not future.done():
            time.sleep(0.05)
        ask_to_stop(asked.stop_file)
        outcome = future.result(timeout=60)
    assert outcome.stopped
    assert outcome.code == 143
    assert "stopped by SIGTERM" in outcome.error
    assert (tmp_path / "cell" / "checkpoint.npz").exists()
    assert run_cell(asked) == Outcome(143, "not started", stopped=True)


@pytest.mark.slow
def test_a_cell_stops_when_its_worker_is_killed(tmp_path, job):
    """Nothing tells it but the end of its standard input."""
    program = f"from minibnn.training.sweep.worker import *\nrun_cell({job(LONG)!r})"
    parent = subprocess.Popen([sys.executable, "-c", program])
    while not read_rows(tmp_path / "cell" / "metrics.csv") and parent.poll() is None:
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    worker._wait_for_lock(tmp_path / "cell")
    log = (tmp_path / "cell" / "log.txt").read_text()
    assert "minibnn: stopped by SIGTERM after" in log
    assert (tmp_path / "cell" / "checkpoint.npz").exists()


def test_a_cell_is_ended_at_once(tmp_path, job, monkeypatch):
    """After a second Ctrl-C nobody waits for the batch."""
    answers = [None]  # at the start; then as the file says
    ask = worker._asked_to_stop
    monkeypatch.setattr(worker, "_asked_to_stop", lambda t: answers.pop() if answers else ask(t))
    asked = job(LONG)
    ask_to_stop(asked.stop_file, now=True)
    outcome = run_cell(asked)
    assert (outcome.code, outcome.stopped) == (-9, True)
    assert "killed by SIGKILL" in outcome.error


def test_what_a_failed_cell_says(tmp_path, job):
    outcome = run_cell(job({"optimizer": "rop"}))
    assert outcome.code == 2
    assert outcome.error.startswith("optimizer must be one of bop, ")
    assert not outcome.stopped
    outcome = run_cell(job(cwd=str(tmp_path / "none")))
    assert outcome.code == 2
    assert "could not be started: " in outcome.error
    outcome = run_cell(job(threads=4096))
    assert "threads must be from 1 to " in outcome.error


def test_a_crash_is_told_with_its_last_line(tmp_path, job, monkeypatch):
    (tmp_path / "minibnn").mkdir()
    (tmp_path / "minibnn" / "__init__.py").touch()
    (tmp_path / "minibnn" / "cli").mkdir()
    crash = "import os, sys\nprint('so far\\n', flush=True)\n"
    for code, words in (
        ("raise RuntimeError('too\\n  bad')", "exit code 1; its last line: bad"),
        ("os.abort()", "killed by SIGABRT; its last line: so far"),
        ("sys.exit(7)", "exit code 7; its last line: so far"),
    ):
        (tmp_path / "minibnn" / "cli" / "cell.py").write_text(crash + code)
        outcome = run_cell(job())
        assert words in outcome.error
        assert outcome.code != 2


def test_a_cell_raises_nothing(tmp_path, job, monkeypatch):
    see_through = worker._see_through

    def gone(child, job):
        ended = see_through(child, job)
        (tmp_path / "cell" / "log.txt").unlink()
        return ended

    monkeypatch.setattr(worker, "_see_through", gone)
    outcome = run_cell(job({"optimizer": "rop"}))
    assert outcome == Outcome(2, "it wrote nothing")
    outcome = run_cell(job(stop_file=str(tmp_path)))  # a folder
    assert outcome.code == 2
    assert outcome.error.startswith("could not be started: ")


def test_a_folder_in_use_is_waited_for(tmp_path, monkeypatch):
    """A child whose worker died may still be saving there."""
    import fcntl

    with open(tmp_path / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waited = []

        def sleep(seconds):
            waited.append(seconds)
            if len(waited) == 3:
                fcntl.flock(lock, fcntl.LOCK_UN)

        monkeypatch.setattr(worker.time, "sleep", sleep)
        worker._wait_for_lock(tmp_path)
    assert len(waited) == 3
    with open(tmp_path / ".lock") as lock:  # and is left free
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.slow
def test_a_sweep_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, small):
    options = small | {"epochs": 40, "batch-size": 50}
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "minibnn", "sweep", "--grid", "gamma=0.1,0.01", *words]
    started = subprocess.Popen(
        [*command, "--out", "s"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    cells = Plan({"gamma": [0.1, 0.01]}, {}, None, 0, [0], options).cells
    first = tmp_path / "s" / cells[0].name / "metrics.csv"
    while not read_rows(first) and started.poll() is None:
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 143, err
    assert err.startswith("minibnn: stopped by SIGTERM: 0 of 2 cells are done")
    assert err.rstrip().endswith("go on with: minibnn sweep --resume --out s")
    subprocess.run([*command, "--out", "s"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert_as_alone(tmp_path / "s", cells, tmp_path)
