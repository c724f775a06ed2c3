import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import pad_crop_flip
from minibnn.data.augment import GREY, cut_out, draw


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.integers(1, 4),
    pad=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
@example(height=2, width=2, channels=1, pad=5, seed=1)  # crops that miss the image altogether
def test_an_image_is_padded_cropped_and_flipped(height, width, channels, pad, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (5, height, width, channels), dtype=np.uint8)
    offsets, flips = draw(rng, 5, pad)
    before = images.copy()
    found = pad_crop_flip(images, offsets, flips, pad)
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    for image, whole, (top, left), flip in zip(found, images, offsets, flips, strict=True):
        padded = np.pad(whole, ((pad, pad), (pad, pad), (0, 0)))
        crop = padded[top : top + height, left : left + width]
        assert_array_equal(image, crop[:, ::-1] if flip else crop)
    assert_array_equal(images, before)


@given(height=st.integers(1, 17), width=st.integers(1, 17), seed=st.integers(0, 2**32))
def test_a_square_is_hidden(height, width, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, height, width, 2), dtype=np.uint8)
    centres, side = rng.integers((height, width), size=(3, 2)), min(height, width) // 4
    found = zip(cut_out(images, centres), images, centres - side // 2, strict=True)
    for image, whole, first in found:
        rows, columns = (np.arange(n) - k for n, k in zip((height, width), first, strict=True))
        hidden = np.outer((0 <= rows) & (rows < side), (0 <= columns) & (columns < side))
        assert_array_equal(image, np.where(hidden[..., np.newaxis], GREY, whole))


def test_draws_cover_every_offset_and_both_flips():
    offsets, flips = draw(np.random.default_rng(0), 81 * 100)
    pairs, counts = np.unique(offsets, axis=0, return_counts=True)
    assert len(pairs) == 81
    assert counts.min() > 50  # 100 expected; 5 standard deviations
    assert 0.45 < flips.mean() < 0.55


@pytest.mark.parametrize(
    ("dtype", "offset", "named"),
    [
        (np.float32, 0, "uint8.*float32"),
        (np.uint8, -1, "offsets must be from 0 to 8"),
        (np.uint8, 0.5, "offsets must be from 0 to 8"),
    ],
)
def test_what_would_read_outside_is_refused(dtype, offset, named):
    with pytest.raises(InputError, match=named):
        pad_crop_flip(np.zeros((1, 4, 4, 1), dtype), [[0, offset]], [True])
