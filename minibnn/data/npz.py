"""Your own arrays as a data set, from an .npz file."""

from pathlib import Path

from minibnn.data.dataset import from_arrays
from minibnn.errors import InputError
from minibnn.files.archive import read_arrays

_NEEDED = ("train_images", "train_labels", "test_images", "test_labels")


def load_npz(file):
    """The Dataset in an .npz file, of the file's name; arrays of other names are left alone."""
    arrays = read_arrays(file, _NEEDED, ("classes",))
    try:
        return from_arrays(**arrays, name=Path(file).stem)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
