"""Binary layers behind which only signs are left: a comparison takes the place of the sums.

``ops.thresholds`` says when a comparison with one integer per channel is batch normalisation and
sign, exactly; its Thresholds (C,) are the ``thresholds`` here. x is Signs or uint8: of bytes the
level is compared with the integer sums w * (2 x - 255), before they are scaled.
"""

import numpy as np

from minibnn.ops.bits import pack_signs
from minibnn.ops.reference.products import integer_sums_conv2d, integer_sums_dense, max_pool2d


def threshold_sign(z, thresholds):
    """Signs of integers z (..., C), each against the level of its channel in ``thresholds``.

    Floats that are integers will do. The Signs are packed along the last axis.
    """
    level, rising = thresholds.level, thresholds.rising
    positive = np.where(rising, z >= level, z <= level)
    return pack_signs(np.where(positive, 1, -1), -1)


def binary_dense_threshold(x, w, thresholds):
    """``threshold_sign`` of ``binary_dense`` of x and w: Signs (B, O), by ``thresholds`` (O,)."""
    return threshold_sign(integer_sums_dense(x, w), thresholds)


def binary_conv2d_threshold(
    x, w, thresholds, strides=(1, 1), padding="same", pad_value=0, pool=False
):
    """``threshold_sign`` of ``binary_conv2d`` of x and w: Signs NHWC, by ``thresholds`` (O,).

    ``strides``, ``padding`` and ``pad_value`` are the convolution's. With ``pool``, 2x2 max pooling
    with strides of 2 comes before the comparison.
    """
    sums = integer_sums_conv2d(x, w, strides, padding, pad_value)
    return threshold_sign(max_pool2d(sums)[0] if pool else sums, thresholds)
