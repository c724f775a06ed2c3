"""Operations on each number by itself: sums of two branches, ReLU, a factor for each channel."""

import numpy as np


def add(a, b):
    """a + b, the sum of two branches: float arrays of one shape, in the wider of the two types."""
    return a + b


def relu(x):
    """max(x, 0) of floats or integers x, in its type; NaN stays NaN."""
    return np.where(x <= 0, x.dtype.type(0), x)


def relu_grad(dy, x):
    """dx = dy where x, the input of ``relu``, is above 0; else 0. Like dy, which are floats."""
    return np.where(x > 0, dy, dy.dtype.type(0))


def scale_channels(x, factor):
    """x (..., C), floats or integers, times the factor (C,) float32 of its channel.

    Floats keep their type, integers become float32.
    """
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
    return x.astype(dtype, copy=False) * factor.astype(dtype, copy=False)
