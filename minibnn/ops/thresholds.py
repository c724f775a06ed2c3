"""Batch normalisation and sign together are a comparison with one integer per channel.

Every step of ``batch_norm`` is monotone, its roundings included, so among integers there is
one place at most where the sign of the result changes. It is found by bisection of the program
itself: the closed form mean - beta * sqrt(variance + epsilon) / gamma rounds differently, and is
off by one now and then where the result is nearly 0.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """One comparison per channel, which stands for batch normalisation and sign.

    The sign of an integer z is +1 where z >= level (int32) if rising (bool), else where z <= level.
    ``kept`` is what kernels derive from the level and a layer's weights, once; so the arrays must
    not change any more.
    """

    level: np.ndarray
    rising: np.ndarray
    kept: dict = field(default_factory=dict, repr=False)


def where_sign_changes(positive, rising, low, high):
    """Bisect from ``low`` to ``high``, per channel, for the first integer that gives +1.

    ``positive`` takes int64 (C,) and tells which give +1; it is monotone in each channel, and
    ``rising`` (C,) tells whether the larger numbers do. If not, "first" is meant from above. Where
    nothing gives +1, the result, int64 (C,), is just beyond the range in the direction of search.
    """
    direction = np.where(rising, 1, -1)
    # u = direction * z runs upwards; look for the least u that gives +1.
    least = np.where(rising, low, -high).astype(np.int64)
    beyond = np.where(rising, high, -low).astype(np.int64) + 1
    while (least < beyond).any():
        middle = (least + beyond) // 2
        plus = positive(direction * middle)
        beyond = np.where(plus, middle, beyond)
        least = np.where(plus, least, np.minimum(middle + 1, beyond))
    return direction * least
