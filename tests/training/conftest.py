"""A subprocess that can be killed; runs that do not spend their time on drawing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("small_runs")


@pytest.fixture(autouse=True)
def empty_plots(monkeypatch, request):
    """Runs write empty plots; test_plots draws real ones."""
    if request.path.name != "test_plots.py":
        monkeypatch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """The folder of a small fit, to be looked at only."""
    from small_runs import fit

    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
        fit(folder)
    return folder


@pytest.fixture
def a_run(finished_run, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished_run, tmp_path / "run")


@pytest.fixture
def start_python():
    """Start Python on a program that may import small_runs; returns the Popen."""
    started = []

    def start(program):
        paths = f"{Path(__file__).parent}{os.pathsep}{os.environ['PYTHONPATH']}"
        # A background shell may have told its children to ignore Ctrl-C.
        program = f"import signal\nsignal.signal(2, signal.default_int_handler)\n{program}"
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": paths},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_python(start_python):
    """Run such a program to its end; returns (exit code, stdout, stderr)."""

    def run(program):
        process = start_python(program)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run
