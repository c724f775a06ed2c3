"""``image-folder``: pictures in folders, one per class, as ImageNet's and others have them."""

import sys
from numbers import Real

import numpy as np

from minibnn.data.checks import whole_number
from minibnn.data.dataset import Dataset, stratified_choice
from minibnn.data.folder.images import FolderImages, Problems
from minibnn.data.folder.listing import list_pictures
from minibnn.errors import InputError, one_line
from minibnn.ops.threads import cores

SIZE = 224  # as the published ImageNet networks take them
MOST_WORKERS = 256


def load_image_folder(data_dir, image_size=None, workers=None, progress=None, test_share=None):
    """Pictures in ``data_dir`` as a Dataset whose images stay in their files.

    Nothing but names and sizes is read, and the first pictures until one is whole; see
    ``FolderImages`` for what decoding them gives.

    Parameters
    ----------
    data_dir : path
        Has train/ and val/ (valid/, validation/) or test/, each with the same folders, one per
        class, with pictures in them or below. What is not train/ is the test data; of two, test/
        is, and the other for validation, which else can be split off from train/.
    image_size : int, optional
        Height and width of the pictures networks see; 224 if left out.
    workers : int, optional
        Threads that decode; what they decode does not depend on it. Default: one per core.
    progress : False for silence
        Otherwise a picture that cannot be decoded is named on standard error, once.
    test_share : float, optional
        Between 0 and 1: ``data_dir`` itself has the class folders, and that share of each class is
        for testing, the same pictures every time.

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
    listings = list_pictures(data_dir, divided=test_share is None)
    classes = listings[0].classes
    parts = [(listing, np.arange(len(listing.names))) for listing in listings]
    if test_share is not None:
        parts = _divided(*parts[0], test_share)
    arrays = []
    for listing, rows in parts:
        images = FolderImages(listing, rows, image_size, workers, problems)
        images.check_readable()
        arrays += [images, listing.labels[rows]]
    return Dataset(*arrays[:4], classes, "image-folder", *arrays[4:])


def _divided(listing, rows, share):
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 < share < 1:
        raise InputError(f"test_share must be between 0 and 1, found {share!r}")
    test = stratified_choice(listing.labels, round(share * len(rows)), 0)
    train = np.delete(rows, test)
    for part in (train, test):
        if few := set(range(len(listing.classes))) - {*listing.labels[part].tolist()}:
            name = listing.classes[min(few)]
            raise InputError(f"{listing.root}: {name} has too few pictures for a share of {share}")
    return (listing, train), (listing, test)


def _say(line):
    print(f"minibnn: {one_line(line)}", file=sys.stderr, flush=True)
