"""What batch normalisation and sign become in a packed network."""

import numpy as np

from minibnn.errors import InputError
from minibnn.nn.layers.layer import Layer, as_array
from minibnn.ops.backend import ops
from minibnn.ops.thresholds import Thresholds


class Threshold(Layer):
    """Signs of integers z, of channel c +1 where z * direction[c] >= level[c] * direction[c].

    ``level`` (C,) is int32, ``direction`` (C,) int8: +1, or -1 for a channel that falls.
    """

    prefix = "threshold"
    kept = ("level", "direction")

    def arrays(self, input_shape):
        return {"level": (np.int32, input_shape[-1:]), "direction": (np.int8, input_shape[-1:])}

    def build(self, input_shape, rng):
        mine = self.arrays(input_shape)
        self.load_state({key: np.ones(shape, dtype) for key, (dtype, shape) in mine.items()})

    def check_state(self, arrays):
        super().check_state(arrays)
        level, direction = np.asarray(arrays["level"]), np.asarray(arrays["direction"])
        if level.dtype != np.int32 or np.any(np.abs(direction) != 1):
            raise InputError(f"{self.name}: a level must be int32, and a direction +1 or -1")

    def load_state(self, arrays):
        self.level, self.direction = np.array(arrays["level"]), np.array(arrays["direction"])
        self.thresholds = Thresholds(self.level, self.direction > 0)

    def forward(self, x, training=False):
        return ops.threshold_sign(as_array(x), self.thresholds)

    def gives_signs(self, given_signs):
        return True
