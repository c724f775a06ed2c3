"""Files of networks, checkpoints and best.npz, damaged: an error line, or a network that runs."""

import numpy as np
import pytest
from damaged import declared_bytes, mutants, resealed

import minibnn as bnn
from minibnn import nn
from minibnn.files import checkpoint


def runs(network):
    """That a network that was read can be used and written."""
    assert isinstance(network, nn.Sequential)
    if np.prod(network.input_shape) > 1000 or np.prod(network.output_shape) > 1000:
        return
    with np.errstate(all="ignore"):  # any float may be in the file
        outputs = network.forward(np.zeros((2, *network.input_shape), np.uint8))
    assert outputs.shape == (2, *network.output_shape)
    network.save("again.npz")
    bnn.load("again.npz")


def test_networks(fuzz, reads, run, tmp_path):
    path = tmp_path / "net.npz"
    bnn.load(run).save(path)
    runs(bnn.load(path))

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: bnn.load(path), max(len(case), declared_bytes(case)))
        if found is not None:
            runs(found)

    fuzz(mutants(path) | resealed(path) | resealed(path), attempt)


def test_checkpoints(fuzz, reads, run, tmp_path):
    path = tmp_path / "checkpoint.npz"
    whole, arrays = checkpoint.read(run / "checkpoint.npz")

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: checkpoint.read(path), max(len(case), declared_bytes(case)))
        if found is not None:  # the checksum held
            assert found[0] == whole
            for name, array in arrays.items():
                np.testing.assert_array_equal(found[1][name], array)
        found = reads(lambda: bnn.load(path), max(len(case), declared_bytes(case)))
        if found is not None:
            runs(found)

    fuzz(mutants(run / "checkpoint.npz"), attempt)


@pytest.mark.parametrize("name", ["checkpoint.npz", "best.npz"])
def test_runs_with_a_right_checksum(fuzz, reads, run, tmp_path, name):
    """Loading: whoever writes a checksum can write anything."""
    path = tmp_path / name

    def attempt(case):
        path.write_bytes(case)
        found = reads(lambda: bnn.load(path), len(case))
        if found is not None:
            runs(found)

    fuzz(resealed(run / name), attempt)
