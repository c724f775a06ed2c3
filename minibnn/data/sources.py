"""``load``: a data set by its name."""

from minibnn.data.cifar10 import load_cifar10
from minibnn.data.digits import load_digits
from minibnn.data.npz import load_npz
from minibnn.errors import InputError

DATASETS = ("digits", "cifar10", "npz:FILE")


def load(name, data_dir=None, download=True, progress=None):
    """A data set by name.

    Parameters
    ----------
    name : str
        "digits" (comes with the package), "cifar10", or "npz:FILE" for your own pictures: a file
        of numpy.savez with train_images, train_labels, test_images, test_labels and, if you
        like, classes; as ``from_arrays`` takes them.
    data_dir : path, optional
        For cifar10: the folder of the official files (binary or Python layout), its parent, or
        an official archive. If left out, the environment variable MINIBNN_DATA; without that the
        official archive is downloaded once, into the user's cache.
    download : bool
        False: never use the network.
    progress : None, False or callable
        What to tell of a download: by default a line on standard error, nothing if False, or
        ``progress(bytes_so_far, bytes_in_all)``.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError for an unknown name, and for missing or broken files, naming them.
    """
    if name == "digits":
        return load_digits()
    if name == "cifar10":
        return load_cifar10(data_dir, download, progress)
    if isinstance(name, str) and name.startswith("npz:"):
        return load_npz(name.removeprefix("npz:"))
    raise InputError(f"data set must be one of {', '.join(DATASETS)}, found {name!r}")
