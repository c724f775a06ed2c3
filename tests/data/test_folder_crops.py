import math

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from minibnn.data.folder.crops import centre_crop, random_box, random_crop

sides = st.integers(1, 900)
unit = st.floats(0, 1, exclude_max=True)
draws = hnp.arrays(np.float64, (3, 4), elements=unit)


@given(sides, sides, draws)
@example(1, 1, np.zeros((3, 4)))
@example(900, 1, np.full((3, 4), 0.999))
@example(4, 3, np.full((3, 4), np.nextafter(1, 0)))
def test_a_box_lies_inside_the_image_and_is_not_empty(width, height, draws):
    left, upper, right, lower = random_box(width, height, draws)
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height


@given(st.integers(200, 900), st.integers(200, 900), draws)
def test_a_box_has_the_area_and_shape_drawn(width, height, draws):
    left, upper, right, lower = random_box(width, height, draws)
    w, h = right - left, lower - upper
    # Sides are rounded to whole pixels: at most half of one each.
    assert (w + 0.5) * (h + 0.5) >= 0.08 * width * height
    assert (w - 0.5) / (h + 0.5) <= 4 / 3 and (w + 0.5) / (h - 0.5) >= 3 / 4
    area, aspect = 0.08 + 0.92 * draws[0, 0], math.exp(math.log(3 / 4) * (1 - 2 * draws[0, 1]))
    wanted = math.sqrt(area * width * height * aspect), math.sqrt(area * width * height / aspect)
    assume(wanted[0] < width and wanted[1] < height)  # then the first attempt is taken
    assert abs(w - wanted[0]) <= 0.5 and abs(h - wanted[1]) <= 0.5


@given(st.integers(2, 300), st.integers(2, 300))
def test_if_no_attempt_fits_the_middle_is_taken(width, height):
    assume(max(width, height) * 3 > 4 * min(width, height) + 4)
    whole = np.full((3, 4), np.nextafter(1, 0))
    whole[:, 1] = 0.5  # all of the area as a square: fits into no such image
    left, upper, right, lower = random_box(width, height, whole)
    assert (right - left, lower - upper) in {
        (width, round(width * 4 / 3)),
        (round(height * 4 / 3), height),
    }
    assert abs(left - (width - right)) <= 1 and abs(upper - (height - lower)) <= 1


def test_places_reach_every_edge():
    low, high = np.zeros((1, 4)), np.full((1, 4), np.nextafter(1, 0))
    low[:, :2] = high[:, :2] = 0.3
    left, upper, *_ = random_box(100, 80, low)
    *_, right, lower = random_box(100, 80, high)
    assert (left, upper, right, lower) == (0, 0, 100, 80)


def test_crops_of_many_images_are_spread_over_the_permitted_range():
    crops = [random_crop(400, 300, 224, seed=1, epoch=2, index=i) for i in range(2000)]
    w, h = (np.array([c.box[k + 2] - c.box[k] for c in crops]) for k in (0, 1))
    area = w * h / (400 * 300)
    assert 0.079 < area.min() < 0.09 and area.max() > 0.95
    # Evenly in area: below a half lie (0.5 - 0.08) / 0.92, but large ones are often too wide or
    # high for the image and drawn again.
    assert 0.44 < np.mean(area < 0.5) < 0.65
    assert 0.747 < (w / h).min() < 0.77 and 1.3 < (w / h).max() < 1.34
    assert abs(np.mean(np.log(w / h))) < 0.05
    assert 0.45 < np.mean([c.mirror for c in crops]) < 0.55


@given(st.integers(0, 2**40), st.integers(0, 2**31), st.integers(0, 2**31))
def test_a_crop_is_a_function_of_seed_epoch_and_index(seed, epoch, index):
    one = random_crop(500, 400, 224, seed, epoch, index)
    assert one == random_crop(500, 400, 224, seed, epoch, index)
    others = [
        random_crop(500, 400, 224, *keys)
        for keys in (
            (seed + 1, epoch, index),
            (seed, epoch + 1, index),
            (seed, epoch, index + 1),
            (seed, index, epoch),
        )
    ]
    assert all(one.box != other.box for other in others[:3])
    assert epoch == index or one.box != others[3].box


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 300))
def test_the_middle_is_cut_out_of_the_image_with_its_shorter_side_resized(width, height, size):
    crop = centre_crop(width, height, size)
    shorter = size + round(size * 32 / 224)
    assert crop.box == (0, 0, width, height) and not crop.mirror
    assert min(crop.resized) == shorter
    assert abs(max(crop.resized) - shorter * max(width, height) / min(width, height)) <= 0.5
    left, upper, right, lower = crop.window
    assert (right - left, lower - upper) == (size, size)
    margins = np.array([left, crop.resized[0] - right, upper, crop.resized[1] - lower])
    assert margins.min() >= 0
    assert_array_equal(margins[[0, 2]], margins.reshape(2, 2).sum(1) // 2)
