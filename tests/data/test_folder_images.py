"""Images in files behind the face of an array: batches, their order, and memory."""

import functools
import threading
import weakref
from contextlib import closing

import numpy as np
import pytest
from folders import SIZE, epoch, open_folder, same
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from minibnn import InputError
from minibnn.data import Batches, FolderImages
from minibnn.data.folder import images as images_module
from minibnn.data.folder.crops import random_crop
from minibnn.data.folder.decode import cut
from minibnn.data.folder.images import DEVIATION, MEAN, normalise
from minibnn.data.folder.prefetch import prefetch


def by_hand(path, size=SIZE):
    """The image in a file as evaluation should see it."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    shorter = size + round(size / 7)
    resized = [round(side * shorter / min(width, height)) for side in (width, height)]
    image = image.resize(resized, Image.Resampling.BICUBIC)
    left, upper = ((side - size) // 2 for side in resized)
    pixels = np.asarray(image.crop((left, upper, left + size, upper + size)))
    return (pixels / 255 - MEAN) / DEVIATION


def test_a_folder_looks_like_a_dataset(good):
    data = open_folder(good)
    assert isinstance(data.train_images, FolderImages)
    assert data.classes == ("a", "b", "c") and data.name == "image-folder"
    assert data.train_images.shape == (21, SIZE, SIZE, 3) and data.train_images.dtype == np.float32
    assert len(data.test_images) == 12
    assert_array_equal(data.test_labels, np.repeat([0, 1, 2], 4))
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert data.unreadable == {}
    assert repr(data) == "Dataset('image-folder': 21 + 12 images 32x32x3 float32, 3 classes)"


def test_evaluation_sees_the_middle_of_every_image_in_order(good):
    data = open_folder(good)
    stream = list(data.test_images.batches(5))
    assert [len(images) for images, _ in stream] == [5, 5, 2]
    assert_array_equal(np.concatenate([kept for _, kept in stream]), np.arange(12))
    images = np.concatenate([images for images, _ in stream])
    assert images.dtype == np.float32
    for row, image in enumerate(images):
        expected = by_hand(good / data.test_images.listing.names[row])
        np.testing.assert_allclose(image, expected, atol=1e-6)
    assert_array_equal(np.asarray(data.test_images), images)
    assert_array_equal(data.test_images[3], images[3])
    assert_array_equal(data.test_images[-1], images[11])
    assert_array_equal(np.asarray(data.test_images[2:9][::2]), images[2:9:2])
    assert_array_equal(np.asarray(data.test_images[np.array([7, 1])]), images[[7, 1]])
    assert_array_equal(np.asarray(data.test_images[data.test_labels == 1]), images[4:8])
    assert len(list(data.test_images[:3])) == 3
    assert np.asarray(data.test_images[:0]).shape == (0, SIZE, SIZE, 3)


@pytest.mark.parametrize("augment", [None, "paper"])
def test_training_images_are_whole_or_cropped_by_their_own_draws(good, augment):
    """In the order of images in memory."""
    images = open_folder(good).train_images
    rows = np.arange(21)  # as labels, so that a batch tells which images it has
    for e in (0, 3):
        found = list(Batches(images, rows, 4, 5, augment).epoch(e))
        in_memory = Batches(np.zeros((21, 2, 2, 3), np.uint8), rows, 4, 5).epoch(e)
        for (batch, labels), (_, expected) in zip(found, in_memory, strict=True):
            assert batch.shape == (4, SIZE, SIZE, 3) and batch.dtype == np.float32
            assert_array_equal(labels, expected)
            for image, row in zip(batch, labels, strict=True):
                if augment is None:
                    assert_array_equal(image, images[row])
                    continue
                content = (good / images.listing.names[row]).read_bytes()
                plan = functools.partial(random_crop, size=SIZE, seed=5, epoch=e, index=row)
                assert_array_equal(image, normalise(cut(content, plan)))


@pytest.mark.parametrize("which", ["good", "bad"])
@pytest.mark.parametrize("augment", [None, "paper"])
def test_the_number_of_workers_changes_nothing(which, augment, request):
    root = request.getfixturevalue(which)
    one, four = (open_folder(root, workers) for workers in (1, 4))
    for e in (0, 3):
        same(epoch(one, e, augment=augment), epoch(four, e, augment=augment))
    same(list(one.test_images.batches(5)), list(four.test_images.batches(5)))
    assert list(one.unreadable.items()) == list(four.unreadable.items())
    assert bool(one.unreadable) == (which == "bad")


@given(e=st.integers(0, 2**20), start=st.integers(0, 5), seed=st.integers(0, 2**40))
def test_an_epoch_goes_on_in_its_middle(bad, e, start, seed):
    fresh, used = open_folder(bad), open_folder(bad, 1)
    whole = epoch(used, e, seed=seed)
    rest = epoch(fresh, e, start, seed=seed)
    assert len(whole) == 5
    same(whole[start:], rest)


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_pieces_of_all_ranks_are_the_batch(bad, ranks):
    data = open_folder(bad)
    batches = Batches(data.train_images, data.train_labels, 8, 3, "paper")
    pieces = [list(batches.epoch(1, 1, rank, ranks)) for rank in range(ranks)]
    (whole,) = batches.epoch(1, 1)
    for k in (0, 1):
        assert_array_equal(np.concatenate([piece[k] for (piece,) in pieces]), whole[k])


def test_parts_are_views_and_their_images_keep_their_crops(good):
    """An image's crops are drawn by its place in the folder, whatever part it is in."""
    data = open_folder(good)
    split = data.split_validation(6, seed=1)
    assert (len(split.train_images), len(split.validation_images)) == (15, 6)
    assert_array_equal(np.bincount(split.validation_labels), [2, 2, 2])
    rows = np.concatenate([split.train_images.rows, split.validation_images.rows])
    assert sorted(rows) == list(range(21))
    assert_array_equal(data.train_labels[split.train_images.rows], split.train_labels)
    small = data.subset(train=6, test=3)
    assert (len(small.train_images), len(small.test_images)) == (6, 3)

    crops = {x.tobytes() for x, _ in epoch(data, 2, size=1)}
    assert sum(x.tobytes() in crops for x, _ in epoch(split, 2, size=1)) >= 14  # one sits out


def test_memory_holds_only_a_few_batches(good, monkeypatch):
    made, original = [], normalise

    def watched(image):
        array = original(image)
        made.append(weakref.ref(array.base))
        # Waiting or being made: two, and one as the next is begun; and the batch is a copy.
        assert alive() <= 2 + 1 + 1
        return array

    def alive():
        return sum(array() is not None for array in made)

    monkeypatch.setattr(images_module, "normalise", watched)
    data = open_folder(good)
    made.clear()
    batches = Batches(data.train_images, data.train_labels, 1, 0, "paper")
    with closing(batches.epoch(0)) as stream:
        for _ in stream:
            assert alive() <= 3
    assert len(made) == 21 and not alive()


def test_large_batches_are_not_decoded_far_ahead(good, monkeypatch):
    asked = []
    monkeypatch.setattr(images_module, "AHEAD", 3)
    monkeypatch.setattr(
        images_module, "prefetch", lambda *given: asked.append(given[-1]) or prefetch(*given)
    )
    image = SIZE * SIZE * 3 * 4
    for bytes_ahead, expected in ((100 * image, 6), (5 * image, 5), (1, 1)):
        monkeypatch.setattr(images_module, "AHEAD_BYTES", bytes_ahead)
        assert len(list(open_folder(good).test_images.batches(2))) == 6
        assert asked.pop() == expected


def test_too_much_at_once_is_refused(good, monkeypatch):
    data = open_folder(good)
    monkeypatch.setattr(images_module, "MOST_DECODED", data.test_images.nbytes)
    assert np.asarray(data.test_images).nbytes == data.test_images.nbytes
    with pytest.raises(InputError, match=r"21 images of a folder would take .* GiB decoded"):
        np.asarray(data.train_images)
    with pytest.raises(ValueError, match="new array"):
        np.asarray(data.test_images, copy=False)
    assert np.asarray(data.test_images[:2], np.float64).dtype == np.float64


def test_leaving_an_epoch_early_leaves_no_thread(good):
    data = open_folder(good)
    stream = Batches(data.train_images, data.train_labels, 2, 0, "paper").epoch(0)
    next(stream)
    assert threading.active_count() > 1
    stream.close()
    assert threading.active_count() == 1
    np.asarray(data.test_images)
    assert threading.active_count() == 1


def test_batches_are_the_callers_to_keep(good):
    data = open_folder(good)
    kept = epoch(data, size=2)
    expected = [x.copy() for x, _ in kept]
    for x, _ in epoch(data, size=2):
        x[:] = 0
    for (x, _), other in zip(kept, expected, strict=True):
        assert_array_equal(x, other)
