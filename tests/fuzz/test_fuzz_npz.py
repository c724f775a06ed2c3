"""Data sets in .npz files, and arrays from Larq, damaged."""

import numpy as np
from damaged import changed_arrays, declared_bytes, mutants, read_arrays, writable

from minibnn import data, nn
from minibnn.deploy import larq


def files(path):
    return mutants(path) | changed_arrays(read_arrays(path)).filter(writable)


def write(path, case):
    if isinstance(case, dict):
        np.savez(path, **case)
    else:
        path.write_bytes(case)
    return max(path.stat().st_size, declared_bytes(path.read_bytes()))


def test_data_sets(fuzz, reads, tmp_path):
    path, rng = tmp_path / "a.npz", np.random.default_rng(0)
    np.savez_compressed(
        path,
        train_images=rng.integers(0, 256, (6, 3, 4, 1), np.uint8),
        train_labels=np.arange(6) % 2,
        test_images=rng.integers(0, 256, (4, 3, 4, 1), np.uint8),
        test_labels=np.arange(4) % 2,
        classes=np.array(["cat", "dog"]),
    )
    data.load(f"npz:{path}").split_validation(2)

    def attempt(case):
        size = write(path, case)
        found = reads(lambda: data.load(f"npz:{path}"), size)
        if found is None:
            return
        for part in ("train", "test"):
            images, labels = getattr(found, f"{part}_images"), getattr(found, f"{part}_labels")
            assert images.ndim == 4 and images.dtype in (np.uint8, np.float32)
            assert labels.shape == (len(images),) and labels.dtype == np.int64
            assert 0 <= labels.min() and labels.max() < len(found.classes)
        assert "images" in repr(found)

    fuzz(files(path), attempt)


def test_larq(fuzz, reads, tmp_path):
    layers = [
        nn.BinaryConv2D(2, 2),
        nn.BatchNorm(),
        nn.Flatten(),
        nn.BinaryDense(2),
        nn.BatchNorm(),
    ]
    net = nn.Sequential(layers, (3, 3, 1))
    path = tmp_path / "a.npz"
    larq.write(net, path)
    larq.read(path, net)

    def attempt(case):
        size = write(path, case)
        before = net.state_dict()
        if reads(lambda: larq.read(path, net), size) is None:
            for name, array in net.state_dict().items():
                np.testing.assert_array_equal(array, before[name])
        with np.errstate(all="ignore"):
            assert net.forward(np.zeros((1, 3, 3, 1), np.uint8)).shape == (1, 2)

    fuzz(files(path), attempt)
