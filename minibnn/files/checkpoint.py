"""Networks and checkpoints in files: a description and named arrays.

The file is a plain ``.npz`` that ``np.load`` opens: no pickles, no path, host or process. It always
has the same bytes, but for the seconds in a checkpoint inside an epoch.
``meta`` is the description as JSON in UTF-8, with a network's configuration under "network".
Arrays of ±1 (int8) are stored as bits, 1 for -1, eight to a byte, the first in the lowest bit.
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
    """The bytes of a file: ``meta`` for JSON, and arrays by name."""
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
    """The description, and the arrays with signs unpacked to int8; InputError without them."""
    with archive.opened(path, "network or checkpoint of minibnn") as file:
        if "meta" not in file.declared:
            raise archive.Damaged("it has no array 'meta'")
        arrays = file.read_all(verified=True)
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["format"] != FORMAT:
            raise archive.Damaged(f"its format is {meta['format']!r:.60}")
        if type(meta["version"]) is not int or meta["version"] < 1:
            raise archive.Damaged("it has no version")
        if meta["version"] > VERSION:
            words = f"(format version {meta['version']}, this one reads up to {VERSION})"
            raise InputError(f"written by a newer minibnn {words}; upgrade minibnn to use it")
        for name, shape in meta["signs"].items():
            packed, count = arrays[name], math.prod(shape)
            if len(packed) != -(-count // 8):
                raise archive.Damaged(f"{len(packed)} bytes do not hold {count} signs")
            bits = np.unpackbits(packed, count=count, bitorder="little")
            arrays[name] = (1 - 2 * bits.astype(np.int8)).reshape(shape)
    return meta, arrays
