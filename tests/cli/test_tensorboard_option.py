"""``--tensorboard`` of train and compare."""

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
