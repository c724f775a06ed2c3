"""Arrays of any .npz file; its declared sizes are checked before anything is read."""

import zipfile
import zlib

import numpy as np

from minibnn.errors import InputError
from minibnn.files.memory import machine_memory
from minibnn.files.paths import expanded

_DEFLATE = 1032  # no deflated stream unpacks to more than this times its length


def read_arrays(path, needed, optional=()):
    """The ``needed`` arrays in an .npz file, and the ``optional`` ones it has, by name.

    InputError, naming the file, if it is missing, damaged or no .npz, if a needed array is not
    there, holds pickled objects, or declares what cannot be true or does not fit into memory.
    """
    path = expanded(path)
    if not path.is_file():
        raise InputError(f"{path}: expected an .npz file, found no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path, needed, optional)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged zip files fail in many ways, none of them ours
        raise InputError(
            f"{path}: expected an .npz file, found one cut off or damaged ({error})"
        ) from error


def _read(archive, path, needed, optional):
    members = {member.filename: member for member in archive.infolist()}
    wanted = [name for name in (*needed, *optional) if f"{name}.npy" in members]
    for name in needed:
        if name not in wanted:
            raise InputError(f"{path}: expected an array {name!r} ({', '.join(needed)})")
    left = machine_memory()
    for name in wanted:  # all of them before the first is read
        member = members[f"{name}.npy"]
        left -= member.file_size
        _check_declared(archive, member, left, f"{path}: {name}")
    arrays = {}
    for name in wanted:
        with archive.open(members[f"{name}.npy"]) as stream:
            try:
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
            except ValueError as error:
                raise InputError(f"{path}: {name} is cut off or damaged") from error
    return arrays


def _check_declared(archive, member, left, where):
    """InputError unless the declared shape, size and packed size agree and fit into memory."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{where}: expected an array as numpy.savez writes it")
    with archive.open(member) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise ValueError
            read = np.lib.format.read_array_header_1_0
            if version == (2, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream)
            header = stream.tell()
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error):
            raise
        except Exception as error:  # a header is Python source: it fails in many ways
            raise InputError(f"{where}: expected an array as numpy.savez writes it") from error
    if not dtype.itemsize:  # no bytes in the file, but some for each in memory
        raise InputError(f"{where}: declares {dtype} {shape}, entries of no bytes")
    if dtype.hasobject:
        raise InputError(f"{where}: expected numbers or strings, found pickled objects: refused")
    declared = dtype.itemsize
    for n in shape:
        declared *= int(n)
    if min(shape, default=0) < 0 or declared != member.file_size - header:
        raise InputError(
            f"{where}: declares {dtype} {shape}, {declared} bytes, "
            f"but holds {member.file_size - header}"
        )
    if member.file_size > _DEFLATE * (member.compress_size + 64):
        raise InputError(
            f"{where}: declares {member.file_size} bytes packed into {member.compress_size}, "
            "more than is possible"
        )
    if left < 0:
        raise InputError(f"{where}: declares {member.file_size} bytes, more than there is memory")
