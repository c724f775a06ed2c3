"""A parameter with the contract of ``minibnn.nn.Parameter`` and nothing else."""

from contextlib import contextmanager

import numpy as np


class FakeParameter:
    def __init__(self, name, value, binary, grad=None):
        self.name, self.binary, self.version = name, binary, 0
        self.array = np.array(value, np.int8 if binary else np.float32)
        self.grad = None if grad is None else np.array(grad, np.float32)

    @property
    def value(self):
        view = self.array.view()
        view.flags.writeable = False
        return view

    @property
    def shape(self):
        return self.array.shape

    @property
    def size(self):
        return self.array.size

    def assign(self, array):
        self.array[...] = array
        self.version += 1

    @contextmanager
    def writable(self):
        yield self.array
