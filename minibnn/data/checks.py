"""Is this array a set of images, are these its labels? Otherwise one clear line."""

import numpy as np

from minibnn.errors import InputError

MOST_CLASSES = 1 << 16  # a larger label is a mistake, and names for as many classes a burden


def check_images(images, argument):
    """Images (N, H, W, C) or vectors (N, F), uint8 or float32, C-contiguous; else InputError."""
    images = _as_array(images, argument)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim not in (2, 4) or 0 in images.shape:
        raise InputError(
            f"{argument} must be images (N, H, W, C) or (N, H, W), or vectors (N, F), not empty, "
            f"found shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype.kind != "f":
        raise InputError(f"{argument} must be uint8 or floats in [-1, 1], found {images.dtype}")
    if images.ndim == 2:
        with np.errstate(over="ignore"):
            images = images.astype(np.float32, order="C")
        if not np.isfinite(images).all():
            raise InputError(f"{argument} must be finite as float32, found NaN or infinity")
        return images
    low, high = images.min(), images.max()  # NaN if there is one anywhere
    if not (low >= -1 and high <= 1):
        raise InputError(f"{argument} must lie in [-1, 1] if floats, found {low:g} to {high:g}")
    return np.ascontiguousarray(images, np.float32)


def check_labels(labels, argument, count):
    """Labels as (count,) int64 from 0; InputError if they are not."""
    labels = _as_array(labels, argument)
    if labels.shape not in ((count,), (count, 1)) or labels.dtype.kind not in "iu":
        raise InputError(
            f"{argument} must be {count} integers (one per image), "
            f"found {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise InputError(
            f"{argument} must be from 0 to {MOST_CLASSES - 1}, "
            f"found {labels.min()} to {labels.max()}"
        )
    return labels.reshape(count).astype(np.int64)


def check_classes(classes):
    """Names of the classes as a tuple of str; InputError if they are not different strings."""
    names = np.asarray(classes)
    if names.ndim != 1 or names.dtype.kind != "U" or not 0 < names.size <= MOST_CLASSES:
        raise InputError(f"classes must be a sequence of names (strings), found {classes!r:.60}")
    names = names.tolist()
    if len(set(names)) != len(names):
        raise InputError("classes must be different names, found one of them twice")
    return tuple(names)


def _as_array(values, argument):
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"{argument} must be an array, found rows of different shapes") from error
