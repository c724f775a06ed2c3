"""Files that are either the old one or the new one, whatever happens in between.

The bytes are written beside the file (``NAME.new``), synced to the disk, and renamed over it.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from minibnn.errors import InputError

# Of a file system, or a system, that cannot sync what it is asked to.
_NO_SYNC = {getattr(errno, e) for e in "EACCES EBADF EINVAL EISDIR ENOSYS ENOTSUP EPERM".split()}


def staged(path):
    """Where the new bytes of ``path`` lie until they are committed."""
    return Path(f"{path}.new")


def stage(path, data, new=None):
    """Write and sync ``data`` beside ``path``; on failure nothing is left behind."""
    new = new or staged(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a folder, or a device
            code = errno.EISDIR if os.path.isdir(path) else errno.EEXIST
            raise OSError(code, os.strerror(code))
        with open(new, "wb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
    except BaseException as error:
        with suppress(OSError):
            new.unlink()
        if isinstance(error, OSError):  # it knows no name, or that of the passing file
            error.filename = str(path)
        raise


def commit(path, new=None):
    """Rename the staged bytes over ``path``, and sync the folder that holds the name."""
    os.replace(new or staged(path), path)
    with suppress(PermissionError):  # as on Windows, or where nobody may list the folder
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


def write_atomic(path, data, new=None):
    """Replace ``path`` by ``data`` (bytes) in one step, in a locked folder or by way of ``new``."""
    stage(path, data, new)
    commit(path, new)


def save(path, data):
    """``write_atomic``, with an InputError where that fails."""
    try:
        new = Path(f"{path}.{os.urandom(4).hex()}.new")  # nobody else's
        write_atomic(Path(path), data, new)  # not beside "", which is this folder
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
