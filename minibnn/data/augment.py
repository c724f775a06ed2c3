"""The paper's augmentation on bytes: zero-pad, random crop, random horizontal flip; and cutout.

Pad 32x32 to 40x40 with byte 0 (black, so -1 after scaling), crop 32x32, flip half.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minibnn.errors import InputError

PAD = 4
GREY = 128  # 0 after scaling, almost
AUGMENTATIONS = ("none", "paper", "cutout")


def draw(rng, count, pad=PAD):
    """Random offsets (count, 2) uint8 in 0..2 pad, and flips (count,) bool."""
    offsets = rng.integers(0, 2 * pad, (count, 2), dtype=np.uint8, endpoint=True)
    return offsets, rng.integers(0, 2, count, dtype=np.uint8).astype(bool)


def pad_crop_flip(images, offsets, flips, pad=PAD):
    """Images padded with 0, cropped back to their size, flipped.

    ``images`` (B, H, W, C) are uint8, and so is the result. ``offsets`` (B, 2), in 0..2 ``pad``,
    are the row and column in the padded image where the crop starts, ``flips`` (B,) bool say
    whether to mirror left and right after the crop. InputError for anything else.

    >>> images = np.uint8([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    >>> pad_crop_flip(images, [[0, 1]], [True], pad=1)[0, ..., 0]  # one pixel further down
    array([[0, 0],
           [2, 1]], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        found = f"{images.dtype} {images.shape}"
        raise InputError(f"images to be augmented must be uint8 (N, H, W, C), found {found}")
    offsets = np.asarray(offsets)
    flips = np.asarray(flips, np.bool_)
    if offsets.shape != (len(images), 2) or flips.shape != images.shape[:1]:
        n, found = len(images), f"{offsets.shape} and {flips.shape}"
        raise InputError(f"offsets and flips must be ({n}, 2) and ({n},), found {found}")
    if not np.isin(offsets, np.arange(2 * pad + 1)).all():
        raise InputError(f"offsets must be from 0 to {2 * pad}")
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    crops = sliding_window_view(padded, images.shape[1:], (1, 2, 3))  # all, nothing copied yet
    out = crops[np.arange(len(images)), *offsets.T.astype(int), 0]
    out[flips] = out[flips, :, ::-1]
    return out


def cut_out(images, centres):
    """Images with a grey square around each centre, as wide as a quarter of the shorter side.

    ``images`` (B, H, W, C) are uint8, and so is the result; ``centres`` (B, 2) are rows and
    columns. What lies outside the image is cut off (DeVries and Taylor, arXiv 1708.04552, whose
    squares for CIFAR-10 are twice as wide).

    >>> cut_out(np.zeros((1, 8, 8, 1), np.uint8), [[7, 1]])[0, 5:, :4, 0]
    array([[  0,   0,   0,   0],
           [128, 128,   0,   0],
           [128, 128,   0,   0]], dtype=uint8)
    """
    side = min(images.shape[1:3]) // 4
    out = images.copy()
    for image, centre in zip(out, np.asarray(centres, int), strict=True):
        first = centre - side // 2
        (top, left), (bottom, right) = np.maximum(first, 0), first + side
        image[top:bottom, left:right] = GREY
    return out
