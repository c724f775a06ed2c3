"""Paths as people write them."""

from pathlib import Path

import pytest

from minibnn.errors import InputError
from minibnn.files.paths import expanded


def test_a_home(monkeypatch):
    monkeypatch.setenv("HOME", "/somebody")
    assert expanded("~/x.npz") == Path("/somebody/x.npz")
    assert expanded(Path("a/~b")) == Path("a/~b")


def test_a_home_that_is_not_there():
    with pytest.raises(InputError, match=r"^~nosuchuser/x: there is no such home folder$"):
        expanded("~nosuchuser/x")
