"""Where the operands of a product lie: lists of offsets for the tiles, one set for each geometry.

A convolution is a sum over the taps of its kernel of products of rows with a matrix. The tiles
take a row as an offset into an array and a tap as another, so the pixels of one image give one
list of rows, the taps one list of offsets, and every image the same lists, further on.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.bits import WORD
from minibnn.ops.kernels.scratch import scratch
from minibnn.ops.shapes import windows

ZERO = np.zeros(1, np.int32)  # the offset of a single tap
LANES = 32  # output lanes that products come in: the narrowest tile's, two groups


@cache
def padded_lanes(n):
    """n output lanes, filled up to the narrowest tile."""
    return -(-n // LANES) * LANES


def filled_lanes(array):
    """The array, contiguous, its last axis filled up with zeros: tiles then have no end."""
    *others, n = array.shape
    if padded_lanes(n) == n:
        return np.ascontiguousarray(array)
    filled = np.zeros((*others, padded_lanes(n)), array.dtype)
    filled[..., :n] = array
    return filled


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """What a product of packed pixels with a kernel reads and writes, for one image.

    Output pixels that lack the same taps, those in the padding, are a class.
    """

    rows: np.ndarray  # int32 (P,): where an output pixel's first tap is in the padded image
    offsets: np.ndarray  # int32 (taps,): from there to each tap
    image: int  # words of a padded image
    missing: np.ndarray  # bool (classes, taps): the taps that each class lacks
    classes: np.ndarray  # int32 (P,): the class of each output pixel


@lru_cache(maxsize=256)
def gather(image, kernel_size, strides, padding, depth, pooled=False):
    """The Gather of a kernel on an image whose pixels hold ``depth`` words.

    With ``pooled``, pixels come in the order of 2x2 windows, four by four, and those that no
    window covers are left out.
    """
    seen = windows(image, kernel_size, strides, padding)
    height, width = seen.output
    y, x = np.mgrid[:height, :width]
    if pooled:
        high, wide = height // 2, width // 2
        pixels = np.mgrid[: 2 * high, : 2 * wide].reshape(2, high, 2, wide, 2)
        y, x = pixels.swapaxes(2, 3)
    y, x = y.ravel(), x.ravel()
    across = seen.padded[1]
    ky, kx = (t.ravel() for t in np.mgrid[: kernel_size[0], : kernel_size[1]])
    rows = (y * strides[0] * across + x * strides[1]) * depth
    real_y = (y * strides[0])[:, None] + ky - seen.top
    real_x = (x * strides[1])[:, None] + kx - seen.left
    outside = (real_y < 0) | (real_y >= image[0]) | (real_x < 0) | (real_x >= image[1])
    missing, classes = np.unique(outside, axis=0, return_inverse=True)
    return Gather(
        rows.astype(np.int32),
        ((ky * across + kx) * depth).astype(np.int32),
        seen.padded[0] * across * depth,
        missing,
        classes.reshape(-1).astype(np.int32),
    )


@lru_cache(maxsize=256)
def window_shifts(across, kernel_size, strides, depth):
    """How far a kernel's taps reach from the first pixel of a 2x2 window of outputs.

    Returns (offsets, sources), int32: the distinct shifts in a padded image that is ``across``
    pixels wide, in words; and, tap by tap, the shift of each of the window's four pixels.
    """
    ky, kx, py, px = (
        a.ravel() for a in np.meshgrid(*map(np.arange, (*kernel_size, 2, 2)), indexing="ij")
    )
    shifts = ((ky + py * strides[0]) * across + kx + px * strides[1]) * depth
    offsets, sources = np.unique(shifts, return_inverse=True)
    return offsets.astype(np.int32), sources.reshape(-1).astype(np.int32)


@lru_cache(maxsize=256)
def steps(count, pitch):
    """int32 offsets 0, pitch, 2 pitch, ..., ``count`` of them."""
    if count * pitch > 2**31:
        raise InputError(f"{count} rows of {pitch} numbers are too many: use smaller batches")
    return (np.arange(count) * pitch).astype(np.int32)


def padded_words(words, seen):
    """Packed pixels (N, H, W, depth) with a border of words 0 where ``seen`` pads; flat.

    A word 0 reads as signs +1, so ``missing`` taps have to be taken off again.
    """
    if seen.padded == seen.image:
        return np.ascontiguousarray(words).reshape(-1)
    n, _, _, depth = words.shape
    out = scratch("padded words", (n, *seen.padded, depth), np.uint32, fill=0)
    out[:, *seen.inside] = words
    return out.reshape(-1)


@cache
def depth_of(channels):
    """Words that hold the signs of so many channels."""
    return -(-channels // WORD)
