"""Batch files of CIFAR-10's Python layout, read without trusting the pickle.

A pickle is a program, and may have any Python function called. Here it is not run:
``pickletools`` lists its operations, and pixels and labels are picked from the texts and numbers
among them. The number of operations is bounded and their data are in the file, so memory is too.
"""

import pickletools
from itertools import pairwise

import numpy as np

from minibnn.errors import InputError

_KEYS = ("data", "labels", "batch_label", "filenames")
_OPERATIONS = 20  # for a record: a label, a file name, and what they are kept under; a few suffice
_MORE_OPERATIONS = 1000  # for the rest


def decode_python(content, where, records):
    """(records, 3072) pixels and a list of labels in a pickled dict; InputError names ``where``."""
    try:
        found = _literals(content, _OPERATIONS * records + _MORE_OPERATIONS)
        labels = found["labels"]
        if not labels or not all(type(label) is int for label in labels):
            raise InputError("expected 'labels', a list of integers: not a CIFAR-10 file")
        if len(labels) != records:
            raise InputError(f"expected {records} labels, found {len(labels)}")
        return _pixels(found["data"], (records, 3072)), labels
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except Exception as error:  # a damaged pickle fails in many ways, none of them ours
        found = f"something damaged ({type(error).__name__})"
        raise InputError(f"{where}: expected a pickled CIFAR-10 batch, found {found}") from error


def _literals(content, most):
    """The numbers and texts behind each key, in the order of the file."""
    found = {key: [] for key in (None, *_KEYS)}
    key = None
    for count, (operation, value, _) in enumerate(pickletools.genops(content), start=1):
        name = operation.name
        if count > most:
            raise InputError(f"expected at most {most} operations in the pickle")
        if name in ("NEWTRUE", "NEWFALSE"):
            value = name == "NEWTRUE"
        if isinstance(value, bytes) and len(value) < 256:
            value = value.decode("latin-1")
        if isinstance(value, str) and value in _KEYS:
            key = value
        elif value is not None and not name.endswith(("PUT", "GET", "GLOBAL", "PROTO", "FRAME")):
            found[key].append(value)
    return found


def _pixels(found, shape):
    """The uint8 array of ``shape`` in what stands behind "data"."""
    if not {"u1", "|u1"}.intersection(one for one in found if isinstance(one, str)):
        raise InputError("expected 'data', a uint8 array: not a CIFAR-10 file")
    sizes = [len(one) if isinstance(one, str | bytes | bytearray) else 0 for one in found]
    if shape not in pairwise(found) or shape[0] * shape[1] not in sizes:
        raise InputError(f"expected 'data' of shape {shape}, found another shape")
    at = sizes.index(shape[0] * shape[1])
    fortran = found[at - 1] is True or "F" in found  # where _reconstruct, or _frombuffer, has it
    raw = found[at]
    pixels = np.frombuffer(raw.encode("latin-1") if isinstance(raw, str) else raw, np.uint8)
    return pixels.reshape(shape, order="F" if fortran else "C")
