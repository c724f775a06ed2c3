"""A checkpoint as bytes: named arrays and a small description, the same bytes for the same run.

The file is a plain ``.npz`` that ``np.load`` opens: no pickles, no path, host, process or clock.
Arrays of ±1 (int8) are stored as bits, 1 for -1, eight to a byte. ``meta`` is the description as
JSON in UTF-8; ``checksum`` is the SHA-256 of everything else.
"""

import hashlib
import io
import json
import zipfile
import zlib

import numpy as np

from minibnn.errors import InputError

FORMAT = "minibnn checkpoint"
VERSION = 1
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same date in every file


def encode(meta, arrays):
    """The bytes of a checkpoint.

    Parameters
    ----------
    meta : dict
        What JSON can hold; the keys format, version and signs are set here.
    arrays : dict of str to array
        Any names but "meta" and "checksum", any dtype but object.
    """
    members, signs = {}, {}
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        if array.dtype == np.int8 and array.size and np.all(np.abs(array) == 1):
            signs[name] = list(array.shape)
            array = np.packbits(array < 0, bitorder="little")
        members[name] = array
    meta = {**meta, "format": FORMAT, "version": VERSION, "signs": signs}
    text = json.dumps(meta, sort_keys=True, allow_nan=False)
    members["meta"] = np.frombuffer(text.encode(), np.uint8)
    members["checksum"] = _checksum(members)

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in members.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH_OF_ZIP)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


def read(path):
    """The description and the arrays of a checkpoint file.

    Returns
    -------
    meta : dict
    arrays : dict of str to array, ±1 ones unpacked to int8

    Raises
    ------
    InputError if the file is missing, cut off, damaged, no checkpoint or of a newer version.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            members = {name: file[name] for name in file.files}
        meta = json.loads(members["meta"].tobytes())
        is_ours = meta["format"] == FORMAT
    except FileNotFoundError:
        raise InputError(f"there is no checkpoint {path}") from None
    except KeyError:
        raise InputError(f"{path} is no minibnn checkpoint") from None
    except (ValueError, EOFError, TypeError, AttributeError, MemoryError) as error:
        raise _damaged(path) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OverflowError) as error:
        raise _damaged(path) from error
    if not is_ours:
        raise InputError(f"{path} is no minibnn checkpoint (it says {meta['format']!r})")
    if meta["version"] > VERSION:
        raise InputError(
            f"{path} was written by a newer minibnn (checkpoint version {meta['version']}, "
            f"this one reads up to {VERSION}); upgrade minibnn to use it"
        )
    checksum = members.pop("checksum", None)
    if checksum is None or not np.array_equal(checksum, _checksum(members)):
        raise _damaged(path)
    del members["meta"]
    for name, shape in meta["signs"].items():
        count = int(np.prod(shape))
        bits = np.unpackbits(members[name], count=count, bitorder="little")
        members[name] = (1 - 2 * bits.astype(np.int8)).reshape(shape)
    return meta, members


def _checksum(members):
    digest = hashlib.sha256()
    for name in sorted(members):
        array = np.ascontiguousarray(members[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return np.frombuffer(digest.digest(), np.uint8)


def _damaged(path):
    return InputError(f"{path} is cut off or damaged: not a readable checkpoint")
