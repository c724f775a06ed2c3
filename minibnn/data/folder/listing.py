"""What is in a folder of images: ``train/CLASS/*`` and ``val/CLASS/*``, and layouts alike."""

import os
import zlib
from typing import NamedTuple

import numpy as np

from minibnn.data.dataset import MOST_CLASSES
from minibnn.errors import InputError
from minibnn.files.paths import expanded

PARTS = ("test", "val", "valid", "validation")  # beside train
_ANNOTATIONS = "val_annotations.txt"
EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm".split()
)


class Listing(NamedTuple):
    """The images of one part, by class and name; nothing of them has been read.

    ``names`` are paths below ``root`` with forward slashes, ``sizes`` (N,) and ``labels`` (N,)
    int64, the first in bytes; ``classes`` are the names of the class folders, sorted.
    """

    root: str
    names: list
    sizes: np.ndarray
    labels: np.ndarray
    classes: tuple

    def crc32(self, rows, crc=0):
        """CRC-32 of names and sizes of the images ``rows``: cheap to tell data sets apart by."""
        for row in rows:
            line = f"{self.names[row]}\0{self.sizes[row]}\n"
            crc = zlib.crc32(line.encode("utf-8", "surrogateescape"), crc)
        return crc


def list_images(data_dir, divided=True):
    """A list of the Listings of training, test and, if there are, validation images.

    Every folder in train/ is a class; its images are in it and in folders below it. Hidden files
    and folders (.DS_Store) and files whose names end as no image's are left alone. The test images
    are in test/ or, where that has no classes or is not there, in val/, valid/ or validation/;
    beside a test/ with classes these are for validation. Tiny ImageNet's val/ has its classes in
    val_annotations.txt. If not ``divided``, there is one Listing, of the classes in ``data_dir``.

    InputError if a part is missing or has no class folders, a class has no images, or the classes
    of two parts differ.
    """
    root = expanded(data_dir)
    try:
        if not root.is_dir():
            expected = "expected a folder with train/ and val/"
            raise InputError(f"{root}: {expected}, found no such folder")
        if not divided:
            if (root / "train").is_dir():
                raise InputError(f"{root} has train/: test_share is for a folder without it")
            return [_list_part(root, "", _classes(root))]
        if not (root / "train").is_dir():
            hint = " (of one folder of classes, test_share tells the part for testing)"
            hint *= bool(_folders(root))
            raise InputError(f"{root}: expected folders train/ and val/, found no train/{hint}")
        train = _list_part(root, "train", _classes(root / "train"))
        parts = [part for part in PARTS if (root / part).is_dir()]
        if "test" in parts:  # with images that have no classes, at most in one folder images/?
            found = _folders(root / "test")
            if len(found) < 2 and not {*found} & {*train.classes}:
                parts.remove("test")
        if not parts:
            raise InputError(f"{root}: expected folders train/ and val/, found no val/ or test/")
        if len(parts) > 1 + ("test" in parts):
            raise InputError(f"{root}: expected one of {', '.join(parts[-2:])}, found both")
        return [train, *(_list_other(root, part, train.classes) for part in parts)]
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _folders(folder):
    """Sorted names of the folders in ``folder``."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.name[0] != "." and os.path.isdir(e.path))


def _classes(folder):
    """Sorted names of the class folders in ``folder``."""
    names = _folders(folder)
    if not names:
        raise InputError(f"{folder}: expected a folder for each class, found none")
    if len(names) > MOST_CLASSES:
        raise InputError(f"{folder}: expected at most {MOST_CLASSES} classes, found {len(names)}")
    return tuple(names)


def _list_part(root, part, classes):
    files = []
    for label, name in enumerate(classes):
        found = sorted(_images(root / part / name, f"{part}/{name}".lstrip("/"), set()))
        if not found:
            wanted = "images of this class (*.jpg, *.jpeg, *.png, ...)"
            raise InputError(f"{root / part / name}: expected {wanted}, found none")
        files += [(*file, label) for file in found]
    return _listing(root, files, classes)


def _listing(root, files, classes):
    """The Listing of ``files``, which are (name, bytes, label)."""
    names, sizes, labels = zip(*files, strict=True)
    return Listing(str(root), list(names), np.array(sizes), np.array(labels), classes)


def _list_other(root, part, classes):
    """The images of test/ or val/, of the classes of train/."""
    if (root / part / _ANNOTATIONS).is_file():
        return _list_annotated(root, part, classes)
    sides = {"train": {*classes}, part: {*_classes(root / part)}}
    for one, other in (("train", part), (part, "train")):
        if only := sorted(sides[one] - sides[other]):
            more = f" and {len(only) - 1} more" if len(only) > 1 else ""
            found = f"{only[0]!r}{more} of {one}/ is not in {other}/"
            raise InputError(f"{root}: train/ and {part}/ must have the same classes, but {found}")
    return _list_part(root, part, classes)


def _list_annotated(root, part, classes):
    """Tiny ImageNet's images for validation, all in one folder: a line of a file for each."""
    path = root / part / _ANNOTATIONS
    labels = {name: label for label, name in enumerate(classes)}
    files = []
    lines = path.read_text("utf-8", "surrogateescape").replace("\0", "?").splitlines()
    for line in filter(str.strip, lines):
        name, kind = [*line.split("\t"), ""][:2]
        if kind not in labels:
            raise InputError(f"{path}: {name!r:.60} is of {kind!r:.60}, which is not in train/")
        size = (root / part / "images" / name).stat().st_size
        files.append((f"{part}/images/{name}", size, labels[kind]))
    if not files:
        raise InputError(f"{path}: expected a line for each image, found none")
    return _listing(root, files, classes)


def _images(folder, name, seen):
    """Yield (name, bytes) of the images in a folder and below; links lead round in no circle."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):  # of links the first counts
            if entry.name[0] == "." or (entry.is_symlink() and not os.path.exists(entry.path)):
                continue
            if entry.is_dir():
                yield from _images(entry.path, f"{name}/{entry.name}", seen)
            elif os.path.splitext(entry.name)[1].lower() in EXTENSIONS and entry.is_file():
                yield f"{name}/{entry.name}", entry.stat().st_size
