"""Max and average pooling of NHWC images, and their gradients, tap by tap of the window."""

import numpy as np

from minibnn.ops.fixed import Fixed
from minibnn.ops.shapes import windows


def max_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """(y, where): the largest entry of each window, and which it is.

    Windows are ``pool_size`` (rows, columns) large and ``strides`` apart; the ``padding`` is
    "valid" or "same", with minus infinity. y is like x, floats or integers; where is uint8 and
    counts a window's entries row by row. Of equals the first wins.

    >>> y, where = max_pool2d(np.float32([[1, 4], [4, 2]]).reshape(1, 2, 2, 1))
    >>> y.item(), where.item()
    (4.0, 1)
    """
    seen = windows(x.shape[1:3], pool_size, strides, padding)
    padded = np.full((len(x), *seen.padded, x.shape[3]), -np.inf)
    padded[:, *seen.inside] = x
    entries = np.stack([padded[:, rows, columns] for _, (rows, columns) in seen.taps])
    return entries.max(0).astype(x.dtype), entries.argmax(0).astype(np.uint8)


def max_pool2d_grad(dy, where, input_shape, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """dx of ``max_pool2d``: each dy, floats or Fixed, goes to the entry ``where`` points at.

    dx has dy's type and the ``input_shape`` of x. ``pool_size``, ``strides`` and ``padding`` are
    those of the pool.
    """
    if isinstance(dy, Fixed):  # windows that overlap may add up to more than dy's type holds
        wide = dy.integers if strides == pool_size else dy.integers.astype(np.int32)
        return dy.like(max_pool2d_grad(wide, where, input_shape, pool_size, strides, padding))
    seen = windows(tuple(input_shape[1:3]), pool_size, strides, padding)
    dx = np.zeros((len(dy), *seen.padded, dy.shape[3]), dy.dtype)
    for k, (_, (rows, columns)) in enumerate(seen.taps):
        dx[:, rows, columns] += np.where(where == k, dy, dy.dtype.type(0))
    return np.ascontiguousarray(dx[:, *seen.inside])


def avg_pool2d(x, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """Mean over the pixels of each window that lie in the image (Keras' rule for ``same``).

    Of floats x in their type, of integers in float32. ``pool_size``, ``strides`` and ``padding``
    are those of ``max_pool2d``.
    """
    seen = windows(x.shape[1:3], pool_size, strides, padding)
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(np.float32)
    padded = np.zeros((len(x), *seen.padded, x.shape[3]), x.dtype)
    padded[:, *seen.inside] = x
    total = sum(padded[:, rows, columns] for _, (rows, columns) in seen.taps)
    return total / _pixels(seen, x.dtype)


def avg_pool2d_grad(dy, input_shape, pool_size=(2, 2), strides=(2, 2), padding="valid"):
    """dx of ``avg_pool2d``: each dy is shared equally among the pixels of its window.

    dx has dy's float type and the ``input_shape`` of x. ``pool_size``, ``strides`` and ``padding``
    are those of the pool.
    """
    seen = windows(tuple(input_shape[1:3]), pool_size, strides, padding)
    dx = np.zeros((len(dy), *seen.padded, dy.shape[3]), dy.dtype)
    share = dy / _pixels(seen, dy.dtype)
    for _, (rows, columns) in seen.taps:
        dx[:, rows, columns] += share
    return np.ascontiguousarray(dx[:, *seen.inside])


def _pixels(seen, dtype):
    """How many pixels of each window lie in the image: (rows, columns, 1)."""
    image = np.zeros(seen.padded, dtype)
    image[seen.inside] = 1
    return sum(image[rows, columns] for _, (rows, columns) in seen.taps)[..., None]
