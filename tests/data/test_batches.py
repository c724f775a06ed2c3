import threading

import numpy as np
import pytest
from folders import same
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import Batches, pad_crop_flip

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(23)


def batches(augment=None, *, seed=0, size=4):
    return Batches(IMAGES, LABELS, size, seed, augment)


def test_an_epoch_shows_every_image_at_most_once_and_drops_the_partial_batch():
    epoch = list(batches().epoch(0))
    assert len(epoch) == len(batches()) == 5
    seen = np.concatenate([labels for _, labels in epoch])
    assert len(np.unique(seen)) == len(seen) == 20
    for images, labels in epoch:
        assert_array_equal(images, IMAGES[labels])  # labels are row numbers here


@given(
    seed=st.integers(0, 2**40),
    e=st.integers(0, 2**32),
    start=st.integers(0, 5),
    augment=st.sampled_from([None, "paper", "cutout"]),
)
def test_a_batch_depends_on_seed_epoch_and_position_only(seed, e, start, augment):
    fresh = batches(augment, seed=seed)
    used = batches(augment, seed=seed)
    next(used.epoch(e + 1))  # what was asked for before does not matter
    same(list(fresh.epoch(e))[start:], list(used.epoch(e, start)))


@pytest.mark.parametrize("augment", [None, "paper", "cutout"])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_pieces_of_all_ranks_are_the_batch(augment, ranks):
    pieces = [list(batches(augment).epoch(2, 1, rank, ranks)) for rank in range(ranks)]
    whole = list(batches(augment).epoch(2, 1))
    steps = zip(*pieces, strict=True)
    joined = [tuple(map(np.concatenate, zip(*step, strict=True))) for step in steps]
    same(joined, whole)
    with pytest.raises(InputError, match="a batch of 4 does not divide into 3 pieces"):
        next(batches().epoch(0, ranks=3))


def test_epochs_and_seeds_differ():
    orders = [
        np.concatenate([labels for _, labels in batches(seed=seed).epoch(e)]).tolist()
        for seed in (0, 1)
        for e in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_augmented_batches_are_crops_of_the_images_their_labels_name():
    shifts = [(top, left, flip) for top in range(9) for left in range(9) for flip in (False, True)]
    offsets, flips = np.array([s[:2] for s in shifts]), np.array([s[2] for s in shifts])
    changed = 0
    both = zip(batches("paper").epoch(0), batches().epoch(0), strict=True)
    for (images, labels), (_, plain) in both:
        assert_array_equal(labels, plain)  # the order is left alone
        for image, label in zip(images, labels, strict=True):
            possible = pad_crop_flip(IMAGES[[label] * len(shifts)], offsets, flips, 4)
            assert (possible == image).all((1, 2, 3)).any()
            changed += not np.array_equal(image, IMAGES[label])
    assert changed > 10


def test_cutout_hides_a_pixel_of_every_image_of_5x6_and_leaves_the_rest_of_the_paper_s():
    places = []
    both = zip(batches("cutout").epoch(0), batches("paper").epoch(0), strict=True)
    for (images, _), (paper, _) in both:
        assert_array_equal(np.where(images == 128, 128, paper), images)
        places += [tuple(p) for p in np.argwhere((images != paper).any(-1))[:, 1:]]
    assert len(places) == 20 and len(set(places)) > 10


def test_every_batch_of_an_epoch_has_its_own_crops():
    alike = Batches(np.repeat(IMAGES[:1], 40, axis=0), np.zeros(40, int), 20, 0, "paper")
    (one, _), (other, _) = alike.epoch(0)
    assert sum(np.array_equal(x, y) for x, y in zip(one, other, strict=True)) < 3


@pytest.mark.parametrize("augment", [None, "paper", "cutout"])
def test_batches_are_the_callers_to_keep_and_no_thread_is_started(augment):
    kept = IMAGES.copy()
    stream = batches(augment).epoch(0)
    first, _ = next(stream)
    copy = first.copy()
    second, _ = next(stream)
    second[:] = 0
    assert_array_equal(first, copy)
    first[:] = 0
    assert_array_equal(IMAGES, kept)
    assert threading.active_count() == 1


def test_float_images_pass_through():
    images = np.linspace(-1, 1, 8 * 4, dtype=np.float32).reshape(8, 2, 2, 1)
    (x, y), _ = Batches(images, np.arange(8), 4, 0).epoch(0)
    assert_array_equal(x, images[y])


def test_floats_are_not_augmented():
    with pytest.raises(InputError, match=r"uint8.*float32"):
        Batches(IMAGES.astype(np.float32), LABELS, 4, 0, "paper")
