import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import from_arrays
from minibnn.data.dataset import stratified_choice


def arrays(**changes):
    rng = np.random.default_rng(0)
    good = {
        "train_images": rng.integers(0, 256, (12, 5, 4, 3), dtype=np.uint8),
        "train_labels": np.arange(12) % 3,
        "test_images": rng.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8),
        "test_labels": np.arange(6) % 3,
    }
    return good | changes


def test_from_arrays_keeps_bytes_and_names_classes():
    given_arrays = arrays()
    data = from_arrays(**given_arrays)
    assert_array_equal(data.train_images, given_arrays["train_images"])
    assert data.train_labels.dtype == np.int64
    assert data.classes == ("0", "1", "2")
    assert data.input_shape == (5, 4, 3)
    assert from_arrays(**arrays(classes=["a", "b", "c", "d"])).classes == ("a", "b", "c", "d")


def test_grey_images_get_a_channel_and_columns_of_labels_are_flattened():
    data = from_arrays(
        np.zeros((3, 8, 7), np.uint8), [[0], [1], [0]], np.zeros((1, 8, 7), np.uint8), [1]
    )
    assert data.train_images.shape == (3, 8, 7, 1)
    assert_array_equal(data.train_labels, [0, 1, 0])


def test_floats_in_the_unit_interval_become_float32():
    images = np.linspace(-1, 1, 24).reshape(2, 4, 3, 1)
    data = from_arrays(images, [0, 1], images, [0, 1])
    assert data.train_images.dtype == np.float32
    assert_array_equal(data.train_images, images.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"train_images": np.zeros((0, 5, 4, 3), np.uint8)}, "train_images"),
        ({"train_images": np.zeros((12, 5, 4, 3), np.int64)}, "train_images.*int64"),
        ({"train_images": np.full((12, 5, 4, 3), np.nan)}, "train_images.*nan"),
        ({"test_images": np.zeros((6, 5, 4, 3), np.float32)}, "test_images.*float32"),
        ({"train_labels": np.eye(12, dtype=int)}, r"train_labels.*\(12, 12\)"),
        ({"test_labels": np.full(6, 10**9)}, "test_labels.*1000000000"),
        ({"test_labels": np.arange(6), "classes": ["a", "b", "c"]}, "test_labels.*3.*5"),
        ({"classes": [0, 1, 2]}, "classes"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line(changes, named):
    with pytest.raises(InputError, match=named) as caught:
        from_arrays(**arrays(**changes))
    assert "\n" not in str(caught.value)


labels_and_n = st.lists(st.integers(0, 4), min_size=1, max_size=60).flatmap(
    lambda labels: st.tuples(st.just(np.array(labels)), st.integers(0, len(labels)))
)


@given(labels_and_n, st.integers(0, 2**40))
def test_a_stratified_choice_gives_every_class_its_share(labels_n, seed):
    labels, n = labels_n
    chosen = stratified_choice(labels, n, seed)
    assert len(chosen) == n
    assert (np.diff(chosen) > 0).all()
    for c in np.unique(labels):
        share = n * np.mean(labels == c)
        assert abs(np.sum(labels[chosen] == c) - share) < 1
    assert_array_equal(chosen, stratified_choice(labels, n, seed))


def test_validation_and_training_images_make_up_the_training_set():
    whole = from_arrays(**arrays())
    split = whole.split_validation(6, seed=3)
    assert_array_equal(np.bincount(split.validation_labels), [2, 2, 2])
    parts = np.concatenate([split.train_images, split.validation_images])
    assert sorted(x.tobytes() for x in parts) == sorted(x.tobytes() for x in whole.train_images)
    for image, label in zip(split.validation_images, split.validation_labels, strict=True):
        where = (whole.train_images == image).all((1, 2, 3)).nonzero()[0]
        assert whole.train_labels[where] == [label]
    assert_array_equal(split.test_images, whole.test_images)
    assert len(whole.train_labels) == 12
    other = whole.split_validation(6, seed=4)
    assert not np.array_equal(split.validation_images, other.validation_images)


@pytest.mark.parametrize("n", [0, 12, -1, 2.5, True, "6"])
def test_an_impossible_validation_part_is_refused(n):
    with pytest.raises(InputError, match="validation images must be an integer from 1 to 11"):
        from_arrays(**arrays()).split_validation(n)


def test_a_second_split_and_a_negative_seed_are_refused():
    data = from_arrays(**arrays())
    with pytest.raises(InputError, match="already"):
        data.split_validation(3).split_validation(3)
    with pytest.raises(InputError, match="seed must be an integer from 0 on, found -1"):
        data.split_validation(3, seed=-1)


def test_a_subset_is_smaller_and_keeps_the_parts_not_named():
    small = from_arrays(**arrays()).subset(train=6)
    assert_array_equal(np.bincount(small.train_labels), [2, 2, 2])
    assert len(small.test_labels) == 6
    assert repr(small) == "Dataset('arrays': 6 + 6 images 5x4x3 uint8, 3 classes)"


def test_labels_with_gaps_need_names():
    images = np.zeros((4, 8, 8), np.uint8)
    for labels, missing in (([0, 2, 0, 2], 1), ([1, 2, 3, 1], 0)):  # the second counts from 1
        found = rf"train_labels must hold every class from 0 to \d, found none of {missing}:"
        with pytest.raises(InputError, match=found):
            from_arrays(images, labels, images, labels)
    with pytest.raises(InputError, match="from 0 to 2, found none of 2"):
        from_arrays(images, [0, 1, 0, 1], images, [0, 1, 2, 0])
    assert from_arrays(images, [0, 2, 0, 2], images, [0, 2, 0, 2], list("abc")).classes[1] == "b"
