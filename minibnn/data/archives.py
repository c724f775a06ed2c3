"""Named files out of a .tar.gz, read in memory: nothing is ever extracted to disk."""

import gzip
import tarfile
from pathlib import PurePosixPath

from minibnn.errors import InputError

_SLACK = 16 << 20  # bytes an archive may hold beside the files we want, headers included
_MEMBERS = 100


def read_members(path, folder, sizes):
    """Yield (name, content) of the members ``folder``/name of the .tar.gz ``path``, in its order.

    ``sizes`` is {name: (smallest, largest)} of the wanted files; a member that declares another
    size is refused before it is read. InputError names archive and member: for one outside
    ``folder``, a wanted one that is no regular file, comes twice or is missing, for more content
    than the wanted files explain, and for an archive that is cut off or damaged.
    """
    limit = sum(largest for _, largest in sizes.values()) + _SLACK
    try:
        with gzip.open(path) as unpacked:
            yield from _read(_Bounded(unpacked, limit, path), folder, sizes, path)
    except InputError:
        raise
    except gzip.BadGzipFile as error:
        raise _damaged(path, error) from error
    except OSError:
        raise
    except Exception as error:  # tarfile and zlib fail in many ways
        raise _damaged(path, error) from error


def _read(stream, folder, sizes, path):
    missing = dict(sizes)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for count, member in enumerate(archive, start=1):
            where = f"{path}: {member.name!r}"
            name = _name_inside(member, folder, path)
            if count > _MEMBERS:
                raise InputError(f"{path}: expected at most {_MEMBERS} members, found more")
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise InputError(f"{where}: expected a regular file, found a link or device")
            if name not in sizes:
                continue
            if name not in missing:
                raise InputError(f"{where}: expected once, found again")
            smallest, largest = missing.pop(name)
            check_size(member.size if member.isreg() else 0, smallest, largest, where)
            yield name, archive.extractfile(member).read()
    while stream.read(1 << 20):  # to the end: gzip's checksum comes last
        pass
    if missing:
        raise InputError(f"{path}: expected {folder}/{next(iter(missing))}, found no such member")


def check_size(size, smallest, largest, where):
    """InputError, naming ``where``, unless smallest <= size <= largest."""
    if not smallest <= size <= largest:
        expected = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
        raise InputError(f"{where}: expected {expected} bytes, found {size}")


def _name_inside(member, folder, path):
    """The member's name relative to ``folder`` ("" for the folder itself)."""
    parts = PurePosixPath(member.name).parts
    if parts[:1] != (folder,) or ".." in parts:
        raise InputError(f"{path}: expected members inside {folder}/, found {member.name!r}")
    return "/".join(parts[1:])


def _damaged(path, error):
    what = type(error).__name__
    return InputError(
        f"{path}: expected a whole .tar.gz archive, found one cut off or damaged ({what})"
    )


class _Bounded:
    """A stream that refuses to unpack more than ``limit`` bytes in all."""

    def __init__(self, stream, limit, path):
        self.stream, self.left, self.path = stream, limit, path

    def read(self, size):
        content = self.stream.read(min(size, self.left + 1))
        self.left -= len(content)
        if self.left < 0:
            raise InputError(f"{self.path}: unpacks to more bytes than CIFAR-10 has")
        return content
