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
    """The Dataset of a name; InputError for an unknown one, and for missing or broken files.

    ``name`` is "digits" (comes with the package), "cifar10", "image-folder" for images laid out as
    ImageNet's, or "npz:FILE" for your own arrays: a file of numpy.savez with train_images,
    train_labels, test_images, test_labels and, if you like, classes, as ``from_arrays`` takes them.

    ``data_dir``: for image-folder, the folder that holds train/CLASS/* and val/CLASS/* (or valid/
    or test/; Tiny ImageNet's val/ too). For cifar10, the folder of the official files (binary or
    Python layout), its parent, or an official archive; if left out, the environment variable
    MINIBNN_DATA; without that the official archive is downloaded once, into the user's cache.
    ``download=False`` never uses the network. ``progress`` says what to tell of a download: None a
    line on standard error, False nothing, or a callable ``progress(bytes_so_far, bytes_in_all)``.

    Only for image-folder: ``image_size`` is the height and width of the images networks see (224);
    ``workers`` are threads that decode (one per core; the same images come whatever their number);
    with ``test_share`` the folder holds CLASS/*, and that share of each class is for testing. Its
    images are ``FolderImages``: they look like an array (N, H, W, 3) of float32, but stay in their
    files until a batch of them is asked for. Those that cannot be read are told of once, unless
    ``progress`` is False.
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
