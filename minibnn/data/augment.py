"""The paper's augmentation on bytes: zero-pad, random crop, random horizontal flip.

Pad 32x32 to 40x40 with byte 0 (black, so -1 after scaling), crop 32x32, flip half.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minibnn.errors import InputError

PAD = 4
AUGMENTATIONS = ("none", "paper")


def draw(rng, count, pad=PAD):
    """Random offsets (count, 2) uint8 in 0..2 pad, and flips (count,) bool."""
    offsets = rng.integers(0, 2 * pad, (count, 2), dtype=np.uint8, endpoint=True)
    return offsets, rng.integers(0, 2, count, dtype=np.uint8).astype(bool)


def pad_crop_flip(images, offsets, flips, pad=PAD, rows=None):
    """Images ``rows`` of ``images``, padded with 0, cropped back to their size, flipped.

    ``images`` (N, H, W, C) are uint8, and so is the new array (B, H, W, C). ``offsets`` (B, 2), in
    0..2 ``pad``, are the row and column in the padded image where the crop starts (``pad`` is the
    middle), ``flips`` (B,) bool say whether to mirror left and right after the crop. ``rows`` (B,)
    are 0, 1, ... B - 1 if left out. InputError for other types, shapes or numbers.

    >>> images = np.uint8([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    >>> pad_crop_flip(images, [[0, 1]], [True], pad=1)[0, ..., 0]  # one pixel further down
    array([[0, 0],
           [2, 1]], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise InputError(
            "augmentation works on bytes: images must be uint8 (N, H, W, C), "
            f"found {images.dtype} {images.shape}"
        )
    rows = np.arange(len(flips)) if rows is None else np.asarray(rows, np.int64)
    offsets = np.asarray(offsets)
    flips = np.asarray(flips, np.bool_)
    if offsets.shape != (len(rows), 2) or flips.shape != rows.shape:
        raise InputError(
            f"offsets and flips must be ({len(rows)}, 2) and ({len(rows)},), "
            f"found {offsets.shape} and {flips.shape}"
        )
    if len(rows) and (rows.min() < 0 or rows.max() >= len(images)):
        raise InputError(f"rows must be from 0 to {len(images) - 1}")
    if len(rows) and (offsets.min() < 0 or offsets.max() > 2 * pad):
        raise InputError(f"offsets must be from 0 to {2 * pad}")
    _, height, width, channels = images.shape
    padded = np.zeros((len(rows), height + 2 * pad, width + 2 * pad, channels), np.uint8)
    padded[:, pad : pad + height, pad : pad + width] = images[rows]
    image, down, right, channel = padded.strides
    crops = as_strided(  # (B, row of the crop, its column, H, W, C): every crop, nothing copied yet
        padded,
        (len(rows), 2 * pad + 1, 2 * pad + 1, height, width, channels),
        (image, down, right, down, right, channel),
    )
    out = crops[np.arange(len(rows)), offsets[:, 0], offsets[:, 1]]
    out[flips] = out[flips, :, ::-1]
    return out
