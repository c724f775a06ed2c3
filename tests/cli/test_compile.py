"""``minibnn compile``. No kernels here: what computes is not its business."""

import pytest

from minibnn.cli import main
from minibnn.ops import backend
from minibnn.ops.kernels import compile as kernels
from minibnn.ops.kernels import optim  # noqa: F401  before its folder is another


@pytest.fixture(autouse=True)
def nothing_compiles(monkeypatch, tmp_path):
    monkeypatch.setitem(backend.BACKENDS, "numba", "minibnn.ops.reference")
    monkeypatch.setattr(backend, "_no_kernels", lambda: None)
    monkeypatch.setattr(kernels, "_CACHE", str(tmp_path / "kernels"))


def test_it_tells_where_kernels_are(capsys, tmp_path):
    assert main(["compile", "--model", "digits", "--gradients", "int8"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("digits, int8 gradients: ") and first.endswith(" s")
    assert last == f"kernels are in {tmp_path / 'kernels'}: 0 files, 0.0 MB"


def test_nowhere_to_keep_them(capsys, monkeypatch):
    monkeypatch.setattr(kernels, "_CACHE", None)
    assert main(["compile", "--model", "digits"]) == 2
    assert "set NUMBA_CACHE_DIR to a folder" in capsys.readouterr().err
