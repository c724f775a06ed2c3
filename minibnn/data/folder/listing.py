"""What is in a folder of pictures laid out as ImageNet's: ``train/CLASS/*`` and ``val/CLASS/*``."""

import os
import zlib
from typing import NamedTuple

import numpy as np

from minibnn.data.checks import MOST_CLASSES
from minibnn.errors import InputError
from minibnn.files.paths import expanded

PARTS = ("train", "val")
EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm".split()
)


class Listing(NamedTuple):
    """The pictures of one part, by class and name; nothing of them has been read.

    Attributes
    ----------
    root : str
        The folder that holds train/ and val/.
    names : list of str
        Paths below ``root`` with forward slashes, such as train/n01440764/1.JPEG.
    sizes : (N,) int64
        Bytes of each file.
    labels : (N,) int64
    classes : tuple of str
        Names of the class folders, sorted.
    """

    root: str
    names: list
    sizes: np.ndarray
    labels: np.ndarray
    classes: tuple

    def path(self, row):
        """The file of picture ``row``."""
        return os.path.join(self.root, self.names[row])

    def crc32(self, rows, crc=0):
        """CRC-32 of names and sizes of the pictures ``rows``: cheap to tell data sets apart by."""
        for row in rows:
            line = f"{self.names[row]}\0{self.sizes[row]}\n"
            crc = zlib.crc32(line.encode("utf-8", "surrogateescape"), crc)
        return crc


def list_pictures(data_dir):
    """The Listings of train/ and val/ below ``data_dir``.

    Every folder in train/ is a class, in the order of their names, and so is every picture in
    it; what a picture is, is told by the end of its name in any case. Hidden files and folders
    (.DS_Store) and files of other kinds are left alone.

    Raises
    ------
    InputError if a part is missing or has no class folders, a class has no pictures, or the
    classes of the two parts differ.
    """
    root = expanded(data_dir)
    if not root.is_dir():
        raise InputError(f"{root}: expected a folder with train/ and val/, found no such folder")
    for part in PARTS:
        if not (root / part).is_dir():
            raise InputError(f"{root}: expected folders train/ and val/, found no {part}/")
    try:
        classes = [_classes(root / part) for part in PARTS]
        _check_same(root, *classes)
        return [_list_part(root, part, classes[0]) for part in PARTS]
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _classes(folder):
    """Sorted names of the class folders in ``folder``."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.name[0] != "." and e.is_dir())
    if not names:
        raise InputError(f"{folder}: expected a folder for each class, found none")
    if len(names) > MOST_CLASSES:
        raise InputError(f"{folder}: expected at most {MOST_CLASSES} classes, found {len(names)}")
    return tuple(names)


def _check_same(root, train, val):
    for one, names, other, others in (("train", train, "val", val), ("val", val, "train", train)):
        only = sorted({*names} - {*others})
        if only:
            more = f" and {len(only) - 1} more" if len(only) > 1 else ""
            raise InputError(
                f"{root}: train/ and val/ must have the same classes, "
                f"but {only[0]!r}{more} of {one}/ is not in {other}/"
            )


def _list_part(root, part, classes):
    names, sizes, labels = [], [], []
    for label, name in enumerate(classes):
        with os.scandir(root / part / name) as entries:
            found = sorted((e.name, e.stat().st_size) for e in entries if _is_picture(e))
        if not found:
            raise InputError(
                f"{root / part / name}: expected pictures of this class "
                "(*.jpg, *.jpeg, *.png, ...), found none"
            )
        names += [f"{part}/{name}/{file}" for file, _ in found]
        sizes += [size for _, size in found]
        labels += [label] * len(found)
    return Listing(str(root), names, np.array(sizes), np.array(labels), classes)


def _is_picture(entry):
    name = entry.name
    return name[0] != "." and os.path.splitext(name)[1].lower() in EXTENSIONS and entry.is_file()
