"""Batch files of CIFAR-10's Python layout, read without trusting the pickle.

A pickle may name any Python function and have it called. Here it gets to call nothing: the names
a pickled NumPy array is made of become inert descriptions, every other name is refused, and the
array is then built from the described bytes. All sizes are checked against the bytes that are
there before anything is unpickled, and so is the number of operations: each may put a few bytes on
the stack that are not in the file.
"""

import io
import pickle
import pickletools

import numpy as np

from minibnn.errors import InputError

# Modules were renamed in NumPy 2; _codecs.encode is how Python 3 writes bytes in protocol 2.
_ARRAY = {(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
_BUFFER = {(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")}
_ENCODE = ("_codecs", "encode")
_DTYPE = ("numpy", "dtype")
_ALLOWED = {*_ARRAY, *_BUFFER, _ENCODE, _DTYPE, ("numpy", "ndarray")}
_REFUSED = {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"}
_REFUSED |= {"EMPTY_SET", "FROZENSET", "ADDITEMS"}
_PIXELS = 3072
_OPERATIONS = 20  # for a record: a label, a file name, and what they are kept under; a few suffice
_MORE_OPERATIONS = 1000  # for the rest


def decode_python(content, where, records):
    """(records, 3072) pixels and a list of labels of a batch file's ``content``.

    Raises InputError, naming ``where``, if it is anything but a pickled dict of "data", a uint8
    array, and "labels", a list of integers (their range is the caller's to check).
    """
    batch = describe(content, where, _OPERATIONS * records + _MORE_OPERATIONS)
    if not isinstance(batch, dict):
        raise InputError(f"{where}: expected a pickled dict, found {type(batch).__name__}")
    data, labels = (batch.get(key, batch.get(key.encode())) for key in ("data", "labels"))
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{where}: expected 'labels', a list of integers: not a CIFAR-10 file")
    if len(labels) != records:
        raise InputError(f"{where}: expected {records} labels, found {len(labels)}")
    if min(labels) < 0 or max(labels) > 255:
        raise InputError(f"{where}: expected labels 0 to 9: not a CIFAR-10 file")
    return _array(data, (records, _PIXELS), where), labels


def describe(content, where, most=10**6):
    """Unpickle plain Python values; arrays become descriptions (``_Made``), nothing is called.

    ``most`` is how many operations there may be.
    """
    try:
        _check_operations(content, where, most)
        return _Describer(io.BytesIO(content), encoding="bytes").load()
    except InputError:
        raise
    except _Refused as refused:
        raise InputError(
            f"{where}: the pickle asks for {refused}, which no CIFAR-10 file needs: refused, "
            "nothing was run"
        ) from None
    except Exception as error:  # a damaged pickle fails in many ways, none of them ours
        raise InputError(
            f"{where}: expected a pickled CIFAR-10 batch, found something damaged "
            f"({type(error).__name__})"
        ) from error


def _check_operations(content, where, most):
    """Every operation's declared size is there, memo slots are small, none is refused."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(content), start=1):
        if count > most:
            raise InputError(f"{where}: expected at most {most} operations in the pickle")
        if operation.name in _REFUSED:
            raise _Refused(f"the operation {operation.name}")
        if operation.name in ("PUT", "LONG_BINPUT") and argument > len(content):
            raise InputError(f"{where}: a memo slot {argument} in the pickle is absurdly large")


class _Refused(pickle.UnpicklingError):
    pass


def _with_plain_keys(load, keys):
    """An operation that fills a dict, refused unless the keys, this part of the stack, are texts.

    A tuple of a tuple twice, and so on, takes two bytes a step, and each doubles the time that
    hashing it takes.
    """

    def checked(unpickler):
        if not all(isinstance(key, bytes | str) for key in unpickler.stack[keys]):
            raise _Refused("a key that is no text")
        load(unpickler)

    return checked


_OPERATE = dict(pickle._Unpickler.dispatch)  # code of an operation: what does it
for _code, _keys in (
    (pickle.SETITEM[0], slice(-2, -1)),
    (pickle.SETITEMS[0], slice(0, None, 2)),
    (pickle.DICT[0], slice(0, None, 2)),
):
    _OPERATE[_code] = _with_plain_keys(_OPERATE[_code], _keys)


class _Describer(pickle._Unpickler):
    """Python's unpickler, not the one in C: its operations can be looked at before they run."""

    dispatch = _OPERATE

    def __init__(self, file, **how):
        super().__init__(file, **how)
        self.budget = [file.getbuffer().nbytes]  # characters that may be encoded

    def find_class(self, module, name):
        if (module, name) not in _ALLOWED:
            raise _Refused(f"{module}.{name}"[:100])
        return _Name((module, name), self.budget)


class _Name:
    """Stands for an allowed global; calling it only notes what it was called with.

    The exception is text to latin1 bytes, which is as harmless as it sounds, if it is not the same
    long text again and again: all of it together is no longer than the file.
    """

    __slots__ = ("budget", "name")

    def __init__(self, name, budget):
        self.name, self.budget = name, budget

    def __setstate__(self, state):  # else a pickle may set the slots, and so the budget
        raise _Refused("a state for a name")

    def __call__(self, *arguments):
        if self.name == _ENCODE and arguments[1:] == ("latin1",):
            self.budget[0] -= len(arguments[0])
            if self.budget[0] < 0:
                raise _Refused("more text than it holds")
            return str.encode(arguments[0], "latin1")
        return _Made(self.name, arguments)


class _Made:
    """What a pickle asks to make: the global's name, its arguments and the state set later."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name, arguments):
        self.name, self.arguments, self.state = name, arguments, None

    def __setstate__(self, state):
        self.state = state


def _array(made, shape, where):
    """The uint8 array of ``shape`` that ``made`` describes."""
    try:
        if made.name in _ARRAY:
            _, found, dtype, fortran, raw = made.state
        elif made.name in _BUFFER:
            raw, dtype, found, order = made.arguments
            fortran = order == "F"
        else:
            raise TypeError
        if dtype.name != _DTYPE or dtype.arguments[0] not in ("u1", b"u1", "|u1", b"|u1"):
            raise TypeError
        if found != shape or len(raw) != shape[0] * shape[1]:
            raise InputError(f"{where}: expected 'data' of shape {shape}, found another shape")
        return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{where}: expected 'data', a uint8 array: not a CIFAR-10 file") from error
