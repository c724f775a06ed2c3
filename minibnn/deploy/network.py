"""A trained network as bits and integer thresholds."""

import json

import numpy as np

from minibnn.deploy.step import IMAGES, Value, describe, run, walk
from minibnn.deploy.summary import summarize
from minibnn.errors import InputError
from minibnn.files import archive
from minibnn.files.atomic import save
from minibnn.nn.inputs import Predictor, check_image_form, check_names

FORMAT, VERSION = "minibnn packed network", 1
DESCRIPTION = "packed"  # the member that holds it, JSON in UTF-8
MOST_DESCRIPTION = 1 << 20  # bytes


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
        self.name, self.image_form, self.dataset = name, check_image_form(image_form), dataset

    def forward(self, x):
        """The outputs (B, *output_shape): those of the network it was.

        x is (B, *input_shape), uint8, float32, float64 or Signs. InputError for another shape or
        type, and for NaN and infinity.
        """
        return run(self.steps, self.checked(x))

    def encode(self):
        """The bytes of its file; FORMAT.md beside this module describes them."""
        description = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "input_shape": list(self.input_shape),
            "image_form": self.image_form,
            "dataset": self.dataset,
            "classes": None if self.classes is None else list(self.classes),
            "steps": describe(self.steps),
        }
        text = json.dumps(description, sort_keys=True, allow_nan=False).encode()
        if len(text) > MOST_DESCRIPTION:
            raise InputError(f"{self.name} is too long a network to be described in a file")
        members = {DESCRIPTION: np.frombuffer(text, np.uint8)}
        for step, _ in walk(self.steps):
            members |= {f"{step.name}/{key}": array for key, array in step.arrays.items()}
        return archive.encode(members)

    def save(self, path):
        """Write the file ``path``; ``minibnn.deploy.load`` reads it.

        InputError if that fails; nothing half-written remains.
        """
        save(path, self.encode())

    def summary(self):
        """Table of the steps; ``print`` it."""
        return summarize(self)

    @property
    def nbytes(self):
        """Bytes of all its arrays."""
        return sum(array.nbytes for step, _ in walk(self.steps) for array in step.arrays.values())

    def __repr__(self):
        return (
            f"<PackedNetwork {self.name} {self.input_shape} -> {self.output_shape}, "
            f"{self.nbytes:,} bytes>"
        )
