"""How real kernels start: Keras' two Glorot rules (Glorot and Bengio 2010), in float32.

Shapes end with inputs and outputs; axes before those are the taps of a convolution.
"""

import math

import numpy as np

TRUNCATED_DEVIATION = 0.87962566103423978  # of the normal distribution cut off at 2 deviations


def fans(shape):
    """Inputs and outputs of a kernel: dense (I, O), or convolution (..., I, O) times its taps."""
    if len(shape) < 2:
        return shape[0], shape[0]
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def glorot_uniform(shape, rng):
    """Uniform in ±sqrt(6 / (fan_in + fan_out))."""
    limit = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def glorot_normal(shape, rng):
    """Normal, cut off at twice its deviation, so that sqrt(2 / (fan_in + fan_out)) remains."""
    from scipy.special import ndtr, ndtri  # loads slowly

    normal = ndtri(rng.uniform(ndtr(-2), ndtr(2), shape))
    return (normal * (math.sqrt(2 / sum(fans(shape))) / TRUNCATED_DEVIATION)).astype(np.float32)


INITIALIZERS = {"glorot_uniform": glorot_uniform, "glorot_normal": glorot_normal}
