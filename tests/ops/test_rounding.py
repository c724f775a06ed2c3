"""exp, log, cosine and powers: how close they are, and that they are the same everywhere.

The true values are those of Python's decimal numbers, to 50 digits.
"""

import math
from decimal import Decimal, localcontext
from hashlib import sha256

import numpy as np
import pytest

from minibnn.ops import rounding

LN2 = 0.6931471805599453
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")


@pytest.fixture(autouse=True)
def digits():
    with localcontext(prec=50):
        yield


def worst(found, truth):
    """The largest error in units of the last place of the true value."""
    return max(
        abs(Decimal(f) - t) / Decimal(math.ulp(float(t))) for f, t in zip(found, truth, strict=True)
    )


def cosine(t):
    """cos(pi t) by Taylor's series."""
    x, term, total = PI * Decimal(t), Decimal(1), Decimal(1)
    for n in range(2, 80, 2):
        term *= -x * x / (n * (n - 1))
        total += term
    return total


def neighbours(x):
    """x and the floats next to it."""
    return [math.nextafter(x, -math.inf), x, math.nextafter(x, math.inf)]


EXP = np.concatenate(
    [
        np.arange(-5200, 4901) / 7,
        np.arange(-1000, 1001) / 997,
        [sign * 2.0**-k for k in range(60) for sign in (-1, 1)],
        np.ravel([neighbours((k + 0.5) * LN2) for k in range(-20, 20)]),
        [700.0, -708.5, -744.0, -745.1, 5e-324, -5e-324],
    ]
)
LOG = np.concatenate(
    [
        np.ldexp(1 + np.arange(4000) / 3997, np.arange(4000) % 2000 - 1000),
        1 + np.arange(-2000, 2001) / 6007,
        1 + np.arange(-40, 41) * 2.0**-52,
        np.ravel([neighbours(math.ldexp(0.7071067811865476, k)) for k in range(-3, 4)]),
        [5e-324, 1e-310, 2.0**-1022, 0.1, 10.0, 1.7976931348623157e308],
    ]
)
COSINE = [
    *(np.arange(4001) / 4000).tolist(),
    *(t for edge in (0.25, 0.5, 0.75) for t in neighbours(edge)),
    *(2.0**-k for k in range(2, 60)),
    *(0.5 - 2.0**-k for k in range(3, 54)),
]


def test_exp_is_within_two_units_of_the_last_place():
    found = rounding.exp(EXP)
    assert worst(found.tolist(), [Decimal(x).exp() for x in EXP.tolist()]) < 2
    order = np.argsort(EXP)
    assert (np.diff(found[order]) >= 0).all()
    assert rounding.exp(np.array([0.0, -0.0, -750.0, -1e308])).tolist() == [1, 1, 0, 0]


def test_log_is_within_two_units_of_the_last_place():
    found = rounding.log(LOG)
    assert worst(found.tolist(), [Decimal(x).ln() for x in LOG.tolist()]) < 2
    order = np.argsort(LOG)
    assert (np.diff(found[order]) >= 0).all()
    assert rounding.log(np.ones(1)).tolist() == [0]


def test_cos_pi_is_within_two_units_of_the_last_place():
    found = [rounding.cos_pi(t) for t in COSINE if t != 0.5]
    assert worst(found, [cosine(t) for t in COSINE if t != 0.5]) < 2
    assert (np.diff([rounding.cos_pi(t) for t in sorted(COSINE)]) <= 0).all()
    assert [rounding.cos_pi(t) for t in (0.0, 0.5, 1.0)] == [1, 0, -1]


@pytest.mark.parametrize("x", [1.0, 1 - 2.0**-53, 0.999, 0.96, 0.5, 0.1, 1e-3])
def test_powers_are_as_close_as_their_steps(x):
    """A whole power rounds at most once for each factor; others carry the error of y log x."""
    for y in [0.0, 1.0, 2.0, 3.0, 7.0, 10.0, 50.0, 99.0, 0.25, 0.5, 1.5, 9.75, 90.9]:
        error = abs(Decimal(rounding.power(x, y)) / Decimal(x) ** Decimal(y) - 1)
        steps = y if y == int(y) else 4 + 2 * abs(y * math.log(x))
        assert error <= Decimal(steps) * Decimal(2) ** -53, y
    assert [rounding.power(x, y) for y in (0.0, 1.0, 2.0)] == [1, x, x * x]


def test_they_are_the_same_bits_on_every_machine():
    """Not to be changed: weights and printed losses of all machines agree on these numbers."""
    powers = [rounding.power(k / 101, y) for k in range(1, 102) for y in (0.5, 3.0, 17.25, 1000.0)]
    numbers = [*rounding.exp(EXP), *rounding.log(LOG), *map(rounding.cos_pi, COSINE), *powers]
    digest = sha256(np.array(numbers, "<f8").tobytes()).hexdigest()
    assert digest == "2ae7a6252fcf711b6e80191ef4cec712ec735f84e22ee8b49d87ce1d27f5554c"
