"""Folders of small images, with and without broken ones, and their batches."""

import numpy as np
from image_files import encoded, names, smooth
from numpy.testing import assert_array_equal
from PIL import Image

from minibnn.data import Batches, load

SIZE = 32  # large enough that none of these JPEGs is decoded at half its size
GREY = encoded(smooth(np.random.default_rng(5), 50, 60).convert("L"), "JPEG")
DEEP = encoded(Image.fromarray(np.arange(60 * 50, dtype=np.uint16).reshape(60, 50) * 20), "PNG")
GOOD = names("train", "abc", 7) | names("val", "abc", 4)
BROKEN = {"train/a/2.PNG": b"", "train/b/3.JPEG": GREY[:300], "train/b/4.jpg": b"text"}
MIXED = {"train/c/1.jpg": GREY, "val/b/2.PNG": DEEP, "val/b/1.jpg": GREY[:-100]}


def open_folder(root, workers=2, progress=False, **options):
    return load("image-folder", root, workers=workers, image_size=SIZE, progress=progress)


def epoch(data, e=0, start=0, size=4, seed=0, augment="paper"):
    batches = Batches(data.train_images, data.train_labels, size, seed, augment)
    return list(batches.epoch(e, start))


def same(one, other):
    assert len(one) == len(other)
    for (x, y), (other_x, other_y) in zip(one, other, strict=True):
        assert_array_equal(x, other_x)
        assert_array_equal(y, other_y)
