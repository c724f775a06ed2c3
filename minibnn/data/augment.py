"""The paper's augmentation on bytes: zero-pad, random crop, random horizontal flip.

SEMANTICS: pad 32x32 to 40x40 with byte 0 (black, so -1 after scaling), crop 32x32, flip half.
Gathering the batch, cropping and flipping are one pass over the output. The random draws are
made elsewhere (``draw``), so both twins are plain functions of their arguments.
"""

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.backend import backend_name

PAD = 4
AUGMENTATIONS = ("none", "paper")


def draw(rng, count, pad=PAD):
    """Random crops and flips for ``count`` images.

    Returns offsets (count, 2) uint8 in 0..2 pad (top and left corner of the crop in the padded
    image) and flips (count,) bool.
    """
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
    return crop(images, offsets, flips, rows, pad)


def crop(images, offsets, flips, rows, pad=PAD):
    """``pad_crop_flip`` of arrays that are known to fit."""
    twin = pad_crop_flip_reference
    if backend_name() == "numba":  # and only then its kernels are loaded
        from minibnn.data.augment_kernel import pad_crop_flip as twin
    view = np.ascontiguousarray(images).view()
    view.flags.writeable = False  # so that the kernel is compiled for one type of array
    return twin(view, offsets.astype(np.int64), flips, pad, rows)


def pad_crop_flip_reference(images, offsets, flips, pad, rows):
    """Twin of the compiled kernel: the definition, image by image."""
    _, height, width, _ = images.shape
    out = np.empty((len(rows), *images.shape[1:]), np.uint8)
    for i, row in enumerate(rows):
        top, left = offsets[i]
        padded = np.pad(images[row], ((pad, pad), (pad, pad), (0, 0)))
        crop = padded[top : top + height, left : left + width]
        out[i] = crop[:, ::-1] if flips[i] else crop
    return out
