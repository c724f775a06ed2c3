"""A trained network as bits and integer thresholds, and its file: see FORMAT.md beside this module.

What a file says of itself is checked before anything of that size is allocated: the description
gives the dtype and shape of every array, these are held against what the members declare, and
that against their length and the file's.
"""

import json
from math import prod

import numpy as np

from minibnn.deploy.steps import IMAGES, Value, plan, run, walk
from minibnn.errors import InputError, one_of
from minibnn.files import archive
from minibnn.files.atomic import save
from minibnn.nn.inputs import IMAGE_FORMS, Predictor, check_names

FORMAT, VERSION = "minibnn packed network", 1
DESCRIPTION = "packed"  # the member that holds it, JSON in UTF-8
MOST_DESCRIPTION = 1 << 20  # bytes
_ABOUT = ("name", "image_form", "classes", "dataset")  # of the network, in the description
_KEYS = {"format", "version", "input_shape", "steps", *_ABOUT}


class PackedNetwork(Predictor):
    """What ``pack`` makes of a network and ``load`` reads: ``steps`` one after another.

    ``input_shape`` and ``output_shape`` are without the batch. ``classes`` are names of the outputs
    or None; ``name`` is the network's; ``image_form`` is what it takes, see ``minibnn.nn.inputs``;
    ``dataset`` names what it was trained on, if that is one everybody has. InputError for classes
    that are not one name for each output.
    """

    def __init__(
        self, steps, input_shape, classes=None, name="packed", image_form="bytes", dataset=None
    ):
        self.steps = list(steps)
        self.input_shape = tuple(input_shape)
        last = self.steps[-1].output if self.steps else Value(IMAGES, self.input_shape)
        self.output_shape = last.shape
        self.classes = check_names(classes, self.output_shape)
        if dataset is not None and not isinstance(dataset, str):
            raise InputError(f"dataset must be a name, found {dataset!r:.60}")
        self.name, self.dataset = name, dataset
        self.image_form = one_of(image_form, "image_form", IMAGE_FORMS)

    def forward(self, x):
        """The outputs (B, *output_shape): those of the network it was, for the same x."""
        return run(self.steps, self.checked(x))

    def encode(self):
        """The bytes of its file; FORMAT.md beside this module describes them."""
        description = {key: getattr(self, key) for key in _ABOUT}
        description |= {"format": FORMAT, "version": VERSION, "input_shape": self.input_shape}
        description["steps"] = [step.describe() for step in self.steps]
        text = json.dumps(description, sort_keys=True, allow_nan=False).encode()
        if len(text) > MOST_DESCRIPTION:
            raise InputError(f"{self.name} is too long a network to be described in a file")
        members = {DESCRIPTION: np.frombuffer(text, np.uint8)}
        for step in walk(self.steps):
            members |= {f"{step.name}/{key}": array for key, array in step.arrays.items()}
        return archive.encode(members)

    def save(self, path):
        """Write the file ``path``, whole or not at all; ``minibnn.deploy.load`` reads it."""
        save(path, self.encode())

    @property
    def binary_weights(self):
        """How many weights are one bit."""
        kernels = ((step, step.arrays.get("kernel", np.empty(0))) for step in walk(self.steps))
        return sum(prod(step.kernel_shape) for step, k in kernels if k.dtype == np.uint32)

    @property
    def nbytes(self):
        """Bytes of all its arrays."""
        return sum(array.nbytes for step in walk(self.steps) for array in step.arrays.values())

    def __repr__(self):
        return (
            f"<PackedNetwork {self.name} {self.input_shape} -> {self.output_shape}, "
            f"{self.nbytes:,} bytes>"
        )


def load(path):
    """The PackedNetwork in the file ``path`` of ``PackedNetwork.save``.

    InputError if it is missing, cut off, damaged or something else, and where its sizes do not add
    up: then nothing of these sizes was allocated.
    """
    with archive.opened(path, "packed network") as members:
        packed = _planned(members)
        needed = {}
        for step in walk(packed.steps):
            for key, (dtype, shape) in step.needs().items():
                found = np.dtype(dtype), shape
                if needed.setdefault(f"{step.name}/{key}", found) != found:
                    raise InputError(f"{step.name} is the name of more than one step")
        for name in sorted(needed | members.declared):
            if name not in (DESCRIPTION, archive.CHECKSUM):
                wanted, found = (d.get(name, ("absent", "")) for d in (needed, members.declared))
                if wanted != found:
                    raise InputError(
                        f"{name} must be {wanted[0]} {wanted[1]}, found {found[0]} {found[1]}"
                    )
        arrays = members.read_all(verified=True)
        for step in walk(packed.steps):
            step.fill({key: arrays[f"{step.name}/{key}"] for key in step.needs()})
        return packed


def _planned(members):
    """The network that a file's description tells of, without its arrays."""
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
    sizes = found["input_shape"]
    integers = isinstance(sizes, list) and all(type(n) is int for n in sizes)
    if not integers or len(sizes) not in (1, 3) or not isinstance(found["name"], str):
        raise InputError("input_shape must be one or three integers, and name a text")
    steps = plan(found["steps"], Value(IMAGES, tuple(sizes)))
    return PackedNetwork(steps, sizes, **{key: found[key] for key in _ABOUT})
