"""What a network may be given.

A network tells by ``image_form`` what it was trained on, and so what becomes of an image file:

============  =====================================================================
bytes         uint8, or floats in [-1, 1]: byte b is (2 b - 255) / 255
unit          floats in [0, 1]: byte b is b / 255
image-folder  the image's middle by ImageNet's mean and deviation
arrays        other floats, which no image file can tell
============  =====================================================================
"""

import math

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.threads import apply_threads

IMAGE_FORMS = ("bytes", "unit", "image-folder", "arrays")


def checked(x, shape, image_form):
    """A batch ``x`` of inputs of a ``shape`` as networks compute with it, or InputError."""
    if ops.backend == "numba":
        apply_threads()
    x = x if isinstance(x, Signs) else np.asarray(x)
    if x.shape[1:] != shape or not len(x):
        wanted = ", ".join(["N", *map(str, shape)])
        raise InputError(f"inputs must have shape ({wanted}), found {x.shape}")
    if isinstance(x, Signs):
        if x.axis != x.ndim - 1:
            raise InputError(f"signs must be packed along their last axis, found {x.axis}")
        return x
    if x.dtype == np.uint8 and image_form != "bytes":
        raise InputError(
            "inputs must be floats, as those it was trained on, found bytes"
            + " (divide them by 255)" * (image_form == "unit")
        )
    if x.dtype not in (np.uint8, np.float32, np.float64):
        raise InputError(f"inputs must be uint8 bytes or float32, found {x.dtype}")
    if x.dtype == np.uint8 or math.isfinite(np.vdot(x, x)):  # the quickest sum that tells
        return x
    if not np.isfinite(x).all():  # a sign would hide it
        raise InputError("inputs must be finite numbers, found NaN or infinity")
    return x


def check_names(classes, output_shape):
    """Names of a network's outputs as a tuple, or None; InputError if they are not one for each."""
    if classes is None:
        return None
    if isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes):
        if (len(classes),) == output_shape[-1:]:
            return tuple(classes)
    raise InputError(f"classes must be {output_shape[-1]} names, found {classes!r:.60}")
