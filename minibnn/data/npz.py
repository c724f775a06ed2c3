"""Your own images from an .npz file."""

from minibnn.data.dataset import from_arrays
from minibnn.errors import InputError
from minibnn.files.npz import read_arrays
from minibnn.files.paths import expanded

_NEEDED = ("train_images", "train_labels", "test_images", "test_labels")
_OPTIONAL = ("classes",)


def load_npz(file):
    """The Dataset in an .npz file with train_images, train_labels, test_images, test_labels.

    ``classes``, an array of strings, is optional; other arrays are left alone. The data set's
    name is the file's, without folder and suffix. Raises InputError where anything does not fit.
    """
    path = expanded(file)
    arrays = read_arrays(path, _NEEDED, _OPTIONAL)
    try:
        return from_arrays(**arrays, name=path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
