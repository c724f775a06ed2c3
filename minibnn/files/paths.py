"""Paths as people write them, and whether a file can be written there."""

from pathlib import Path

from minibnn.errors import InputError


def expanded(path):
    """The Path, with ``~`` or ``~NAME`` at its start as that home folder; InputError if none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{path}: there is no such home folder") from None


def check_file(path, what, suffixes=()):
    """``path`` as a Path; InputError unless ``what``, ending in one of suffixes, can be there."""
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        ends = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise InputError(f"{what} must end in {ends}, found {path}")
    if path.is_dir():
        raise InputError(f"{what} must be a file, and {path} is a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    return path
