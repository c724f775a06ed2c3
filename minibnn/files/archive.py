"""Named arrays in one plain ``.npz``: the same bytes for the same arrays, and read with distrust.

Members of our files are stored without compression, as ``NAME.npy``, so a file cannot unpack to
more than its own length; ``checksum`` is the SHA-256 of everything else. Of any file the dtypes and
shapes are known, and hold against the length of their members, before an array is allocated.
"""

import hashlib
import io
import math
import os
import re
import struct
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np

from minibnn.errors import InputError
from minibnn.files.paths import expanded

CHECKSUM = "checksum"
_DEFLATE = 1032  # no deflated stream unpacks to more than this times its length
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same date in every file
_HEADER = re.compile(  # of version 1.0, as NumPy writes it
    rb"\{'descr': '([<>|=]?[biufUS]\d{1,9})', 'fortran_order': (?:True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)
_WHAT_DAMAGE_RAISES = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError),
    *(ValueError, struct.error, zipfile.BadZipFile, zlib.error),
)


def machine_memory():
    """Bytes of memory of this machine; a large number where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 40


class Damaged(ValueError):
    """A file that is no archive of arrays, or not a whole one; says what is wrong with it."""


def encode(members):
    """The bytes of an archive of ``members``, a dict of arrays, to which a checksum is added."""
    members = {name: np.array(array, order="C") for name, array in members.items()}
    members[CHECKSUM] = checksum(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH_OF_ZIP)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def checksum(members):
    """SHA-256 over names, dtypes, shapes and content, in the order of the names; uint8 (32,)."""
    digest = hashlib.sha256()
    for name in sorted(members.keys() - {CHECKSUM}):
        array = np.ascontiguousarray(members[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return np.frombuffer(digest.digest(), np.uint8)


@contextmanager
def opened(path, what, packed=()):
    """The ``Archive`` in a file that should be a ``what``, for a with statement.

    InputError, naming the file, for all that is wrong with it, and for an InputError or Damaged
    raised in the statement. Only arrays named in ``packed``, if any, are looked at; they may be
    compressed.
    """
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            yield Archive(archive, file.seek(0, io.SEEK_END), packed)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a {what}") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: permission denied") from None
    except _WHAT_DAMAGE_RAISES as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is cut off or damaged, or no {what}: {why}") from error


def read_arrays(path, needed, optional=()):
    """The ``needed`` arrays of any .npz file, and the ``optional`` ones it has, by name."""
    path = expanded(path)
    with opened(path, "file of numpy.savez", (*needed, *optional)) as file:
        for name in needed:
            if name not in file.declared:
                raise InputError(f"expected an array {name!r} ({', '.join(needed)})")
        return file.read_all()


def member_names(path):
    """Names of the arrays in a file that may be anything; none if it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _WHAT_DAMAGE_RAISES:
        return []


class Archive:
    """The members of a file of ``length`` bytes that is open.

    ``declared`` has the (dtype, shape) of each array by name; they agree with the members' lengths.
    """

    def __init__(self, archive, length, packed):
        self._archive, self._members = archive, {}
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if packed else (zipfile.ZIP_STORED,)
        left = machine_memory() if packed else length
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if packed and name not in packed:
                continue
            if name == member.filename or name in self._members or not name.isprintable():
                raise Damaged(f"{member.filename!r:.80} is no array, or there twice")
            size, stored = member.file_size, member.compress_size
            if member.compress_type not in methods:
                raise Damaged(f"{name} is compressed")
            if size > (_DEFLATE * (stored + 64) if member.compress_type else stored):
                raise Damaged(f"{name} declares {size} bytes in {stored}, more than is possible")
            left -= size
            if left < 0:
                there = "there is memory" if packed else "the file has"
                raise Damaged(f"{name} declares {size} bytes, more than {there}")
            self._members[name] = member
        self.declared = {name: self._header(name) for name in self._members}

    def read(self, name):
        """One array; Damaged if its content is cut off or fails the member's CRC-32."""
        with self._archive.open(self._members[name]) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
            stream.read(1)  # nothing, which has the CRC checked
        return array

    def read_all(self, verified=False):
        """All arrays; those ``verified`` are without the checksum, which must be theirs."""
        arrays = {name: self.read(name) for name in self.declared}
        if verified:
            found = arrays.pop(CHECKSUM, None)
            if found is None or not np.array_equal(found, checksum(arrays)):
                raise Damaged("its checksum is not that of its content")
        return arrays

    def _header(self, name):
        """(dtype, shape), which must be those of a whole member."""
        member = self._members[name]
        with self._archive.open(member) as stream:
            start = stream.read(10)
            text = stream.read(int.from_bytes(start[8:], "little"))
        if b"'descr': '|O'" in text:
            raise InputError(f"{name} must be numbers or strings, found pickled objects: refused")
        match = _HEADER.fullmatch(text)
        if start[:8] != b"\x93NUMPY\x01\x00" or match is None:
            raise Damaged(f"{name} is no array of numbers or strings as numpy.savez writes it")
        dtype = np.dtype(match[1].decode())
        shape = tuple(int(n) for n in match[2].split(b",") if n.strip())
        size, held = math.prod(shape) * dtype.itemsize, member.file_size - 10 - len(text)
        if not dtype.itemsize:  # <U0: no bytes in the file, but some for each in memory
            raise Damaged(f"{name} declares {dtype} {shape}, entries of no bytes")
        if size != held:
            raise Damaged(f"{name} declares {dtype} {shape}, {size} bytes, but holds {held}")
        return dtype, shape
