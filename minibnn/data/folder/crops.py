"""Which part of an image training and evaluation see: plain functions of sizes and draws.

As for ImageNet elsewhere: training takes a random part of 8 to 100 % of the area with sides from
3:4 to 4:3, evaluation the middle of the image.
"""

import math
from typing import NamedTuple

import numpy as np

AREA = (0.08, 1.0)  # of a training crop, as a share of the image's
ASPECT = (3 / 4, 4 / 3)  # its width by its height, drawn evenly in the logarithm
TRIES = 10  # draws of a crop before the middle is taken
MARGIN = 32 / 224  # evaluation: what the resized image has beyond the crop, by the crop

_STREAM = 2  # keeps these draws apart from others made with the same seed


class Crop(NamedTuple):
    """Part ``box`` of an image is ``resized``; of that, ``window`` is taken, and mirrored.

    ``box`` and ``window`` are (left, upper, right, lower), ``resized`` is (width, height).
    """

    box: tuple
    resized: tuple
    window: tuple
    mirror: bool = False


def random_crop(width, height, size, seed, epoch, index):
    """The training crop of image ``index``: drawn by seed, epoch and index, whoever makes it."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, epoch, index)))
    mirror = bool(rng.integers(2))
    box = random_box(width, height, rng.random((TRIES, 4)))
    return Crop(box, (size, size), (0, 0, size, size), mirror)


def random_box(width, height, draws):
    """A box (left, upper, right, lower) of a random area, shape and place inside an image.

    ``draws`` (n, 4) in [0, 1) has a row for each attempt: area, shape, and the place in x and y.
    After the last comes the largest box of a permitted shape in the middle.
    """
    low, high = math.log(ASPECT[0]), math.log(ASPECT[1])
    for area, shape, x, y in draws.tolist():
        area = (AREA[0] + (AREA[1] - AREA[0]) * area) * width * height
        aspect = math.exp(low + (high - low) * shape)
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, upper = int(x * (width - w + 1)), int(y * (height - h + 1))
            return left, upper, left + w, upper + h
    w = max(1, min(width, round(height * ASPECT[1])))
    h = max(1, min(height, round(width / ASPECT[0])))
    left, upper = (width - w) // 2, (height - h) // 2
    return left, upper, left + w, upper + h


def centre_crop(width, height, size):
    """The evaluation crop: the shorter side resized to size + margin, then the middle."""
    shorter = size + round(size * MARGIN)
    scale = shorter / min(width, height)
    resized = tuple(max(shorter, round(side * scale)) for side in (width, height))
    left, upper = ((side - size) // 2 for side in resized)
    return Crop((0, 0, width, height), resized, (left, upper, left + size, upper + size))
