"""Cases out of bytes, and the shrinker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibnn.equivalences.draws import Draw, seeded, shrink, zigzag


def test_zero_bytes_choose_the_simplest():
    draw = Draw(b"")
    assert draw.whole(3, 9) == 3
    assert draw.choice("abc") == "a"
    assert draw.flag() is False
    assert draw.values((7, 8), 2, 3) == [[7, 7, 7], [7, 7, 7]]


@given(st.binary(max_size=40), st.integers(-5, 5), st.integers(0, 20))
def test_choices_stay_in_range(data, low, span):
    draw = Draw(data)
    for _ in range(10):
        assert low <= draw.whole(low, low + span) <= low + span


def test_zigzag():
    assert [zigzag(k) for k in range(6)] == [0, 1, -1, 2, -2, 3]


def test_seeded_bytes_are_a_function_of_the_seed():
    assert list(seeded(3, 4)) == list(seeded(3, 4))
    assert list(seeded(3, 4)) != list(seeded(4, 4))
    assert list(seeded([1, 2], 2)) != list(seeded([2, 2], 2))


@pytest.mark.parametrize(
    ("fails", "smallest"),
    [
        (lambda d: True, bytes(9)),
        (lambda d: d[4] >= 100, bytes([0, 0, 0, 0, 100, 0, 0, 0, 0])),
        (lambda d: sum(d) >= 300, None),
        (lambda d: 7 in d, bytes([0] * 8 + [7])),
    ],
)
def test_shrink(fails, smallest):
    start = bytes([9, 200, 3, 7, 255, 1, 90, 13, 14])
    found = shrink(start, fails)
    assert fails(found)
    assert len(found) == len(start)
    if smallest is not None:
        assert sorted(found) == sorted(smallest)
    else:
        assert sum(found) == 300


def test_shrink_asks_no_more_than_its_budget():
    asked = []
    shrink(bytes(range(256)), lambda d: asked.append(d) or True, budget=20)
    assert len(asked) <= 20
