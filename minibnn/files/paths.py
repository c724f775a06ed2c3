"""Paths as people write them."""

from pathlib import Path

from minibnn.errors import InputError


def expanded(path):
    """The Path, with ``~`` or ``~NAME`` at its start as that home folder; InputError if none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{path}: there is no such home folder") from None
