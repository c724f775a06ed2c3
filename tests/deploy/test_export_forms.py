"""``minibnn export --to onnx`` and ``--to larq``: files that others read."""

import sys
from importlib import import_module

import pytest

from minibnn import nn
from minibnn.cli import main


@pytest.fixture
def net(use_backend, tmp_path):
    use_backend("reference")
    layers = [nn.BinaryConv2D(8, 3), nn.BatchNorm(), nn.Sign(), nn.Flatten()]
    net = nn.Sequential([*layers, nn.BinaryDense(3), nn.BatchNorm()], (5, 5, 1), seed=1)
    net.classes = ("ant", "bee", "cow")
    net.save(tmp_path / "net.npz")
    return net


@pytest.mark.parametrize(
    ("form", "said"), [("onnx", "bytes, ONNX of opset 13"), ("larq", ": 12 arrays")]
)
def test_to(net, tmp_path, capsys, form, said):
    if form == "onnx":
        pytest.importorskip("onnx", reason="needs onnx (extra: onnx)")
    file = tmp_path / "net"
    assert main(["export", str(tmp_path / "net.npz"), "--to", form, str(file)]) == 0
    assert said in capsys.readouterr().out
    import_module(f"minibnn.deploy.{form}").write(net, tmp_path / "by_hand")
    assert file.read_bytes() == (tmp_path / "by_hand").read_bytes()


def test_to_onnx_without_onnx(net, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    file = tmp_path / "net.onnx"
    assert main(["export", str(tmp_path / "net.npz"), "--to", "onnx", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert 'pip install "minibnn[onnx]"' in said
    assert not file.exists()
