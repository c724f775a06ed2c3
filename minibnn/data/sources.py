"""``load``: a data set by its name."""

from numbers import Real
from pathlib import Path

import numpy as np

from minibnn.data.cifar10 import load_cifar10
from minibnn.data.dataset import Dataset, from_arrays, stratified_choice
from minibnn.data.digits import load_digits
from minibnn.data.folder.images import FolderImages, Problems
from minibnn.data.folder.listing import list_images
from minibnn.errors import InputError, integer, say
from minibnn.files.archive import read_arrays
from minibnn.ops.threads import cores

_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
SIZE = 224  # as the published ImageNet networks take them
MOST_WORKERS = 4096
DATASETS = ("digits", "cifar10", "image-folder", "npz:FILE")


def load(
    name, data_dir=None, download=True, progress=None, image_size=None, workers=None,
    test_share=None,
):  # fmt: skip
    """The Dataset of a name; InputError for an unknown one, and for missing or broken files.

    ``name`` is "digits" (comes with the package), "cifar10", "image-folder" for images laid out as
    ImageNet's, or "npz:FILE" for your own arrays: a file of numpy.savez with train_images,
    train_labels, test_images, test_labels and, if you like, classes, as ``from_arrays`` takes them.

    ``data_dir``: for image-folder, the folder that holds train/CLASS/* and val/CLASS/* (or valid/
    or test/; Tiny ImageNet's val/ too). For cifar10, the folder of the official files (binary or
    Python layout), its parent, or an official archive; else that in the environment variable
    MINIBNN_DATA; else the official archive is downloaded once, into the user's cache, but with
    ``download=False``.

    Only for image-folder: ``image_size`` is the height and width of the images networks see (224);
    ``workers`` are threads that decode (one per core; the same images come whatever their number);
    with ``test_share`` the folder holds CLASS/*, and that share of each class is for testing. Its
    images are ``FolderImages``, which stay in their files until a batch of them is asked for.

    Downloads, and images that cannot be read, are told on standard error, unless ``progress`` is
    False.
    """
    if name == "image-folder":
        return load_image_folder(data_dir, image_size, workers, progress, test_share)
    for what, given in (("an image size", image_size), ("a share for testing", test_share)):
        if given is not None:
            raise InputError(f"{what} can be chosen for image-folder only, not for {name!r:.60}")
    if name == "digits":
        return load_digits()
    if name == "cifar10":
        return load_cifar10(data_dir, download, progress)
    if isinstance(name, str) and name.startswith("npz:"):
        file = name.removeprefix("npz:")
        arrays = read_arrays(file, _ARRAYS, ("classes",))
        try:
            return from_arrays(**arrays, name=Path(file).stem)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
    raise InputError(f"data set must be one of {', '.join(DATASETS)}, found {name!r}")


def load_image_folder(data_dir, image_size, workers, progress, test_share):
    """The image-folder of ``load``; read are names and sizes, and images until one is whole."""
    if not data_dir:
        raise InputError("image-folder needs a folder with train/ and val/: name it by --data-dir")
    image_size = SIZE if image_size is None else integer(image_size, "the image size", 1, 4096)
    workers = len(cores()) if workers is None else integer(workers, "workers", 1, MOST_WORKERS)
    listings = list_images(data_dir, divided=test_share is None)
    problems = Problems(listings[0].root, None if progress is False else say)
    parts = [(listing, np.arange(len(listing.names))) for listing in listings]
    if test_share is not None:
        parts = _divided(*parts[0], test_share)
    arrays = []
    for listing, rows in parts:
        images = FolderImages(listing, rows, image_size, workers, problems)
        images.check_readable()
        arrays += [images, listing.labels[rows]]
    return Dataset(*arrays[:4], listings[0].classes, "image-folder", *arrays[4:])


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
