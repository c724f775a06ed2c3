"""Operations on each number by itself: sums of two branches, ReLU, a factor for each channel."""

import numpy as np


def add(a, b):
    """a + b, the sum of two branches.

    Parameters
    ----------
    a, b : float arrays of one shape

    Returns
    -------
    like a, in the wider of the two types
    """
    return a + b


def relu(x):
    """max(x, 0), in x's type; NaN stays NaN.

    Parameters
    ----------
    x : float or integer array

    Returns
    -------
    like x
    """
    return np.where(x <= 0, x.dtype.type(0), x)


def relu_grad(dy, x):
    """dy where x > 0, else 0.

    Parameters
    ----------
    dy : float array
    x : array like dy
        The input of ``relu``.

    Returns
    -------
    dx : like dy
    """
    return np.where(x > 0, dy, dy.dtype.type(0))


def scale_channels(x, factor):
    """x times the factor of its channel, the last axis.

    Parameters
    ----------
    x : (..., C) float or integer array
    factor : (C,) float32

    Returns
    -------
    like x: integers give float32, floats their own type
    """
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float32)
    return x.astype(dtype, copy=False) * factor.astype(dtype, copy=False)
