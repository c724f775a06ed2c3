"""The stream of training batches: a function of seed, epoch and position only."""

import numpy as np

from minibnn.data.augment import AUGMENTATIONS, cut_out, draw, pad_crop_flip
from minibnn.data.dataset import _check_labels
from minibnn.data.folder.images import FolderImages
from minibnn.errors import InputError, integer, one_of

_STREAM = 1  # keeps the draws of the batches apart from others made with the same seed


class Batches:
    """Shuffled, perhaps augmented batches of a training set.

    ``images`` (N, H, W, C) or (N, F) are uint8 or float32, or FolderImages; ``labels`` (N,)
    integers. ``augment`` is None, "none" or "paper": pad with 4 black pixels, crop at random, flip
    at random (uint8 images only); of FolderImages, a random crop of 8 to 100 % of the area,
    resized, and a random flip. "cutout" hides a square of each of these too (``cut_out``), not of
    FolderImages.

    Order and augmentation of epoch e come from a generator seeded with (``seed``, e), drawn for the
    whole epoch before its first batch. So a resumed run needs no random state: ``epoch(e, start)``
    goes on in the middle. The last partial batch is dropped. Only images that stay in their files
    are decoded by threads, ahead of training: other batches are too cheap for that.

    >>> batches = Batches(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10), batch_size=4, seed=0)
    >>> [labels.tolist() for _, labels in batches.epoch(0)]  # two images sit this epoch out
    [[7, 3, 0, 5], [1, 6, 9, 2]]
    """

    def __init__(self, images, labels, batch_size, seed=0, augment=None):
        self.batch_size = integer(batch_size, "batch_size", 1, len(images))
        augment = one_of("none" if augment is None else augment, "augment", AUGMENTATIONS)
        self.in_files = isinstance(images, FolderImages)
        is_bytes = len(images.shape) == 4 and images.dtype == np.uint8
        if augment == "cutout" and self.in_files:
            raise InputError("images in files have no augment cutout, only paper or none")
        if augment != "none" and not (is_bytes or self.in_files):
            found = f"{images.dtype} {images.shape}"
            raise InputError(f"images to be augmented must be uint8 (N, H, W, C), found {found}")
        self.images, self.labels = images, _check_labels(labels, "labels", len(images))
        self.seed = integer(seed, "seed")
        self.augment = augment

    def __len__(self):
        return len(self.images) // self.batch_size

    def epoch(self, e, start=0, rank=0, ranks=1):
        """Yield batches ``start``, ``start + 1``, ... of epoch ``e``, both counted from 0.

        A batch is images (B, H, W, C) and labels (B,) int64. Of several equal pieces, which
        together are the batch bit for bit, only that of ``rank`` is made; InputError if the batch
        does not divide by ``ranks``. Close the generator if it is left before its end: threads may
        be at work for it.
        """
        if self.batch_size % ranks:
            raise InputError(f"a batch of {self.batch_size} does not divide into {ranks} pieces")
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(_STREAM, e)))
        order = rng.permutation(len(self.images))
        share = self.batch_size // ranks
        firsts = (s * self.batch_size + rank * share for s in range(start, len(self)))
        places = [slice(first, first + share) for first in firsts]
        if self.in_files:
            draws = {"seed": self.seed, "epoch": e} if self.augment == "paper" else None
            yield from self.images.decoded(self.labels, order, places, draws, replace=True)
            return
        if self.augment != "none":
            offsets, flips = draw(rng, len(self) * self.batch_size)
        if self.augment == "cutout":
            centres = rng.integers(self.images.shape[1:3], size=(len(offsets), 2))
        for here in places:
            rows = order[here]
            images = self.images[rows]
            if self.augment != "none":
                images = pad_crop_flip(images, offsets[here], flips[here])
            if self.augment == "cutout":
                images = cut_out(images, centres[here])
            yield images, self.labels[rows]
