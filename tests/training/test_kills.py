"""Power cuts: a run killed again and again ends as one that was left alone."""

import random
import signal
import subprocess

import pytest
from killed_runs import KINDS, SETTINGS
from small_runs import assert_same_comparison, assert_same_run

import minibnn as bnn
from minibnn.files import checkpoint
from minibnn.training.metrics import read_rows
from minibnn.training.run_folder import read_config

RUNS = {"fit": ["."], "compare": ["bop", "latent-sgd"]}


class Lives:
    """Starts a run and kills it, checking after each death what is there."""

    def __init__(self, start_python, kind, out, epochs):
        self.start_python, self.kind, self.out, self.epochs = start_python, kind, out, epochs
        self.position = 0  # steps that the checkpoint holds

    def live(self, moment=0, seconds=None):
        """One life, ended by its own hand at a moment or from outside after so many seconds of
        training; returns whether it was killed."""
        arguments = self.kind, str(self.out), self.epochs, moment, self.out.exists()
        process = self.start_python(f"from killed_runs import start\nstart{arguments}")
        lines = []
        if seconds is not None:
            lines.append(process.stdout.readline())  # training has begun
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        out, err = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), err
        lines += out.splitlines()
        # of two runs in step, the first may be a step ahead
        done = [int(line) for line in lines if line.strip()][:: len(RUNS[self.kind])]
        self.check(done[-1] if done else 0)
        return process.returncode != 0

    def check(self, done):
        """What a power cut leaves: states that can be read, at most one step behind."""
        position = 0
        for run in RUNS[self.kind]:
            folder = self.out / run
            if (folder / "config.json").exists():
                assert read_config(folder)
            if (folder / "checkpoint.npz").exists():
                meta, _ = checkpoint.read(folder / "checkpoint.npz")
                position = 10 * meta["epoch"] + meta["step"]
                bnn.load(folder)
            if (folder / "best.npz").exists():
                assert bnn.load(folder / "best.npz")
            read_rows(folder / "metrics.csv")
        assert position >= max(self.position, done - 1)
        self.position = position


def same_as_left_alone(kind, out, epochs, whole):
    """Finish the run, and hold it against one that saved less often and was never interrupted."""
    KINDS[kind](out, epochs=epochs, resume=True, **SETTINGS)
    KINDS[kind](whole, epochs=epochs, **SETTINGS)
    assert not list(out.rglob("*.new"))
    if kind == "compare":
        assert_same_comparison(out, whole)
    else:
        assert_same_run(out, whole)
    assert len(read_rows(whole / "metrics.csv")) >= epochs


@pytest.mark.ci
@pytest.mark.parametrize(("kind", "moments"), [("fit", (41, 150)), ("compare", (90, 260))])
def test_killed_twice(tmp_path, start_python, kind, moments):
    lives = Lives(start_python, kind, tmp_path / "killed", epochs=4)
    for moment in moments:
        assert lives.live(moment)
        assert lives.position
    same_as_left_alone(kind, tmp_path / "killed", 4, tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "times"), [("fit", 50), ("compare", 20)])
def test_killed_many_times(tmp_path, start_python, kind, times):
    """Half of the deaths fall on a moment that was drawn, half on whatever is being done then."""
    draw = random.Random(1)
    lives = Lives(start_python, kind, tmp_path / "killed", epochs=40)
    kills = 0
    for life in range(times):
        if life % 2:
            kills += lives.live(seconds=draw.uniform(0, 0.1))
        else:
            kills += lives.live(moment=draw.randint(1, 90))
    assert kills == times, "the run ended before it was killed often enough"
    assert lives.position > times / 4
    same_as_left_alone(kind, tmp_path / "killed", 40, tmp_path / "whole")
