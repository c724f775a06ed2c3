"""CIFAR-10 from the official files: binary or Python layout, folder or archive, or downloaded.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. 50,000 training and
10,000 test images of 32x32 in 10 classes. https://www.cs.toronto.edu/~kriz/cifar.html
"""

import os
from typing import NamedTuple

import numpy as np

from minibnn.data.archives import check_size, read_members
from minibnn.data.cifar10_python import decode_python
from minibnn.data.dataset import Dataset
from minibnn.data.download import fetch
from minibnn.errors import InputError
from minibnn.files.paths import expanded

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
RECORDS = 10_000  # in each of the six files
PIXELS = 3 * 32 * 32  # of an image: 32x32 red, then green, then blue, row by row
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
ENVIRONMENT = "MINIBNN_DATA"


class Layout(NamedTuple):
    """One of the two ways CIFAR-10 is distributed."""

    folder: str
    archive: str
    files: tuple  # five of training data, then the test data


_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
BINARY = Layout(
    "cifar-10-batches-bin", "cifar-10-binary.tar.gz", tuple(f"{name}.bin" for name in _FILES)
)
PYTHON = Layout("cifar-10-batches-py", "cifar-10-python.tar.gz", _FILES)


def load_cifar10(data_dir=None, download=True, progress=None):
    """CIFAR-10 as a Dataset; see ``minibnn.data.load``."""
    data_dir = data_dir or os.environ.get(ENVIRONMENT)
    try:
        if data_dir:
            layout, place = find(expanded(data_dir))
        else:
            layout, place = BINARY, fetch(URL, SHA256, BINARY.archive, download, progress)
        return assemble(layout, place)
    except OSError as error:
        where = error.filename or data_dir or BINARY.archive
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from error


def find(path):
    """(layout, folder or archive) at ``path``: the folder itself, its parent, or an archive."""
    for layout in (BINARY, PYTHON):
        for place in (path, path / layout.folder, path / layout.archive):
            is_archive = place.name == layout.archive and place.is_file()
            if is_archive or any((place / name).exists() for name in layout.files):
                return layout, place
    found = "none of them" if path.is_dir() else "a file" if path.is_file() else "no such folder"
    raise InputError(
        f"{path}: expected CIFAR-10 (a folder {BINARY.folder} or {PYTHON.folder}, or an archive "
        f"{BINARY.archive} or {PYTHON.archive}), found {found}"
    )


def assemble(layout, place):
    """Read the six files of ``place`` (a folder or an archive) into a Dataset."""
    images = np.empty((6 * RECORDS, 32, 32, 3), np.uint8)
    labels = np.empty(6 * RECORDS, np.int64)
    smallest = largest = RECORDS * (1 + PIXELS)
    if layout is PYTHON:  # some writers use two bytes for a pixel, 1 kB a label and a file name
        smallest, largest = RECORDS * PIXELS, RECORDS * (2 * PIXELS + 1024)
    sizes = dict.fromkeys(layout.files, (smallest, largest))
    read = read_folder if place.is_dir() else read_members
    for name, content in read(place, layout.folder, sizes):
        where = f"{place}/{name}" if place.is_dir() else f"{place}: {layout.folder}/{name}"
        if layout is PYTHON:
            records, found = decode_python(content, where, RECORDS)
        else:
            records = np.frombuffer(content, np.uint8).reshape(RECORDS, 1 + PIXELS)
            found, records = records[:, 0], records[:, 1:]
        first = layout.files.index(name) * RECORDS
        here = slice(first, first + RECORDS)
        images[here] = records.reshape(RECORDS, 3, 32, 32).transpose(0, 2, 3, 1)
        labels[here] = _checked_labels(found, where)
    (train, test), (train_labels, test_labels) = (
        np.split(a, [5 * RECORDS]) for a in (images, labels)
    )
    return Dataset(train, train_labels, test, test_labels, CLASSES, "cifar10")


def read_folder(folder, _, sizes):
    """Yield (name, content) of the files ``sizes`` names, sizes checked before reading."""
    for name, (smallest, largest) in sizes.items():
        path = folder / name
        if not path.is_file():
            found = "something else" if path.exists() else "no such file"
            raise InputError(f"{path}: expected a CIFAR-10 batch file, found {found}")
        with path.open("rb") as file:
            check_size(os.fstat(file.fileno()).st_size, smallest, largest, path)
            content = file.read(largest)
        check_size(len(content), smallest, largest, path)
        yield name, content


def _checked_labels(labels, where):
    found, all_ten = set(labels), set(range(len(CLASSES)))
    if odd := found - all_ten:
        raise InputError(f"{where}: expected labels 0 to 9, found {min(odd)}: not a CIFAR-10 file")
    if found != all_ten:
        raise InputError(
            f"{where}: expected images of all 10 classes, found {len(found)}: not a CIFAR-10 file"
        )
    return labels
