"""Paths as people write them."""

from pathlib import Path

from minibnn.files.paths import expanded


def test_a_home(monkeypatch):
    monkeypatch.setenv("HOME", "/somebody")
    assert expanded("~/x.npz") == Path("/somebody/x.npz")
    assert expanded(Path("a/~b")) == Path("a/~b")
