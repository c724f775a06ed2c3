"""Named arrays in one plain ``.npz``: the same bytes for the same arrays, and read with distrust.

Members are stored without compression, as ``NAME.npy``, so a file cannot unpack to more than its
own length. Dtypes and shapes are known, and hold against the length of their members, before an
array is allocated. ``checksum`` is the SHA-256 of everything else. No pickles.
"""

import hashlib
import io
import math
import re
import struct
import zipfile
from contextlib import contextmanager

import numpy as np

from minibnn.errors import InputError

CHECKSUM = "checksum"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same date in every file
_HEADER = re.compile(  # of version 1.0, as NumPy writes it
    rb"\{'descr': '([<>|=]?[biufUS]\d{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)
_WHAT_DAMAGE_RAISES = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(struct.error, zipfile.BadZipFile),
)


class Damaged(ValueError):
    """A file that is no archive of arrays, or not a whole one; says what is wrong with it."""


def encode(members):
    """The bytes of an archive of ``members``, a dict of str to array of any dtype but object.

    The checksum is added.
    """
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


def verify(members):
    """Take the checksum out of what was read; Damaged if it is not that of the rest."""
    found = members.pop(CHECKSUM, None)
    if found is None or not np.array_equal(found, checksum(members)):
        raise Damaged("its checksum is not that of its content")


@contextmanager
def opened(path):
    """The ``Archive`` in a file, for a with statement.

    Raises OSError if the file cannot be opened, Damaged for all that is wrong with its content.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield Archive(archive, file.seek(0, io.SEEK_END))
        except (Damaged, InputError):
            raise
        except _WHAT_DAMAGE_RAISES as error:
            raise Damaged(" ".join(str(error).split()) or type(error).__name__) from error


def member_names(path):
    """Names of the arrays in a file that may be anything; none if it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except _WHAT_DAMAGE_RAISES:
        return []


class Archive:
    """The members of a file that is open.

    ``declared`` has the (dtype, shape) of each array by name; they agree with the members' lengths.
    """

    def __init__(self, archive, length):
        self._archive, self._members, self.declared = archive, {}, {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename or name in self._members or not name.isprintable():
                raise Damaged(f"{member.filename!r:.80} is no array, or there twice")
            if member.compress_type != zipfile.ZIP_STORED:
                raise Damaged(f"{name} is compressed")
            length -= member.file_size
            if member.compress_size != member.file_size or length < 0:
                raise Damaged("its members are longer than the file")
            self._members[name] = member
        for name in self._members:
            self.declared[name] = self._header(name)[:2]

    def read(self, name):
        """One array; Damaged if its content is cut off or fails the member's CRC-32."""
        dtype, shape, fortran_order, start = self._header(name)
        array = np.empty(shape, dtype, order="F" if fortran_order else "C")
        flat = array.reshape(-1, order="A").view(np.uint8) if array.size else array
        with self._archive.open(self._members[name]) as stream:
            stream.read(start)
            if array.size and stream.readinto(flat.data) != array.nbytes:
                raise Damaged(f"{name} is cut off")
            if stream.read(1):  # also has the CRC checked
                raise Damaged(f"{name} is longer than it says")
        return array

    def read_all(self):
        """All arrays, the checksum among them."""
        return {name: self.read(name) for name in self.declared}

    def _header(self, name):
        """(dtype, shape, fortran_order, length of the header)."""
        member = self._members[name]
        with self._archive.open(member) as stream:
            start = stream.read(10)
            if start[:8] != b"\x93NUMPY\x01\x00":
                raise Damaged(f"{name} is no array of numpy")
            text = stream.read(int.from_bytes(start[8:10], "little"))
        match = _HEADER.fullmatch(text)
        if match is None:
            raise Damaged(f"{name} has a header that numpy does not write")
        dtype = np.dtype(match[1].decode())
        shape = tuple(int(n) for n in match[3].split(b",") if n.strip())
        if not dtype.itemsize:  # <U0: no bytes in the file, but some for each in memory
            raise Damaged(f"{name} declares {dtype} {shape}, entries of no bytes")
        if math.prod(shape) * dtype.itemsize != member.file_size - 10 - len(text):
            raise Damaged(f"{name} declares {dtype} {shape}, but holds another number of bytes")
        return dtype, shape, match[2] == b"True", 10 + len(text)
