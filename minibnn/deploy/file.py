"""``load``: a packed network from one file; FORMAT.md beside this module describes it.

What a file says of itself is checked before anything of that size is allocated: the description
gives the dtype and shape of every array, these are held against what the members declare, and
that against their length and the file's.
"""

import json
import re

import numpy as np

from minibnn.deploy.network import (
    DESCRIPTION,
    FORMAT,
    MOST_DESCRIPTION,
    VERSION,
    PackedNetwork,
)
from minibnn.deploy.step import IMAGES, Value, walk
from minibnn.deploy.steps import KINDS, FirstStep
from minibnn.errors import InputError
from minibnn.files import archive

_KEYS = {"format", "version", "name", "input_shape", "image_form", "classes", "dataset", "steps"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DEEPEST = 8  # steps inside each other


def load(path):
    """The PackedNetwork in the file ``path`` of ``PackedNetwork.save``.

    InputError if it is missing, cut off, damaged or something else, and where its sizes do not add
    up: then nothing of these sizes was allocated.
    """
    with archive.opened(path, "packed network") as members:
        return _read(members)


def _read(members):
    packed = _planned(_description(members))
    needed = {}
    for step, _ in walk(packed.steps):
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
    arrays = members.read_all(verified=True)
    for step, _ in walk(packed.steps):
        step.fill({key: arrays[f"{step.name}/{key}"] for key in step.needs()})
    return packed


def _words(declared):
    return "absent" if declared is None else f"{declared[0]} {declared[1]}"


def _description(members):
    dtype, shape = members.declared.get(DESCRIPTION, (None, ()))
    if dtype != np.uint8 or len(shape) != 1 or shape[0] > MOST_DESCRIPTION:
        raise archive.Damaged("it has no description")
    found = json.loads(members.read(DESCRIPTION).tobytes())
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise archive.Damaged(f"its description is not that of a {FORMAT}")
    version = found.get("version")
    if version != VERSION:
        raise InputError(f"has version {version!r:.20}; this version of minibnn reads {VERSION}")
    if found.keys() != _KEYS:
        raise InputError(f"its description must have the keys {', '.join(sorted(_KEYS))}")
    return found


def _planned(found):
    shape, name = found["input_shape"], found["name"]
    integers = isinstance(shape, list) and all(type(n) is int for n in shape)
    if not integers or len(shape) not in (1, 3) or not isinstance(name, str):
        raise InputError("input_shape must be one or three integers, and name a text")
    shape = tuple(shape)
    steps = plan(found["steps"], Value(IMAGES, shape))
    return PackedNetwork(
        steps, shape, found["classes"], name, found["image_form"], found["dataset"]
    )


def plan(description, given, depth=0):
    """Steps without arrays, from what ``describe`` gave, for a Value.

    Raises InputError for anything else, naming the step.
    """
    if not isinstance(description, list) or depth > _DEEPEST:
        raise InputError("steps must be a list, and not too deep inside each other")
    steps = []
    for entry in description:
        options = dict(entry) if isinstance(entry, dict) else {}
        kind, name = options.pop("kind", None), options.pop("name", None)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(f"a step must have a name of letters and digits, found {name!r:.60}")
        if not isinstance(kind, str) or kind not in KINDS:
            raise InputError(f"{name} is of a kind that is not known: {kind!r:.60}")
        kind, inner = KINDS[kind], given
        if kind.step is FirstStep:  # its steps for floats are given what the layer gives
            own = {key: options.get(key) for key in kind.fields if key != "pool"}
            inner = KINDS[f"binary_{kind.name.removeprefix('first_')}"].make(name, given, **own)
            inner = inner.output
        for key in kind.chains:
            options[key] = plan(options.get(key), inner, depth + 1)
        steps.append(kind.make(name, given, **options))
        given = steps[-1].output
    return steps
