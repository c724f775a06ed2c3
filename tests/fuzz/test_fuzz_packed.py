"""Packed networks, damaged: an error line, or the network that was packed."""

import json

import numpy as np
import pytest
from damaged import array_bytes, changed_arrays, declared_bytes, edited, zipped
from hypothesis import strategies as st

from minibnn import nn
from minibnn.deploy import load, pack
from minibnn.files import archive


@pytest.fixture(scope="module")
def network():
    layers = [
        nn.BinaryConv2D(3, 3, padding="valid"),
        nn.MaxPool2D(2),
        nn.BatchNorm(),
        nn.Residual([nn.Sign(), nn.BinaryConv2D(3, 3), nn.BatchNorm()]),
        nn.Flatten(),
        nn.Sign(),
        nn.BinaryDense(4),
        nn.BatchNorm(scale=True),
    ]
    return pack(nn.Sequential(layers, (8, 8, 1)), classes=list("abcd"), dataset="digits")


@pytest.fixture(scope="module")
def content(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "net.bnn.npz"
    network.save(path)
    network.forward(np.zeros((1, 8, 8, 1), np.uint8))  # whatever it imports or compiles
    load(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def arrays(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "net.bnn.npz"
    path.write_bytes(content)
    with np.load(path) as file:
        return {name: file[name] for name in file.files if name != archive.CHECKSUM}


def test_edited(fuzz, reads, content, network, tmp_path):
    images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    expected = network.forward(images)
    path = tmp_path / "net.npz"

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: load(path), max(len(case), declared_bytes(case)))
        if found is not None:  # the checksum held: it is the same network
            np.testing.assert_array_equal(found.forward(images), expected)

    members = {f"{n}.npy": array_bytes(a) for n, a in archive_members(content, tmp_path).items()}
    fuzz(edited(content) | zipped(members) | st.binary(max_size=200), attempt)


def archive_members(content, folder):
    (folder / "whole.npz").write_bytes(content)
    with np.load(folder / "whole.npz") as file:
        return dict(file)


def test_other_content_with_a_right_checksum(fuzz, reads, arrays, tmp_path):
    path = tmp_path / "net.npz"

    def attempt(case):
        try:
            path.write_bytes(archive.encode(case))
        except (ValueError, UnicodeError):
            return  # no such file can be
        found = reads(lambda: load(path), path.stat().st_size)
        if found is None or np.prod(found.input_shape) > 10**4:
            return
        assert json.dumps([found.name, found.dataset, found.classes])
        outputs = found.forward(np.zeros((1, *found.input_shape), np.uint8))
        assert outputs.shape == (1, *found.output_shape)

    fuzz(changed_arrays(arrays, ["meta"]), attempt)
