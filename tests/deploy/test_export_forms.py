"""``minibnn export --to onnx`` and ``--to larq``: files that others read."""

import sys

import pytest
from numpy.testing import assert_array_equal

from minibnn import nn
from minibnn.cli import main
from minibnn.deploy import larq


@pytest.fixture
def net(use_backend, tmp_path):
    """A network, saved as net.npz."""
    use_backend("reference")
    layers = [nn.BinaryConv2D(8, 3), nn.BatchNorm(), nn.Sign(), nn.Flatten()]
    net = nn.Sequential([*layers, nn.BinaryDense(3), nn.BatchNorm()], (5, 5, 1), seed=1)
    net.classes = ("ant", "bee", "cow")
    net.save(tmp_path / "net.npz")
    return net


def test_to_onnx(net, tmp_path, capsys):
    pytest.importorskip("onnx", reason="needs onnx (extra: onnx)")
    from minibnn.deploy.onnx import write

    write(net, tmp_path / "by_hand.onnx")
    file = tmp_path / "net.onnx"
    assert main(["export", str(tmp_path / "net.npz"), "--to", "onnx", str(file)]) == 0
    assert f"{file.stat().st_size:,} bytes, ONNX of opset 13" in capsys.readouterr().out
    assert file.read_bytes() == (tmp_path / "by_hand.onnx").read_bytes()


def test_to_onnx_without_onnx(net, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    file = tmp_path / "net.onnx"
    assert main(["export", str(tmp_path / "net.npz"), "--to", "onnx", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert 'pip install "minibnn[onnx]"' in said
    assert not file.exists()


def test_to_larq(net, tmp_path, capsys):
    file = tmp_path / "weights.npz"
    assert main(["export", str(tmp_path / "net.npz"), "--to", "larq", str(file)]) == 0
    assert "12 arrays" in capsys.readouterr().out
    twin = nn.Sequential.from_config(net.config() | {"seed": 9})
    reading = larq.read(file, twin)
    assert set(reading.signed.values()) == {0}
    for name, value in net.state_dict().items():
        assert_array_equal(twin.state_dict()[name], value)
