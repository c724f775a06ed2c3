"""CIFAR-10 from the official files: binary or Python layout, folder or archive, or downloaded.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. 50,000 training and
10,000 test images of 32x32 in 10 classes. https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import os
import tarfile
from collections import namedtuple

import numpy as np

from minibnn.data.cifar10_python import decode_python
from minibnn.data.dataset import Dataset
from minibnn.data.download import fetch
from minibnn.errors import InputError
from minibnn.files.paths import expanded

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
RECORDS = 10_000  # in each of the six files
PIXELS = 3 * 32 * 32  # of an image: 32x32 red, then green, then blue, row by row
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = {  # of the official archives: what has another is not unpacked
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    "cifar-10-python.tar.gz": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
}
ENVIRONMENT = "MINIBNN_DATA"


# One of the two ways CIFAR-10 is distributed; files are five of training data, then the test data.
Layout = namedtuple("Layout", "folder archive files")
_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
BINARY = Layout(
    "cifar-10-batches-bin", "cifar-10-binary.tar.gz", tuple(f"{name}.bin" for name in _FILES)
)
PYTHON = Layout("cifar-10-batches-py", "cifar-10-python.tar.gz", _FILES)


def load_cifar10(data_dir, download, progress):
    """CIFAR-10 as a Dataset; see ``minibnn.data.load``."""
    data_dir = data_dir or os.environ.get(ENVIRONMENT)
    try:
        if data_dir:
            layout, place = find(expanded(data_dir))
        else:
            layout, name = BINARY, BINARY.archive
            place = fetch(URL, SHA256[name], name, download, progress)
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
    read = _in_folder if place.is_dir() else _in_archive
    for k, (name, content) in enumerate(read(place, layout)):
        where = f"{place}/{name}" if place.is_dir() else f"{place}: {layout.folder}/{name}"
        if layout is PYTHON:
            records, found = decode_python(content, where, RECORDS)
        else:
            records = np.frombuffer(content, np.uint8).reshape(RECORDS, 1 + PIXELS)
            found, records = records[:, 0], records[:, 1:]
        here = slice(k * RECORDS, (k + 1) * RECORDS)
        images[here] = records.reshape(RECORDS, 3, 32, 32).transpose(0, 2, 3, 1)
        labels[here] = _checked_labels(found, where)
    n = 5 * RECORDS
    return Dataset(images[:n], labels[:n], images[n:], labels[n:], CLASSES, "cifar10")


def _in_folder(folder, layout):
    """Yield (name, content) of a layout's files, their sizes checked before they are read."""
    smallest = largest = RECORDS * (1 + PIXELS)
    if layout is PYTHON:  # some writers use two bytes for a pixel, 1 kB a label and a file name
        smallest, largest = RECORDS * PIXELS, RECORDS * (2 * PIXELS + 1024)
    for name in layout.files:
        path = folder / name
        if not path.is_file():
            found = "something else" if path.exists() else "no such file"
            raise InputError(f"{path}: expected a CIFAR-10 batch file, found {found}")
        size = path.stat().st_size
        if not smallest <= size <= largest:
            expected = f"{smallest} to {largest}" if layout is PYTHON else smallest
            raise InputError(f"{path}: expected {expected} bytes, found {size}")
        with path.open("rb") as file:
            yield name, file.read(largest)


def _in_archive(path, layout):
    """Yield (name, content) of an official archive's files; nothing is extracted to disk."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256[layout.archive]:
        raise InputError(
            f"{path}: expected the official archive, SHA-256 {SHA256[layout.archive][:16]}..., "
            f"found {found[:16]}...: it is cut off, damaged or another one"
        )
    with tarfile.open(path) as archive:
        for name in layout.files:
            yield name, archive.extractfile(f"{layout.folder}/{name}").read()


def _checked_labels(labels, where):
    found, all_ten = set(labels), set(range(len(CLASSES)))
    if odd := found - all_ten:
        raise InputError(f"{where}: expected labels 0 to 9, found {min(odd)}: not a CIFAR-10 file")
    if found != all_ten:
        raise InputError(f"{where}: expected images of all 10 classes, found {len(found)}")
    return labels
