"""A packed network in one file; FORMAT.md beside this module describes it, byte for byte.

What a file says of itself is checked before anything of that size is allocated: the description
gives the dtype and shape of every array, these are held against what the members declare, and
that against their length and the file's.
"""

import json

import numpy as np

from minibnn.deploy.network import PackedNetwork
from minibnn.deploy.plan import plan
from minibnn.deploy.step import describe, walk
from minibnn.deploy.value import PICTURES, Value
from minibnn.errors import InputError
from minibnn.files import archive
from minibnn.files.atomic import write_atomic

FORMAT, VERSION = "minibnn packed network", 1
DESCRIPTION = "packed"  # the member that holds it, JSON in UTF-8
MOST_DESCRIPTION = 1 << 20  # bytes
_KEYS = {"format", "version", "name", "input_shape", "pictures", "classes", "dataset", "steps"}


def encode(packed):
    """The bytes of the file."""
    description = {
        "format": FORMAT,
        "version": VERSION,
        "name": packed.name,
        "input_shape": list(packed.input_shape),
        "pictures": packed.pictures,
        "dataset": packed.dataset,
        "classes": None if packed.classes is None else list(packed.classes),
        "steps": describe(packed.steps),
    }
    text = json.dumps(description, sort_keys=True, allow_nan=False).encode()
    if len(text) > MOST_DESCRIPTION:
        raise InputError(f"{packed.name} is too long a network to be described in a file")
    members = {DESCRIPTION: np.frombuffer(text, np.uint8)}
    for step in walk(packed.steps):
        members |= {f"{step.name}/{key}": array for key, array in step.arrays.items()}
    return archive.encode(members)


def save(packed, path):
    """Write the file in one step: it is there as a whole, or not at all."""
    try:
        write_atomic(path, encode(packed))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def load(path):
    """The network in a file of ``PackedNetwork.save``.

    Parameters
    ----------
    path : path

    Returns
    -------
    PackedNetwork

    Raises
    ------
    InputError
        If the file is missing, cut off, damaged or something else, and where its sizes do not add
        up: then nothing of these sizes was allocated.
    """
    try:
        with archive.opened(path) as members:
            return _read(members)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a packed network") from None
    except archive.Damaged as error:
        raise InputError(f"{path} is no packed network, or a damaged one: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(members):
    packed = _planned(_description(members))
    needed = {}
    for step in walk(packed.steps):
        for key, (dtype, shape) in step.needs().items():
            if needed.setdefault(f"{step.name}/{key}", found := (np.dtype(dtype), shape)) != found:
                raise InputError(f"{step.name} is the name of more than one step")
    declared = dict(members.declared)
    for name in (DESCRIPTION, archive.CHECKSUM):
        declared.pop(name, None)
    for name in sorted(needed.keys() | declared.keys()):
        if needed.get(name) != declared.get(name):
            raise InputError(
                f"{name} must be {_words(needed.get(name))}, found {_words(declared.get(name))}"
            )
    arrays = members.read_all()
    archive.verify(arrays)
    for step in walk(packed.steps):
        step.fill({key: arrays[f"{step.name}/{key}"] for key in step.needs()})
    return packed


def _description(members):
    dtype, shape = members.declared.get(DESCRIPTION, (None, ()))
    if dtype != np.uint8 or len(shape) != 1 or shape[0] > MOST_DESCRIPTION:
        raise InputError("is no packed network: it has no description")
    try:
        found = json.loads(members.read(DESCRIPTION).tobytes())
    except (ValueError, RecursionError) as error:
        raise archive.Damaged(f"its description is no JSON ({error})") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError("is no packed network")
    version = found.get("version")
    if version != VERSION:
        raise InputError(f"has version {version!r:.20}; this version of minibnn reads {VERSION}")
    if found.keys() != _KEYS:
        raise InputError(f"its description must have the keys {', '.join(sorted(_KEYS))}")
    return found


def _planned(found):
    shape, name = found["input_shape"], found["name"]
    whole = isinstance(shape, list) and all(type(n) is int for n in shape)
    if not whole or len(shape) not in (1, 3) or not isinstance(name, str):
        raise InputError("input_shape must be one or three whole numbers, and name a text")
    shape = tuple(shape)
    steps = plan(found["steps"], Value(PICTURES, shape))
    return PackedNetwork(steps, shape, found["classes"], name, found["pictures"], found["dataset"])


def _words(declared):
    return "absent" if declared is None else f"{declared[0]} {declared[1]}"
