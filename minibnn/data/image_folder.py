"""``image-folder``: ImageNet's layout, ``train/CLASS/*.JPEG`` and ``val/CLASS/*.JPEG``."""

import sys

import numpy as np

from minibnn.data.checks import whole_number
from minibnn.data.dataset import Dataset
from minibnn.data.folder.images import FolderImages, Problems
from minibnn.data.folder.listing import list_pictures
from minibnn.errors import InputError, one_line
from minibnn.ops.threads import cores

SIZE = 224  # as the published ImageNet networks take them
MOST_WORKERS = 256


def load_image_folder(data_dir, image_size=None, workers=None, progress=None):
    """Pictures in ``data_dir`` as a Dataset whose images stay in their files.

    Nothing but names and sizes is read, and the first pictures until one is whole; see
    ``FolderImages`` for what decoding them gives.

    Parameters
    ----------
    data_dir : path
        Has train/ and val/, each with the same folders, one per class, with pictures in them.
        val/ is the test data; a validation part can be split off from train/.
    image_size : int, optional
        Height and width of the pictures networks see; 224 if left out.
    workers : int, optional
        Threads that decode; what they decode does not depend on it. Default: one per core.
    progress : False for silence
        Otherwise a picture that cannot be decoded is named on standard error, once.

    Raises
    ------
    InputError if a part, its classes or their pictures are missing, or none can be read.
    """
    if not data_dir:
        raise InputError("image-folder needs a folder with train/ and val/: name it by --data-dir")
    image_size = SIZE if image_size is None else image_size
    image_size = whole_number(image_size, "the image size", 1, 4096)
    workers = len(cores()) if workers is None else whole_number(workers, "workers", 1, MOST_WORKERS)
    problems = Problems(None if progress is False else _say)
    train, val = list_pictures(data_dir)
    images = []
    for listing in (train, val):
        rows = np.arange(len(listing.names))
        images.append(FolderImages(listing, rows, image_size, workers, problems))
        images[-1].check_readable()
    return Dataset(images[0], train.labels, images[1], val.labels, train.classes, "image-folder")


def _say(line):
    print(f"minibnn: {one_line(line)}", file=sys.stderr, flush=True)
