"""``image-folder``: images in folders, one per class, as ImageNet's and others have them."""

import sys
from numbers import Real

import numpy as np

from minibnn.data.dataset import Dataset, stratified_choice
from minibnn.data.folder.images import FolderImages, Problems
from minibnn.data.folder.listing import list_images
from minibnn.errors import InputError, integer, one_line
from minibnn.ops.threads import cores

SIZE = 224  # as the published ImageNet networks take them
MOST_WORKERS = 256


def load_image_folder(data_dir, image_size=None, workers=None, progress=None, test_share=None):
    """Images in ``data_dir`` as a Dataset whose images stay in their files; see ``data.load``.

    It has train/ and val/ (valid/, validation/) or test/, each with the same folders, one per
    class, with images in them or below. What is not train/ is the test data; of two, test/ is, and
    the other for validation, which else can be split off from train/. With ``test_share``
    ``data_dir`` itself has the class folders, and the same images are for testing every time.

    Nothing but names and sizes is read, and the first images until one is whole. InputError if a
    part, its classes or their images are missing, or none can be read.
    """
    if not data_dir:
        raise InputError("image-folder needs a folder with train/ and val/: name it by --data-dir")
    image_size = SIZE if image_size is None else integer(image_size, "the image size", 1, 4096)
    workers = len(cores()) if workers is None else integer(workers, "workers", 1, MOST_WORKERS)
    listings = list_images(data_dir, divided=test_share is None)
    problems = Problems(listings[0].root, None if progress is False else _say)
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
            raise InputError(f"{listing.root}: {name} has too few images for a share of {share}")
    return (listing, train), (listing, test)


def _say(line):
    print(f"minibnn: {one_line(line)}", file=sys.stderr, flush=True)
