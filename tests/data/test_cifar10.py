import hashlib

import numpy as np
import pytest
from cifar_files import (
    binary_contents,
    python2_dump,
    python3_dump,
    python_contents,
    random_images,
    write_archive,
    write_folder,
)
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import cifar10, load

IMAGES, LABELS = random_images()
BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", 20)
    monkeypatch.delenv("MINIBNN_DATA", raising=False)


@pytest.fixture
def binary(tmp_path):
    return write_folder(tmp_path / BINARY, binary_contents(IMAGES, LABELS))


def assert_is_cifar(data):
    assert_array_equal(data.train_images, IMAGES[:100])
    assert_array_equal(data.train_labels, LABELS[:100])
    assert_array_equal(data.test_images, IMAGES[100:])
    assert_array_equal(data.test_labels, LABELS[100:])
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == np.int64
    assert data.train_images.flags.c_contiguous
    assert data.classes[3] == "cat"
    assert data.name == "cifar10"


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        load("cifar10", path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["itself", "parent", "environment"])
def test_binary_folder(binary, place, monkeypatch):
    if place == "environment":
        monkeypatch.setenv("MINIBNN_DATA", str(binary.parent))
        assert_is_cifar(load("cifar10"))
    else:  # the argument goes before the environment
        monkeypatch.setenv("MINIBNN_DATA", str(binary / "elsewhere"))
        assert_is_cifar(load("cifar10", binary if place == "itself" else str(binary.parent)))


DUMPS = {
    "python2": python2_dump,
    "protocol 2": python3_dump(2),
    "protocol 2, byte keys": python3_dump(2, byte_keys=True),
    "protocol 4": python3_dump(4),
    "protocol 5": python3_dump(5),
    "Fortran order": lambda data, labels: python3_dump(4)(np.asfortranarray(data), labels),
}


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_python_folder(tmp_path, dump):
    folder = write_folder(tmp_path / PYTHON, python_contents(IMAGES, LABELS, dump))
    assert_is_cifar(load("cifar10", folder))
    assert_is_cifar(load("cifar10", tmp_path))


@pytest.mark.parametrize("pointed_at", ["parent", "archive"])
@pytest.mark.parametrize("layout", ["binary", "python"])
def test_archives_are_read_where_they_are(tmp_path, layout, pointed_at, monkeypatch):
    if layout == "binary":
        contents = binary_contents(IMAGES, LABELS) | {"readme.html": b"text"}
        path = write_archive(tmp_path / "cifar-10-binary.tar.gz", BINARY, contents)
    else:
        contents = python_contents(IMAGES, LABELS, python2_dump) | {"batches.meta": b"not read"}
        path = write_archive(tmp_path / "cifar-10-python.tar.gz", PYTHON, contents)
    refused(
        path,
        f"{path.name}: expected the official archive, SHA-256 {cifar10.SHA256[path.name][:16]}",
    )
    official = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(cifar10.SHA256, path.name, official)
    assert_is_cifar(load("cifar10", path if pointed_at == "archive" else tmp_path))
    assert list(tmp_path.iterdir()) == [path]  # nothing was extracted
    path.write_bytes(path.read_bytes()[:-1])
    refused(tmp_path, "it is cut off, damaged or another one")


def test_missing_files_are_named(binary):
    (binary / "data_batch_3.bin").unlink()
    refused(binary, "data_batch_3.bin: expected a CIFAR-10 batch file, found no such file")
    (binary / "data_batch_3.bin").mkdir()
    refused(binary, "data_batch_3.bin: expected a CIFAR-10 batch file, found something else")


@pytest.mark.parametrize("size", [0, 1, 3073 * 20 - 1, 3073 * 20 + 1, 1 << 40])
def test_files_of_another_size_are_named_and_not_read(binary, size):
    with (binary / "test_batch.bin").open("wb") as file:
        file.truncate(size)  # sparse: takes no room on the disk
    refused(binary, f"test_batch.bin: expected 61460 bytes, found {size}")


def test_other_files_of_the_right_size_are_refused(binary):
    content = bytearray((binary / "data_batch_2.bin").read_bytes())
    content[3073 * 7] = 10
    (binary / "data_batch_2.bin").write_bytes(content)
    refused(binary, "data_batch_2.bin: expected labels 0 to 9, found 10: not a CIFAR-10 file")
    (binary / "data_batch_2.bin").write_bytes(bytes(3073 * 20))
    refused(binary, "data_batch_2.bin: expected images of all 10 classes, found 1")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda data, labels: (data, labels[:-1]), "20 labels, found 19"),
        (lambda data, labels: (data, [*labels[:-1], 10]), "labels 0 to 9, found 10"),
        (lambda data, labels: (data, [*labels[:-1], -1]), "labels 0 to 9"),
        (lambda data, labels: (data, [*labels[:-1], 2**70]), "labels 0 to 9"),
        (lambda data, labels: (data, [*labels[:-1], "x"]), "'labels', a list of integers"),
        (lambda data, labels: (data, labels * 2), "20 labels, found 40"),
        (lambda data, labels: (data, None), "'labels', a list of integers"),
        (lambda data, labels: (data[:, :-2].copy(), labels), "'data' of shape"),
        (lambda data, labels: (data.reshape(-1), labels), "'data' of shape"),
        (lambda data, labels: (data.view(np.int8), labels), "'data', a uint8 array"),
        (lambda data, labels: (data.tobytes(), labels), "'data', a uint8 array"),
        (lambda data, labels: (None, labels), "'data', a uint8 array"),
    ],
)
def test_python_batches_of_something_else_are_named(tmp_path, change, named):
    def dump(data, labels):
        return python3_dump(4)(*change(data, labels))

    contents = python_contents(IMAGES, LABELS, python2_dump)
    contents["data_batch_4"] = python_contents(IMAGES, LABELS, dump)["data_batch_4"]
    contents["data_batch_4"] += bytes(max(0, 61440 - len(contents["data_batch_4"])))
    folder = write_folder(tmp_path / PYTHON, contents)
    refused(folder, f"data_batch_4: expected .*{named}")


def test_cut_off_python_batches_are_named(tmp_path):
    contents = python_contents(IMAGES, LABELS, python2_dump)
    folder = write_folder(tmp_path / PYTHON, contents)
    whole = contents["test_batch"]
    for size in (0, 100, 61439, len(whole) - 1, len(whole) - 20):
        (folder / "test_batch").write_bytes(whole[:size])
        refused(folder, "test_batch: expected")


def test_the_real_images(shared_cifar, monkeypatch):
    monkeypatch.undo()
    data = load("cifar10", shared_cifar)
    assert data.train_images.shape == (50_000, 32, 32, 3)
    assert data.test_images.shape == (10_000, 32, 32, 3)
    assert_array_equal(np.bincount(data.train_labels), [5000] * 10)
    assert_array_equal(np.bincount(data.test_labels), [1000] * 10)
    # Known means of the training images per channel: 125.3, 123.0, 113.9.
    means = data.train_images.mean((0, 1, 2))
    np.testing.assert_allclose(means, [125.3, 123.0, 113.9], atol=0.3)
    # Neighbouring pixels are alike, so rows and columns are where they belong.
    x = data.test_images[:1000].astype(np.float64)
    assert np.abs(np.diff(x, axis=1)).mean() < 20  # about 70 between unrelated pixels
    assert np.abs(np.diff(x, axis=2)).mean() < 20
