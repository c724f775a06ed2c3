"""Packed networks, damaged: an error line, or the network that was packed."""

import json

import numpy as np
import pytest
from damaged import declared_bytes, mutants, resealed

from minibnn import nn
from minibnn.deploy import load, pack


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


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "net.npz"
    network.save(path)
    network.forward(np.zeros((1, 8, 8, 1), np.uint8))  # whatever it imports or compiles
    load(path)
    return path


def test_edited(fuzz, reads, network, path):
    images = np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1)
    expected = network.forward(images)

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: load(path), max(len(case), declared_bytes(case)))
        if found is not None:  # the checksum held: it is the same network
            np.testing.assert_array_equal(found.forward(images), expected)

    fuzz(mutants(path), attempt)


def test_other_content_with_a_right_checksum(fuzz, reads, path):
    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: load(path), len(case))
        if found is None or np.prod(found.input_shape) > 10**4:
            return
        assert json.dumps([found.name, found.dataset, found.classes])
        outputs = found.forward(np.zeros((1, *found.input_shape), np.uint8))
        assert outputs.shape == (1, *found.output_shape)

    fuzz(resealed(path), attempt)
