"""What moves between the steps of a packed network: its kind, and its shape without the batch."""

import math
from dataclasses import dataclass

from minibnn.errors import InputError

PICTURES, SIGNS, SUMS, REALS = "pictures", "signs", "sums", "reals"
MOST_NUMBERS = 1 << 26  # of one input between two layers; more is no network but a damaged file


@dataclass(frozen=True)
class Value:
    """The output of a step, or the input of the network.

    Attributes
    ----------
    kind : str
        "pictures": what the network is given, bytes or floats; "signs": packed ±1; "sums": whole
        numbers; "reals": floats.
    shape : tuple of int
        Of one sample.
    most : int
        Of sums: the largest magnitude they can have.

    Raises InputError for a shape that is empty or of more than ``MOST_NUMBERS`` numbers.
    """

    kind: str
    shape: tuple
    most: int = 0

    def __post_init__(self):
        if min(self.shape, default=0) < 1 or math.prod(self.shape) > MOST_NUMBERS:
            raise InputError(f"a layer's output cannot have the shape {self.shape}")

    @property
    def channels(self):
        return self.shape[-1]
