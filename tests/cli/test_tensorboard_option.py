"""``--tensorboard`` of train and compare."""

import sys
from pathlib import Path

import pytest

SMALL = ("--filters", "4", "--dense-units", "16", "--batch-size", "200", "--epochs", "1")


def events(folder):
    return len(list(Path(folder).glob("events.out.tfevents.*")))


def test_a_resumed_run_remembers_it(works):
    pytest.importorskip("tensorboardX", reason="needs tensorboardX (extra: tensorboard)")
    works("train", *SMALL, "--out", "a", "--tensorboard")
    assert events("a") == 1
    works("train", "--out", "a", "--resume", "--epochs", 2)
    assert events("a") == 2
    works("train", "--out", "a", "--resume", "--epochs", 3, "--no-tensorboard")
    assert events("a") == 2
    works("compare", *SMALL, "--out", "b", "--tensorboard")
    assert (events("b"), events("b/bop"), events("b/latent-sgd")) == (0, 1, 1)


def test_a_missing_package_is_one_line(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "tensorboardX.record_writer", None)
    for command in ("train", "compare"):
        fails(r'pip install "minibnn\[tensorboard\]"', command, *SMALL, "--tensorboard")
    fails("leave --tensorboard out", "compare", "--preset", "latent-scale", "--tensorboard")
    assert not list(Path().iterdir())
