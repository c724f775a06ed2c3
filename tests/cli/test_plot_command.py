"""``minibnn plot`` as a person meets it."""

from pathlib import Path

import pytest

SMALL = ("--filters", "4", "--dense-units", "16", "--batch-size", "200", "--epochs", "1")


@pytest.fixture
def a_run(run):
    """The folder of a run."""
    assert run("train", *SMALL, "--out", "a")[0] == 0
    return Path("a")


def test_a_run_and_several(run, a_run):
    code, out, err = run("plot", "a")
    assert (code, err) == (0, "")
    assert out == "figure: a/plot.png\n"
    assert Path("a/plot.png").read_bytes().startswith(b"\x89PNG")
    (a_run / "telemetry.npz").rename("away.npz")
    assert run("train", *SMALL, "--out", "b")[0] == 0
    code, out, err = run("plot", "a", "b", "--title", "Both", "--out", "c.pdf")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["a has no telemetry: only its metrics are drawn"]
    assert Path("c.pdf").read_bytes().startswith(b"%PDF")
    assert not Path("plot.png").exists()


def test_a_new_run_replaces_the_figure_with_the_rest(run, a_run):
    Path("a/plot.png").touch()
    assert run("train", *SMALL, "--out", "a", "--force")[0] == 0
    assert not Path("a/plot.png").exists()
