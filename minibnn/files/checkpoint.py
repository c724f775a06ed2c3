"""Networks and checkpoints in files: a description and named arrays, always the same bytes.

The file is a plain ``.npz`` that ``np.load`` opens: no pickles, no path, host, process or clock.
``meta`` is the description as JSON in UTF-8, with a network's configuration under "network".
Arrays of ±1 (int8) are stored as bits, 1 for -1, eight to a byte, the first in the lowest bit;
``checksum`` is the SHA-256 of everything else.
"""

import json
import math

import numpy as np

from minibnn.errors import InputError
from minibnn.files import archive

FORMAT = "minibnn checkpoint"
VERSION = 1
NETWORK = "network/"  # begins the names of a network's arrays


def encode(meta, arrays):
    """The bytes of a file: ``meta`` for JSON, and arrays of any dtype but object, by name.

    The keys format, version and signs of meta are set here.
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
    """The description, and the arrays with signs unpacked to int8.

    Raises InputError if the file is missing, cut off, damaged, something else or of a newer
    version.
    """
    try:
        with archive.opened(path) as file:
            members = file.read_all()
        meta = json.loads(members["meta"].tobytes())
        is_ours = meta["format"] == FORMAT
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a network or checkpoint") from None
    except KeyError:
        raise InputError(f"{path} is no network or checkpoint of minibnn") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not is_ours:
        raise InputError(
            f"{path} is no network or checkpoint of minibnn (it says {meta['format']!r:.60})"
        )
    if not isinstance(meta.get("version"), int):
        raise _damaged(path, "it has no version")
    if meta["version"] > VERSION:
        raise InputError(
            f"{path} was written by a newer minibnn (format version {meta['version']}, "
            f"this one reads up to {VERSION}); upgrade minibnn to use it"
        )
    try:
        archive.verify(members)
        del members["meta"]
        for name, shape in meta["signs"].items():
            members[name] = _unpacked(members[name], shape)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error
    return meta, members


def _unpacked(packed, shape):
    count = math.prod(shape)
    if len(packed) != -(-count // 8):
        raise ValueError(f"{len(packed)} bytes do not hold {count} signs")
    bits = np.unpackbits(packed, count=count, bitorder="little")
    return (1 - 2 * bits.astype(np.int8)).reshape(shape)


def _damaged(path, why):
    return InputError(f"{path} is cut off or damaged, or not minibnn's: {why}")
