"""A trained network as bits and integer thresholds."""

import numpy as np

from minibnn.deploy.step import run, walk
from minibnn.deploy.value import PICTURES, Value
from minibnn.errors import InputError
from minibnn.ops.bits import Signs

PICTURE_KINDS = ("bytes", "image-folder")


class PackedNetwork:
    """What ``pack`` makes of a network and ``load`` reads: steps one after another.

    Parameters
    ----------
    steps : list of Step
    input_shape : tuple of int
        Without the batch.
    classes : sequence of str, or None
        Names of the outputs, if they are known.
    name : str
    pictures : str
        How picture files become inputs: "bytes", the whole picture resized, or "image-folder", its
        middle with ImageNet's mean and deviation.
    dataset : str, or None
        Name of the data set it was trained on, if that is one everybody has.

    Attributes
    ----------
    output_shape : tuple of int
        Without the batch.

    Raises
    ------
    InputError
        For classes that are not one name for each output.
    """

    def __init__(
        self, steps, input_shape, classes=None, name="packed", pictures="bytes", dataset=None
    ):
        self.steps = list(steps)
        self.input_shape = tuple(input_shape)
        last = self.steps[-1].output if self.steps else Value(PICTURES, self.input_shape)
        self.output_shape = last.shape
        self.classes = None if classes is None else _names(classes, self.output_shape)
        if pictures not in PICTURE_KINDS:
            raise InputError(f"pictures must be one of {PICTURE_KINDS}, found {pictures!r:.60}")
        if dataset is not None and not isinstance(dataset, str):
            raise InputError(f"dataset must be a name, found {dataset!r:.60}")
        self.name, self.pictures, self.dataset = name, pictures, dataset

    def forward(self, x):
        """The outputs: those of the network it was.

        Parameters
        ----------
        x : (B, *input_shape) uint8, float32, float64 or Signs

        Returns
        -------
        (B, *output_shape) array

        Raises
        ------
        InputError
            For another shape or type.
        """
        x = x if isinstance(x, Signs) else np.asarray(x)
        if x.shape[1:] != self.input_shape:
            wanted = ", ".join(["N", *map(str, self.input_shape)])
            raise InputError(f"inputs must have shape ({wanted}), found {x.shape}")
        if not isinstance(x, Signs) and x.dtype not in (np.uint8, np.float32, np.float64):
            raise InputError(f"inputs must be uint8 bytes or float32, found {x.dtype}")
        return run(self.steps, x)

    def predict(self, images, batch_size=100):
        """Outputs, ``batch_size`` inputs at a time.

        Parameters
        ----------
        images : (N, *input_shape) array
        batch_size : int

        Returns
        -------
        (N, *output_shape) array
        """
        if not len(images):
            return np.zeros((0, *self.output_shape), np.float32)
        starts = range(0, len(images), batch_size)
        return np.concatenate([self.forward(images[k : k + batch_size]) for k in starts])

    def save(self, path):
        """Write one file; ``minibnn.deploy.load`` reads it. FORMAT.md describes it.

        Parameters
        ----------
        path : path

        Raises
        ------
        InputError
            If it cannot be written; nothing half-written remains.
        """
        from minibnn.deploy.file import save

        save(self, path)

    def summary(self):
        """Table of the steps; ``print`` it.

        Returns
        -------
        Summary
        """
        from minibnn.deploy.summary import summarize

        return summarize(self)

    @property
    def nbytes(self):
        """Bytes of all its arrays."""
        return sum(array.nbytes for step in walk(self.steps) for array in step.arrays.values())

    def __repr__(self):
        return (
            f"<PackedNetwork {self.name} {self.input_shape} -> {self.output_shape}, "
            f"{self.nbytes:,} bytes>"
        )


def _names(classes, output_shape):
    if isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes):
        if (len(classes),) == output_shape[-1:]:
            return tuple(classes)
    raise InputError(f"classes must be {output_shape[-1]} names, found {classes!r:.60}")
