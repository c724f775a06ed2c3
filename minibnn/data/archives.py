"""Named files out of a .tar.gz, read in memory: nothing is ever extracted to disk."""

import gzip
import tarfile

from minibnn.errors import InputError

_SLACK = 16 << 20  # bytes an archive may hold beside the files we want, headers included


def read_members(path, folder, sizes):
    """Yield (name, content) of the members ``folder``/name of the .tar.gz ``path``, in its order.

    ``sizes`` is {name: (smallest, largest)} of the wanted files; a member that declares another
    size is refused before it is read. InputError names archive and member: for a wanted one that is
    no regular file, comes twice or is missing, for more content than the wanted files explain, and
    for an archive that is cut off or damaged.
    """
    limit = sum(largest for _, largest in sizes.values()) + _SLACK
    try:
        with gzip.open(path) as unpacked:
            yield from _read(_Bounded(unpacked, limit), folder, sizes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # tarfile and zlib fail in many ways
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise InputError(
            f"{path}: expected a whole .tar.gz archive, found one cut off or damaged "
            f"({type(error).__name__})"
        ) from error


def _read(stream, folder, sizes):
    missing = dict(sizes)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            name = member.name.removeprefix(f"{folder}/")
            if member.name != f"{folder}/{name}" or name not in sizes:
                continue
            if name not in missing:
                raise InputError(f"{member.name!r}: expected once, found again")
            if not member.isreg() or member.issparse():
                raise InputError(f"{member.name!r}: expected a regular file, found something else")
            check_size(member.size, *missing.pop(name), repr(member.name))
            yield name, archive.extractfile(member).read()
    while stream.read(1 << 20):  # to the end: gzip's checksum comes last
        pass
    if missing:
        raise InputError(f"expected {folder}/{next(iter(missing))}, found no such member")


def check_size(size, smallest, largest, where):
    """InputError, naming ``where``, unless smallest <= size <= largest."""
    if not smallest <= size <= largest:
        expected = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
        raise InputError(f"{where}: expected {expected} bytes, found {size}")


class _Bounded:
    """A stream that refuses to unpack more than ``limit`` bytes in all."""

    def __init__(self, stream, limit):
        self.stream, self.left = stream, limit

    def read(self, size):
        content = self.stream.read(min(size, self.left + 1))
        self.left -= len(content)
        if self.left < 0:
            raise InputError("unpacks to more bytes than CIFAR-10 has")
        return content
