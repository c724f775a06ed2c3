import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn.data import load

DIGITS = load("digits")
IMAGES = np.concatenate([DIGITS.train_images, DIGITS.test_images])


def test_digits_have_the_stated_sizes_and_kinds():
    assert DIGITS.train_images.shape == (1437, 8, 8, 1)
    assert DIGITS.test_images.shape == (360, 8, 8, 1)
    assert DIGITS.train_images.dtype == np.uint8
    assert DIGITS.train_labels.dtype == np.int64
    assert DIGITS.classes == tuple("0123456789")
    assert_array_equal(np.bincount(DIGITS.test_labels), [36, 37, 35, 37, 36, 36, 36, 36, 35, 36])


def test_counts_0_to_16_are_spread_over_all_bytes():
    spread = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert_array_equal(np.unique(DIGITS.train_images), spread)


def test_no_image_is_in_both_parts():
    assert len(np.unique(IMAGES, axis=0)) == len(IMAGES) == 1797


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="compares with scikit-learn's copy")
    original = datasets.load_digits()
    labels = np.concatenate([DIGITS.train_labels, DIGITS.test_labels])
    ours = {image.tobytes(): label for image, label in zip(IMAGES, labels, strict=True)}
    scaled = np.floor(original.images * 255 / 16 + 0.5).astype(np.uint8)
    theirs = {x.tobytes(): label for x, label in zip(scaled, original.target, strict=True)}
    assert ours == theirs
