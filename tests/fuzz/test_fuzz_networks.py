"""Files of networks, checkpoints and best.npz, damaged: an error line, or a network that runs."""

import numpy as np
import pytest
from damaged import array_bytes, changed_arrays, declared_bytes, edited, zipped
from hypothesis import strategies as st

import minibnn as bnn
from minibnn import nn
from minibnn.files import archive, checkpoint


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "run"
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 4, 4, 1), np.uint8), np.arange(12) % 3
    data = bnn.data.from_arrays(images, labels, images, labels)
    net = bnn.nn.Sequential(layers(), (4, 4, 1))
    optimizer = bnn.optim.Split(
        binary=bnn.optim.LatentAdam(lr=0.01), real=bnn.optim.SGD(lr=0.1, momentum=0.5)
    )
    bnn.fit(net, optimizer, data, epochs=2, batch_size=6, out=out, progress=False)
    return out


def layers():
    return [
        nn.BinaryConv2D(2, 3, kernel_quantizer="magnitude_aware_sign"),
        nn.BatchNorm(scale=True),
        nn.Residual([nn.Sign("swish_sign"), nn.BinaryConv2D(2, 3), nn.BatchNorm()], [nn.ReLU()]),
        nn.AvgPool2D(2),
        nn.Flatten(),
        nn.Sign(),
        nn.BinaryDense(4),
        nn.Dense(3, l2=0.1),
    ]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "net.npz"
    nn.Sequential(layers(), (4, 4, 1)).save(path)
    return path


def read_arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


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


def mutants(path):
    content, arrays = path.read_bytes(), read_arrays(path)
    members = {f"{name}.npy": array_bytes(array) for name, array in arrays.items()}
    return edited(content) | zipped(members) | st.binary(max_size=200)


def test_networks(fuzz, reads, saved, tmp_path):
    path, arrays = tmp_path / "net.npz", read_arrays(saved)
    runs(bnn.load(saved))
    del arrays[archive.CHECKSUM]

    def attempt(case):
        try:
            case = archive.encode(case) if isinstance(case, dict) else case
        except (ValueError, UnicodeError):
            return
        path.write_bytes(case)
        found = reads(lambda: bnn.load(path), max(len(case), declared_bytes(case)))
        if found is not None:
            runs(found)

    changed = changed_arrays(arrays, ["meta"]).filter(writable)
    fuzz(mutants(saved) | changed | changed, attempt)


def writable(arrays):
    """Whether ``numpy.savez`` can write them."""
    return all(name.isprintable() and name not in ("", "file") for name in arrays)


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
    """Loading and resuming: whoever writes a checksum can write anything."""
    path, arrays = tmp_path / name, read_arrays(run / name)
    del arrays[archive.CHECKSUM]
    texts = ["meta"]

    def attempt(case):
        try:
            path.write_bytes(archive.encode(case))
        except (ValueError, UnicodeError):
            return
        found = reads(lambda: bnn.load(path), path.stat().st_size)
        if found is not None:
            runs(found)

    fuzz(changed_arrays(arrays, texts), attempt)
