"""Binary layers behind which only signs are left: a comparison takes the place of the sums.

``ops.thresholds`` says when a comparison with one integer per channel is batch normalisation
and sign, exactly.
"""

import numpy as np

from minibnn.ops.bits import pack_signs
from minibnn.ops.reference.pooling import max_pool2d
from minibnn.ops.reference.products import integer_sums_conv2d, integer_sums_dense


def threshold_sign(z, thresholds):
    """Signs of integers (..., C), each against the level of its channel.

    Parameters
    ----------
    z : integers, or floats that are integers
    thresholds : ops.thresholds.Thresholds (C,)

    Returns
    -------
    Signs like z, packed along the last axis
    """
    level, rising = thresholds.level, thresholds.rising
    positive = np.where(rising, z >= level, z <= level)
    return pack_signs(np.where(positive, 1, -1), -1)


def binary_dense_threshold(x, w, thresholds):
    """``threshold_sign`` of ``binary_dense``.

    Of bytes the level is compared with the whole sums w * (2 x - 255), before they are scaled.

    Parameters
    ----------
    x : Signs (B, I) on axis 1, or uint8 (B, I)
    w : Signs (I, O) on axis 0
    thresholds : ops.thresholds.Thresholds (O,)

    Returns
    -------
    Signs (B, O), packed along axis 1
    """
    return threshold_sign(integer_sums_dense(x, w), thresholds)


def binary_conv2d_threshold(
    x, w, thresholds, strides=(1, 1), padding="same", pad_value=0, pool=False
):
    """``threshold_sign`` of ``binary_conv2d``.

    Of bytes the level is compared with the whole sums w * (2 x - 255), before they are scaled.

    Parameters
    ----------
    x : Signs NHWC on axis 3, or uint8 NHWC
    w : Signs HWIO on axis 2
    thresholds : ops.thresholds.Thresholds (O,)
    strides : (int, int)
    padding : "same" or "valid"
    pad_value : 0 or 1
        As in ``binary_conv2d``.
    pool : bool
        2x2 max pooling with strides of 2 before the comparison.

    Returns
    -------
    Signs NHWC, packed along axis 3
    """
    sums = integer_sums_conv2d(x, w, strides, padding, pad_value)
    return threshold_sign(max_pool2d(sums)[0] if pool else sums, thresholds)
