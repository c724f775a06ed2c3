"""Rounding of a gradient to fixed point, and taking away the mean that it leaves."""

import numpy as np

from minibnn.ops.bits import Signs
from minibnn.ops.fixed import Fixed, fixed_exponent, fixed_type
from minibnn.ops.shapes import windows


def to_fixed(x, bits, across=None):
    """x, floats, as Fixed: integers rint(x / 2^e) of so many bits, ties to even.

    The sign is one of the bits, and all entries share the smallest e with
    max |x| <= (2^(bits - 1) - 1) 2^e. A Fixed x whose type has so many bits stays as it is. Where x
    is a piece of a batch (see ``batch_statistics``), ``across.largest(number)`` is the largest of
    all pieces, so that they agree on e.

    >>> to_fixed(np.float32([1.0, -0.25, 0.1]), bits=4)  # at most 7: steps of 1 / 4
    Fixed(integers=array([ 4, -1,  0], dtype=int8), exponent=-2, divisor=1)
    """
    dtype = fixed_type(bits)
    if isinstance(x, Fixed):
        if x.integers.dtype == dtype:
            return x
        x = x.floats(np.float64)
    largest = float(np.abs(x).max(initial=0))
    exponent = fixed_exponent(across.largest(largest) if across else largest, bits)
    if exponent != exponent:  # not finite: there are no integers for it
        return Fixed(np.zeros(x.shape, dtype), exponent)
    return Fixed(np.rint(x * x.dtype.type(2.0**-exponent)).astype(dtype), exponent)


def centred(dw, dy, x, count, fixed=False):
    """The kernel's gradient dw (..., I, O) of a Fixed dy (..., O), as if dy had channels of mean 0.

    dw is Fixed; x are the ``tap_sums`` of its inputs, ``count`` how many windows (of a dense layer,
    images) these are of. Float32, of an exact difference; or with ``fixed`` that difference.
    """
    total = dy.integers.sum(axis=tuple(range(dy.ndim - 1)), dtype=np.int64)
    difference = dw.integers * np.int64(count) - x * total
    dw = Fixed(difference, dw.exponent, dw.divisor * count)
    return dw if fixed else dw.floats()


def tap_sums(x, *geometry):
    """The sums of what each tap of a kernel meets in a batch, int64 (H, W, I, 1); (I, 1) of (B, I).

    x is Signs on the last axis or bytes b, which count 2 b - 255. ``geometry`` are kernel_size,
    strides, padding and pad_value of ``binary_conv2d``, none for a dense layer.
    """
    if isinstance(x, Signs):
        return of_taps(x.unpack().sum(0, np.int64), len(x), *geometry)
    return of_taps(2 * x.sum(0, np.int64) - 255 * len(x), 255 * len(x), *geometry)


def of_taps(total, one, kernel_size=None, strides=None, padding=None, pad_value=None):
    """``tap_sums`` of what a batch adds up to, ``total``, where the number 1 adds up to ``one``."""
    if kernel_size is None:
        return total[:, np.newaxis]
    seen = windows(total.shape[:2], kernel_size, strides, padding)
    padded = np.pad(total, seen.borders[1:], constant_values=pad_value * one)
    sums = [padded[rows, columns].sum((0, 1)) for _, (rows, columns) in seen.taps]
    return np.reshape(sums, (*kernel_size, -1, 1))
