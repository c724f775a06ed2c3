"""Batch normalisation and sign together are a comparison with one whole number per channel.

Every step of ``batch_norm`` is monotone, its roundings included, so among whole numbers there is
one place at most where the sign of the result changes. It is found by bisection of the program
itself: the closed form mean - beta * sqrt(variance + epsilon) / gamma rounds differently, and is
off by one now and then where the result is nearly 0.
"""

from dataclasses import dataclass, field

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.backend import ops


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """One comparison per channel, which stands for batch normalisation and sign.

    Attributes
    ----------
    level : int32 (C,)
    rising : bool (C,)
        The sign of a whole number z is +1 where z >= level if rising, else where z <= level.
    kept : dict
        What kernels derive from the level and a layer's weights, once; the arrays are not to
        change any more.
    """

    level: np.ndarray
    rising: np.ndarray
    kept: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if self.level.dtype != np.int32 or self.rising.dtype != np.bool_:
            raise ValueError(
                f"level must be int32 and rising bool, found {self.level.dtype} and "
                f"{self.rising.dtype}"
            )
        if self.level.ndim != 1 or self.level.shape != self.rising.shape:
            raise ValueError(
                f"level and rising must be (C,), found {self.level.shape} and {self.rising.shape}"
            )


def sign_thresholds(mean, variance, beta, epsilon, low, high, gamma=None):
    """Where the sign of ``batch_norm`` changes, for whole numbers z with low <= z <= high.

    Parameters
    ----------
    mean, variance, beta, gamma : (C,) floats
        As ``batch_norm`` takes them; gamma may be None.
    low, high : int
        -n and n for sums of n signs.

    Returns
    -------
    threshold : (C,) int64
    rising : (C,) bool
        The sign is +1 for z >= threshold where rising, else for z <= threshold. A channel whose
        sign never changes has a threshold at or just beyond the end of the range.

    Raises
    ------
    InputError for parameters that are not finite, or a variance below 0.

    >>> one = np.ones(1, np.float32)
    >>> sign_thresholds(2.5 * one, one, 0 * one, 1e-3, -9, 9)
    (array([3]), array([ True]))
    """
    given = {"mean": mean, "variance": variance, "beta": beta, "gamma": gamma}
    for name, values in given.items():
        if values is not None and not np.isfinite(values).all():
            raise InputError(f"{name} must be finite for a threshold, found NaN or infinity")
    if (variance < 0).any():
        raise InputError("variance must not be below 0")
    rising = np.ones(mean.shape, bool) if gamma is None else gamma >= 0
    direction = np.where(rising, 1, -1)
    # u = direction * z runs upwards; look for the least u that gives +1.
    least = np.where(rising, low, -high).astype(np.int64)
    beyond = np.where(rising, high, -low).astype(np.int64) + 1
    while (least < beyond).any():
        middle = (least + beyond) // 2
        z = (direction * middle).astype(np.int32)
        positive = ~(ops().batch_norm(z[None], mean, variance, beta, epsilon, gamma)[0] < 0)
        beyond = np.where(positive, middle, beyond)
        least = np.where(positive, least, np.minimum(middle + 1, beyond))
    return direction * least, rising


def signs_by_threshold(z, threshold, rising):
    """int8 +1 and -1 of whole numbers (..., C): what batch norm and sign make of them."""
    positive = np.where(rising, z >= threshold, z <= threshold)
    return np.where(positive, np.int8(1), np.int8(-1))
