"""``load``: a data set by its name."""

from minibnn.data.cifar10 import load_cifar10
from minibnn.data.digits import load_digits
from minibnn.data.image_folder import load_image_folder
from minibnn.data.npz import load_npz
from minibnn.errors import InputError

DATASETS = ("digits", "cifar10", "image-folder", "npz:FILE")


def load(
    name,
    data_dir=None,
    download=True,
    progress=None,
    image_size=None,
    workers=None,
    test_share=None,
):
    """A data set by name.

    Parameters
    ----------
    name : str
        "digits" (comes with the package), "cifar10", "image-folder" for pictures laid out as
        ImageNet's, or "npz:FILE" for your own arrays: a file of numpy.savez with train_images,
        train_labels, test_images, test_labels and, if you like, classes; as ``from_arrays`` takes
        them.
    data_dir : path, optional
        For image-folder: the folder that holds train/CLASS/* and val/CLASS/* (or valid/ or
        test/; Tiny ImageNet's val/ too).
        For cifar10: the folder of the official files (binary or Python layout), its parent, or
        an official archive. If left out, the environment variable MINIBNN_DATA; without that the
        official archive is downloaded once, into the user's cache.
    download : bool
        False: never use the network.
    progress : None, False or callable
        What to tell of a download: by default a line on standard error, nothing if False, or
        ``progress(bytes_so_far, bytes_in_all)``. Of an image-folder: nothing is said of
        pictures that cannot be read if False.
    image_size : int, optional
        For image-folder: height and width of the pictures networks see; 224 if left out.
    workers : int, optional
        For image-folder: threads that decode, by default one per core. The same pictures come
        whatever their number.
    test_share : float, optional
        For image-folder: ``data_dir`` holds CLASS/*, and that share of each class is for testing.

    Returns
    -------
    Dataset
        That of an image-folder has ``FolderImages`` in place of arrays: they look like arrays
        (N, H, W, 3) of float32, but stay in their files until a batch of them is asked for.

    Raises
    ------
    InputError for an unknown name, and for missing or broken files, naming them.
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
        return load_npz(name.removeprefix("npz:"))
    raise InputError(f"data set must be one of {', '.join(DATASETS)}, found {name!r}")
