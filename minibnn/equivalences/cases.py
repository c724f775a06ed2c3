"""Numbers and closed loops that the cases of several statements share.

A case is a dict of plain numbers. ``"numbers"`` says in what arithmetic it runs: "float32", or
"fraction". ``"gradients"[t][pattern][i]`` is the gradient of weight i at step t where the weights
have the signs of ``pattern`` (bit j set: weight j is -1): an arbitrary function of bits and step.
"""

from fractions import Fraction

import numpy as np

from minibnn.equivalences.draws import zigzag

WHOLE = tuple(zigzag(k) for k in range(7))  # 0, 1, -1, ... 3, -3: with dyadic constants, ties
TENTHS = tuple(zigzag(k) / 10 for k in range(101))  # nearly every operation rounds
THIRDS = tuple(Fraction(zigzag(k), 3) for k in range(25))
QUARTERS = tuple(zigzag(k) / 4 for k in range(17))
POWERS = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125, 8.0)
RATES = (0.5, 1.0, 0.25, 0.1, 0.3, 0.01, 0.001)  # in (0, 1]
RATIONAL_RATES = tuple(Fraction(*p) for p in ((1, 2), (1, 1), (1, 4), (1, 3), (2, 5), (1, 10)))
MAX_WEIGHTS, MAX_STEPS = 3, 8
_EXPONENTS = tuple(zigzag(k) for k in range(1, 17))


def arithmetic(draw, steps):
    """ "float32" or, where the step functions can, "fraction"."""
    return draw.choice(("float32", "fraction")) if steps.exact else "float32"


def sizes(draw):
    return draw.whole(1, MAX_WEIGHTS), draw.whole(1, MAX_STEPS)


def gradients(draw, n, steps, options):
    return draw.values(options, steps, 2**n, n)


def always(*gradients):
    """A table for one weight whose gradient does not depend on its sign."""
    return [[[g], [g]] for g in gradients]


class Loop:
    """The closed loop of a case, in its arithmetic."""

    def __init__(self, case):
        self.exact = case.get("numbers") == "fraction"
        self.dtype = object if self.exact else np.dtype(case.get("numbers", "float32"))
        self.table = self.array(case["gradients"])
        self.steps, _, self.n = self.table.shape

    def number(self, x):
        return Fraction(x) if self.exact else self.dtype.type(x)

    def array(self, values):
        if not self.exact:
            return np.array(values, self.dtype)
        array = np.array(values, object)
        array.reshape(-1)[:] = [Fraction(x) for x in array.reshape(-1)]
        return array

    def gradient(self, t, bits):
        """The gradient at step t, a function of the bits."""
        return self.table[t, pattern(bits)]


def rational(x):
    """The Fraction that a number of any kind is.

    >>> rational(np.float32(0.5)), rational(3)
    (Fraction(1, 2), Fraction(3, 1))
    """
    return Fraction(x) if isinstance(x, Fraction | int) else Fraction(float(x))


def pattern(bits):
    """Number of a pattern of signs: bit j is set where weight j is -1."""
    return int(sum(1 << j for j, bit in enumerate(bits) if bit < 0))


def power_of_two(draw):
    """2^k with k from -8 to 8 and not 0."""
    return 2.0 ** draw.choice(_EXPONENTS)
