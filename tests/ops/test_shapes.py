"""Windows on an image, against naive counting."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibnn.errors import InputError
from minibnn.ops.shapes import pair, windows

size = st.integers(1, 9)


@given(
    image=st.tuples(size, size),
    kernel=st.tuples(size, size),
    strides=st.tuples(size, size),
    padding=st.sampled_from(["same", "valid"]),
)
def test_taps_meet_the_naive_pixels(image, kernel, strides, padding):
    if padding == "valid" and (kernel[0] > image[0] or kernel[1] > image[1]):
        with pytest.raises(InputError, match="needs an image of at least that size"):
            windows(image, kernel, strides, padding)
        return
    place = windows(image, kernel, strides, padding)
    shape = (1, *image, 1)
    assert place.output == naive.output_size(shape, kernel, strides, padding)
    met = set()
    rows, columns = np.arange(place.padded[0]) - place.top, np.arange(place.padded[1]) - place.left
    for (i, j), (row_slice, column_slice) in place.taps:
        for r, row in enumerate(rows[row_slice]):
            for c, column in enumerate(columns[column_slice]):
                met.add((r, c, i, j, int(row), int(column)))
    assert met == set(naive.places(shape, kernel, strides, padding))
    assert place.bottom - place.top in (0, 1)  # the odd one at the bottom
    assert place.right - place.left in (0, 1)


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", (1, 2, 3), (0, 1), None, (1,)])
def test_pairs_that_are_none(value):
    with pytest.raises(InputError, match=r"^strides must be one or two positive integers"):
        pair(value, "strides")


def test_pairs():
    assert pair(3, "strides") == (3, 3)
    assert pair([np.int64(2), 1], "strides") == (2, 1)
