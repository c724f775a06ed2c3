"""Batch files of CIFAR-10's Python layout, read without trusting the pickle.

A pickle is a program, and may have any Python function called. Here it is not run: ``pickletools``
reads its operations, and those that make texts, numbers, tuples, lists and dicts are followed. What
the file asks to have called is only noted (``Call``), and must be what a pickled NumPy array is
made of. The number of operations is bounded and their data are in the file, so memory is too.
"""

import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np

from minibnn.errors import InputError

# Modules were renamed in NumPy 2; _codecs.encode is how Python 3 writes bytes in protocol 2.
_ARRAY = {f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")}
_BUFFER = {f"numpy.{core}.numeric _frombuffer" for core in ("core", "_core")}
_ALLOWED = {*_ARRAY, *_BUFFER, "_codecs encode", "numpy dtype", "numpy ndarray"}
_OPERATIONS = 20  # for a record: a label, a file name, and what they are kept under; a few suffice
_MORE_OPERATIONS = 1000  # for the rest


def decode_python(content, where, records):
    """(records, 3072) pixels and a list of labels of a batch file's ``content``.

    Raises InputError, naming ``where``, if it is anything but a pickled dict of "data", a uint8
    array, and "labels", a list of integers (their range is the caller's to check).
    """
    try:
        batch = follow(content, _OPERATIONS * records + _MORE_OPERATIONS)
        if not isinstance(batch, dict):
            raise InputError(f"expected a pickled dict, found {type(batch).__name__}")
        labels = batch.get("labels")
        if not isinstance(labels, list) or not all(type(label) is int for label in labels):
            raise InputError("expected 'labels', a list of integers: not a CIFAR-10 file")
        if len(labels) != records:
            raise InputError(f"expected {records} labels, found {len(labels)}")
        return _pixels(batch.get("data"), (records, 3072)), labels
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except Exception as error:  # a damaged pickle fails in many ways, none of them ours
        raise InputError(
            f"{where}: expected a pickled CIFAR-10 batch, found something damaged "
            f"({type(error).__name__})"
        ) from error


@dataclass
class Call:
    """A call that a pickle asks for, and the state that it sets then."""

    function: str
    arguments: tuple
    state: Any = None


def follow(content, most):
    """What a pickle of at most ``most`` operations holds, with a Call in place of each call."""
    stack, marks, memo = [], [], {}
    for count, (operation, argument, _) in enumerate(pickletools.genops(content), start=1):
        if count > most:
            raise InputError(f"expected at most {most} operations in the pickle")
        name, takes = operation.name, operation.stack_before
        if name == "STOP":
            return stack.pop()
        if name == "MARK":
            marks.append(len(stack))
        elif name.endswith("PUT") or name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[argument])
        elif name not in ("PROTO", "FRAME"):
            start = len(stack) - len(takes)
            if pickletools.stackslice in takes:  # all above the mark, perhaps the one below it too
                start = marks.pop() - takes.index(pickletools.markobject)
            stack[start:] = [_made(operation, argument, stack[start:])]
    raise ValueError("no STOP")


def _made(operation, argument, taken):
    """What an operation puts on the stack for its argument and what it has taken from there."""
    makes = operation.stack_after
    match operation.name:
        case "NONE" | "NEWTRUE" | "NEWFALSE" as name:
            return {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name]
        case "EMPTY_LIST" | "LIST":
            return taken
        case "APPEND" | "APPENDS":
            taken[0].extend(taken[1:])
        case "EMPTY_DICT" | "DICT":
            return _pairs(taken)
        case "SETITEM" | "SETITEMS":
            taken[0].update(_pairs(taken[1:]))
        case "REDUCE":
            return Call(*taken)
        case "BUILD":
            taken[0].state = taken[1]
        case "GLOBAL" | "STACK_GLOBAL":
            path = argument or " ".join(taken)
            if path not in _ALLOWED:
                raise _refused(path.replace(" ", ".", 1)[:100])
            return path
        case _ if makes == [pickletools.pytuple]:
            return tuple(taken)
        case name if argument is None or makes == [pickletools.anyobject]:
            raise _refused(f"the operation {name}")
        case _:
            return argument  # a number or a text
    return taken[0]


def _pairs(items):
    """A dict of keys and values in turn, text keys only: tuples could take forever to hash."""
    keys = [_text(key) for key in items[::2]]
    if not all(isinstance(key, str) for key in keys):
        raise _refused("a key that is no text")
    return dict(zip(keys, items[1::2], strict=True))


def _text(value):
    """Bytes, or what is to be made bytes of, as a text of as many characters."""
    if isinstance(value, Call):
        return value.arguments[0]
    return value.decode("latin-1") if isinstance(value, bytes | bytearray) else value


def _refused(what):
    return InputError(
        f"the pickle asks for {what}, which no CIFAR-10 file needs: refused, nothing was run"
    )


def _pixels(call, shape):
    """The uint8 array of ``shape`` that a Call describes."""
    try:
        if call.function in _ARRAY:
            _, found, dtype, fortran, raw = call.state
        else:
            raw, dtype, found, order = call.arguments
            fortran = order == "F"
        if dtype.arguments[0] not in ("u1", "|u1"):
            raise TypeError
        if isinstance(raw, Call):  # of _codecs.encode
            raw = raw.arguments[0]
        pixels = np.frombuffer(raw.encode("latin-1") if isinstance(raw, str) else raw, np.uint8)
    except Exception as error:
        raise InputError("expected 'data', a uint8 array: not a CIFAR-10 file") from error
    if found != shape or pixels.size != shape[0] * shape[1]:
        raise InputError(f"expected 'data' of shape {shape}, found another shape")
    return pixels.reshape(shape, order="F" if fortran else "C")
