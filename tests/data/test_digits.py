import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn.data import load


def test_digits_have_the_stated_sizes_and_kinds():
    digits = load("digits")
    assert digits.train_images.shape == (1437, 8, 8, 1)
    assert digits.test_images.shape == (360, 8, 8, 1)
    assert digits.train_images.dtype == np.uint8
    assert digits.train_labels.dtype == np.int64
    assert digits.classes == tuple("0123456789")
    assert_array_equal(np.bincount(digits.test_labels), [36, 37, 35, 37, 36, 36, 36, 36, 35, 36])


def test_counts_0_to_16_are_spread_over_all_bytes():
    digits = load("digits")
    spread = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    assert_array_equal(np.unique(digits.train_images), spread)


def test_no_image_is_in_both_parts():
    digits = load("digits")
    everything = np.concatenate([digits.train_images, digits.test_images]).reshape(1797, 64)
    assert len(np.unique(everything, axis=0)) == 1797


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="compares with scikit-learn's copy")
    original = datasets.load_digits()
    digits = load("digits")
    images = np.concatenate([digits.train_images, digits.test_images])[..., 0]
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    ours = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    scaled = np.floor(original.images * 255 / 16 + 0.5).astype(np.uint8)
    theirs = {x.tobytes(): label for x, label in zip(scaled, original.target, strict=True)}
    assert ours == theirs
