"""A trained network as bits and integer thresholds."""

from minibnn.deploy.step import run, walk
from minibnn.deploy.value import PICTURES, Value
from minibnn.errors import InputError
from minibnn.nn.inputs import Predictor, check_names, check_pictures


class PackedNetwork(Predictor):
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
        What it takes, and so how picture files become inputs; see ``minibnn.nn.inputs``.
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
        self.classes = check_names(classes, self.output_shape)
        if dataset is not None and not isinstance(dataset, str):
            raise InputError(f"dataset must be a name, found {dataset!r:.60}")
        self.name, self.pictures, self.dataset = name, check_pictures(pictures), dataset

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
            For another shape or type, and for NaN and infinity.
        """
        return run(self.steps, self.checked(x))

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
