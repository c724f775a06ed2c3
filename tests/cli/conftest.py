"""A folder of its own for every test, and a function that runs a command line."""

import re

import pytest

from minibnn.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every test in a folder of its own, with empty figures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIBNN_DATA", raising=False)
    monkeypatch.setenv("MINIBNN_NUM_THREADS", "1")  # small runs do not gain from more
    monkeypatch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command line; returns (exit code, standard output, standard error)."""

    def run(*arguments):
        code = main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def works(run):
    """Run a command line that must end with 0 and complain of nothing; returns its output."""

    def works(*arguments):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out

    return works


@pytest.fixture
def fails(run):
    """Run a command line that must end with 2 and one line that matches; returns its output."""

    def fails(message, *arguments):
        code, out, err = run(*arguments)
        assert code == 2, err
        assert re.search(message, err), err
        assert err.startswith("minibnn: ")
        assert err.count("\n") == 1
        return out

    return fails
