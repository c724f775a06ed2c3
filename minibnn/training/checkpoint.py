"""A checkpoint as bytes: named arrays and a small description, the same bytes for the same run.

The file is a plain ``.npz`` that ``np.load`` opens: no pickles, no path, host, process or clock.
Arrays of ±1 (int8) are stored as bits, 1 for -1, eight to a byte. ``meta`` is the description as
JSON in UTF-8; ``checksum`` is the SHA-256 of everything else.
"""

import json
import math

import numpy as np

from minibnn.errors import InputError
from minibnn.files import archive

FORMAT = "minibnn checkpoint"
VERSION = 1


def encode(meta, arrays):
    """The bytes of a checkpoint.

    ``meta`` is what JSON can hold; its keys format, version and signs are set here. ``arrays``
    have any names but "meta" and "checksum", and any dtype but object.
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
    return archive.encode(members)


def read(path):
    """The description and the arrays of a checkpoint file, ±1 ones unpacked to int8.

    InputError if it is missing, cut off, damaged, no checkpoint or of a newer version.
    """
    try:
        with archive.opened(path) as file:
            members = file.read_all()
        meta = json.loads(members["meta"].tobytes())
        is_ours = meta["format"] == FORMAT
    except FileNotFoundError:
        raise InputError(f"there is no checkpoint {path}") from None
    except KeyError:
        raise InputError(f"{path} is no minibnn checkpoint") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(path) from error
    if not is_ours:
        raise InputError(f"{path} is no minibnn checkpoint (it says {meta['format']!r})")
    if not isinstance(meta.get("version"), int):
        raise _damaged(path)
    if meta["version"] > VERSION:
        raise InputError(
            f"{path} was written by a newer minibnn (checkpoint version {meta['version']}, "
            f"this one reads up to {VERSION}); upgrade minibnn to use it"
        )
    try:
        archive.verify(members)
        del members["meta"]
        for name, shape in meta["signs"].items():
            members[name] = _unpacked(members[name], shape)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path) from error
    return meta, members


def _unpacked(packed, shape):
    count = math.prod(shape)
    if len(packed) != -(-count // 8):
        raise ValueError(f"{len(packed)} bytes do not hold {count} signs")
    bits = np.unpackbits(packed, count=count, bitorder="little")
    return (1 - 2 * bits.astype(np.int8)).reshape(shape)


def _damaged(path):
    return InputError(f"{path} is cut off or damaged: not a readable checkpoint")
