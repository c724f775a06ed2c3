"""Your own arrays as a data set, from an .npz file."""

from pathlib import Path

from minibnn.data.dataset import from_arrays
from minibnn.errors import InputError
from minibnn.files.archive import read_arrays

_NEEDED = ("train_images", "train_labels", "test_images", "test_labels")


def load_npz(file):
    """The Dataset in an .npz file with train_images, train_labels, test_images, test_labels.

    ``classes``, an array of strings, is optional; other arrays are left alone. The data set's
    name is the file's, without folder and suffix. Raises InputError where anything does not fit.
    """
    arrays = read_arrays(file, _NEEDED, ("classes",))
    try:
        return from_arrays(**arrays, name=Path(file).stem)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
