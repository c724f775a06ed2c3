"""Images that cannot be decoded: what stands in for them, and who is told; and worse errors."""

import io
import os
import threading

import numpy as np
import pytest
from folders import BROKEN, GOOD, epoch, open_folder
from image_files import write_tree
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import Batches
from minibnn.data.folder import images as images_module


def test_in_the_place_of_a_broken_image_comes_the_next_of_the_order(bad):
    data = open_folder(bad)
    broken = [n for n, name in enumerate(data.train_images.listing.names) if name in BROKEN]
    assert len(broken) == 3
    readable = {row: data.train_images[row] for row in range(21) if row not in broken}
    order = np.random.default_rng(0).permutation(21)
    order = np.roll(order, -int(np.flatnonzero(order == broken[0])[0]) - 1)  # one is last
    places = [slice(0, 7), slice(7, 14), slice(14, 21)]
    stream = data.train_images.decoded(data.train_labels, order, places, replace=True)
    got = [pair for batch in stream for pair in zip(*batch, strict=True)]
    assert len(got) == 21
    for place, (image, label) in enumerate(got):
        after = (order[(place + k) % 21] for k in range(21))
        row = next(row for row in after if row in readable)
        assert_array_equal(image, readable[row])
        assert label == data.train_labels[row]


def test_broken_images_are_left_out_of_evaluation(bad):
    data = open_folder(bad)
    stream = list(data.test_images.batches(6))
    (lost,) = (n for n, x in enumerate(data.test_images.listing.names) if x == "val/b/1.jpg")
    assert [len(images) for images, _ in stream] == [5, 6]
    assert_array_equal(np.concatenate([k for _, k in stream]), np.delete(np.arange(12), lost))
    assert data.unreadable.keys() == {"val/b/1.jpg"}
    with pytest.raises(InputError, match=r"val/b/1.jpg: damaged"):
        np.asarray(data.test_images)


def test_each_broken_image_is_told_once_in_the_order_of_the_batches(bad, capsys):
    told = []
    for workers in (1, 400):  # as on a machine of as many cores
        data = open_folder(bad, workers, progress=None)
        for e in range(3):
            epoch(data, e)
        list(data.test_images.batches(5))
        out, err = capsys.readouterr()
        assert out == ""
        told.append(err.splitlines())
        assert len(told[-1]) == len(data.unreadable) == 4
        assert {line.split(": ")[1] for line in told[-1]} == {
            f"{bad}/{name}" for name in [*BROKEN, "val/b/1.jpg"]
        }
    assert told[0] == told[1]
    assert f"minibnn: {bad}/train/a/2.PNG: not an image of a known format; left out" in told[0]
    epoch(open_folder(bad))  # progress=False
    assert capsys.readouterr().err == ""


def test_a_broken_image_is_read_once(bad, monkeypatch):
    read, paths = images_module.decode.read, []

    def watched(path):
        paths.append(path)
        return read(path)

    monkeypatch.setattr(images_module.decode, "read", watched)
    data = open_folder(bad, 1)
    for e in range(3):
        epoch(data, e)
    broken = [str(path) for path in paths if str(path).removeprefix(f"{bad}/") in BROKEN]
    assert len(broken) == len(set(broken)) == 3


def test_a_folder_that_begins_with_a_broken_image_is_opened(tmp_path, capsys):
    root = write_tree(tmp_path, GOOD | {"train/a/0.JPEG": b"no"})
    data = open_folder(root, progress=None)
    assert data.unreadable == {"train/a/0.JPEG": "not an image of a known format"}
    line = f"minibnn: {root}/train/a/0.JPEG: not an image of a known format; left out\n"
    assert capsys.readouterr().err == line


def test_no_readable_image_at_all_is_refused(tmp_path, capsys):
    for part in ("train", "val"):
        files = GOOD | {name: b"no" for name in GOOD if name.startswith(part)}
        root = write_tree(tmp_path / part, files)
        count = sum(name.startswith(part) for name in GOOD)
        expected = f"{part}/a/0.JPEG: not an image of a known format; none of the {count} images"
        with pytest.raises(InputError, match=expected):
            open_folder(root, progress=None)
    assert capsys.readouterr().err == ""  # that one line is enough


def test_a_part_without_a_readable_image_ends_training_and_not_in_a_loop(bad):
    data = open_folder(bad)
    rows = [n for n, name in enumerate(data.train_images.listing.names) if name in BROKEN]
    with pytest.raises(InputError, match="and so are all other training images"):
        list(Batches(data.train_images[rows], data.train_labels[rows], 2).epoch(0))


def test_a_file_that_vanishes_is_an_error_with_its_name(tmp_path):
    data = open_folder(write_tree(tmp_path, GOOD))
    gone = tmp_path / "train" / "b" / "3.JPEG"
    gone.unlink()
    with pytest.raises(InputError, match=f"{gone}: cannot be read"):
        epoch(data, size=21)
    assert threading.active_count() == 1


@pytest.mark.parametrize(
    ("error", "expected"), [(MemoryError(), InputError), (ZeroDivisionError("a bug"), None)]
)
def test_an_error_in_a_thread_names_the_file(good, monkeypatch, error, expected):
    def fail(content, plan):
        raise error

    data = open_folder(good)
    monkeypatch.setattr(images_module.decode, "cut", fail)
    with pytest.raises(expected or type(error)) as caught:
        epoch(data)
    words = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert f"{good}/train/" in " ".join(words) and threading.active_count() == 1


def test_nobody_can_be_told(bad, monkeypatch):
    monkeypatch.setattr("sys.stderr", full := io.StringIO())
    full.flush = lambda: os.fstat(-1)  # OSError
    assert sum(len(labels) for _, labels in open_folder(bad, progress=None).test_images.batches(5))
