"""Signals while a run is on, and a terminal that is closed."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from minibnn.files import checkpoint
from minibnn.training.errors import StopRequest, terminal
from minibnn.training.metrics import read_rows
from minibnn.training.progress import Lines, reporter


@pytest.mark.parametrize("first", [[signal.SIGINT], [signal.SIGHUP, signal.SIGHUP]])
def test_a_second_signal_acts_at_once(first):
    """But of a closed terminal the shell sends one, and the system another when the shell ends."""
    before = signal.getsignal(first[0])
    with StopRequest() as stop:
        for signum in first:
            os.kill(os.getpid(), signum)
        assert stop.signum == first[0]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(first[0]) == before


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_words_that_cannot_be_written_are_lost_and_nothing_else(number):
    with StopRequest() as stop, terminal():
        raise OSError(number, os.strerror(number))
    assert stop.signum is None


def test_a_run_whose_reader_goes_away_saves_and_stops(tmp_path):
    words = "train --epochs 40 --checkpoint-every 50 --filters 4 --dense-units 8 --out run"
    run = subprocess.Popen(
        [sys.executable, "-m", "minibnn", *words.split()],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with run:
        for line in run.stdout:
            if line.startswith("epoch  2/40"):
                break
        run.stdout.close()
        said, code = run.stderr.read(), run.wait(timeout=60)
    assert code == 141  # 128 + SIGPIPE, as a shell says it
    assert said.count("\n") == 1
    assert "stopped by the end of the program that read its output" in said
    assert "minibnn train --resume --out run" in said
    meta, _ = checkpoint.read(tmp_path / "run/checkpoint.npz")
    rows = read_rows(tmp_path / "run/metrics.csv")
    assert 2 <= len(rows) == meta["epoch"] < 40


def test_a_run_without_standard_output_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert type(reporter()) is Lines
    with terminal():
        reporter().say("words")
