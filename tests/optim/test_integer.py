"""Bop in integers: the step and the optimizer; bounds and nearness to Bop are E27's."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import InputError, optim
from minibnn.nn import Parameter
from minibnn.optim.bop import MOST, leak, quanta


def test_worked_steps():
    """j = 2, theta = 7: a = 3, 6, 8 (flip), then 8 - 2 - 3 = 3."""
    w, state = np.int8([1]), optim.IntegerBopState(np.zeros(1, np.int16))
    seen = []
    for q in (3, 3, 3, -3):
        w, state = optim.integer_bop_step(w, np.int16([q]), state, shift=2, threshold=7)
        seen.append((int(w[0]), int(state.a[0])))
    assert seen == [(1, 3), (1, 6), (-1, 8), (-1, 3)]
    assert state.a.dtype == np.int16


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("zero", [0, 0, -1, 1, 1, -1, -2]), ("nearest", [0, 1, -1, 1, 2, -2, -2])],
)
def test_both_roundings_are_odd(rounding, expected):
    a = np.int16([1, 2, -4, 4, 6, -6, -9])
    assert_array_equal(leak(a, 2, rounding), expected)
    assert_array_equal(leak(-a, 2, rounding), -np.int16(expected))


def test_the_optimizer_keeps_two_bytes_and_comes_back(each_backend):
    p = Parameter("kernel", np.ones((64, 3), np.int8), binary=True)
    p.grad = np.full(p.shape, 0.5, np.float32)
    optimizer = optim.IntegerBop(shift=3, threshold=20, unit=0.125)
    assert optimizer.step([p]) == {"kernel": 0}
    for name, bad in ("shift", 9), ("unit", 0.3):
        with pytest.raises(InputError, match=f"{name} must be"):
            setattr(optimizer, name, bad)
    assert (optimizer.shift, optimizer.unit) == (3, 0.125)
    again = optim.IntegerBop(shift=3, threshold=20, unit=0.125)
    again.load_state_dict(optimizer.state_dict())
    assert optimizer.state_bytes() == 2 * p.size
    for _ in range(8):
        flips = again.step([p])["kernel"]
    assert flips == 0 and (p.value == -1).all()
    with pytest.raises(InputError, match="must be integers of 16 bits"):
        again.load_state_dict({"iterations": 1, "kernel/a": np.full(p.shape, 2**15)})
    with pytest.raises(InputError, match="must be finite numbers"):
        again.load_state_dict({"iterations": 1, "kernel/a": np.array("abc")})


@pytest.mark.parametrize(
    ("g", "unit", "expected"),
    [
        ([0.75, -0.75, 1e9, 0.1], 0.5, [2, -2, MOST, 0]),
        ([0, -(2.0**-129), 2.0**-110, 1e35], 2.0**-130, [0, -2, MOST, MOST]),  # 1 / unit is inf
    ],
)
def test_quanta(g, unit, expected):
    assert MOST == 127
    assert quanta(np.float32(g), unit).tolist() == expected
