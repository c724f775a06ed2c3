"""Files that are either the old one or the new one, whatever happens in between.

The bytes are written beside the file (``NAME.new``), synced to the disk, and renamed over it.
"""

import errno
import os
from pathlib import Path

from minibnn.errors import InputError

# Of a file system, or a system, that cannot sync what it is asked to.
_NO_SYNC = {getattr(errno, e) for e in "EACCES EBADF EINVAL EISDIR ENOSYS ENOTSUP EPERM".split()}


def staged(path):
    """Where the new bytes of ``path`` lie until they are committed."""
    return Path(f"{path}.new")


def stage(path, data):
    """Write and sync ``data`` beside ``path``; on failure nothing is left behind."""
    new = staged(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a folder, or a device
            code = errno.EISDIR if os.path.isdir(path) else errno.EEXIST
            raise OSError(code, os.strerror(code))
        with open(new, "wb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
    except BaseException as error:
        new.unlink(missing_ok=True)
        if isinstance(error, OSError):  # it knows no name, or that of the passing file
            error.filename = str(path)
        raise


def commit(path):
    """Rename the staged bytes over ``path``, and sync the folder that holds the name."""
    os.replace(staged(path), path)
    if hasattr(os, "O_DIRECTORY"):  # else a folder cannot be opened, as on Windows
        folder = os.open(Path(path).parent, os.O_RDONLY)
        try:
            sync(folder)
        finally:
            os.close(folder)


def sync(descriptor):
    """``os.fsync``, where there is such a thing."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def write_atomic(path, data):
    """Replace ``path`` by ``data`` (bytes) in one step."""
    stage(path, data)
    commit(path)


def save(path, data):
    """``write_atomic``, with an InputError where that fails."""
    try:
        write_atomic(Path(path), data)  # not beside "", which is this folder
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
