"""Steps that only choose or order: pooling and flattening."""

import math
from typing import ClassVar

import numpy as np

from minibnn.deploy.step import Step, place_of, same_or_valid
from minibnn.deploy.value import Value
from minibnn.ops.backend import ops
from minibnn.ops.bits import WORD, Signs
from minibnn.ops.shapes import pair


class Flatten(Step):
    """(B, H, W, C) to (B, H W C); signs stay packed."""

    kind = "flatten"

    def plan(self, given):
        return Value(given.kind, (math.prod(given.shape),), given.most)

    def run(self, x):
        flat = (len(x), *self.output.shape)
        if not isinstance(x, Signs):
            return x.reshape(flat)
        if x.ndim == 2 or x.shape[-1] % WORD == 0:  # the words already stand in a row
            return Signs(x.words.reshape(len(x), -1), flat, 1)
        return ops.pack_signs(x.unpack().reshape(flat), 1)


class MaxPool2D(Step):
    """Largest entry of each window; whole numbers and signs stay what they are."""

    kind = "max_pool2d"
    fields: ClassVar[dict] = {"pool_size": pair, "strides": pair, "padding": same_or_valid}

    def plan(self, given):
        self.place = place_of(self, given, self.pool_size)
        if math.prod(self.pool_size) > 256:
            self.refuse("a pool covers at most 256 pixels")
        return Value(given.kind, (*self.place.output, given.channels), given.most)

    def run(self, x):
        if isinstance(x, Signs):
            return self._largest_signs(x)
        return ops.max_pool2d(x, self.pool_size, self.strides, self.padding)[0]

    def _largest_signs(self, x):
        """On bits, where 1 means -1, the maximum is AND; the padding must not win, so it is 1."""
        words = x.words
        if self.place.padded != self.place.image:
            padded = np.full((len(x), *self.place.padded, words.shape[3]), ~np.uint32(0))
            padded[:, *self.place.inside] = words
            words = padded
        taps = [words[:, rows, columns] for _, (rows, columns) in self.place.taps]
        return Signs(np.bitwise_and.reduce(taps), (len(x), *self.output.shape), 3)
