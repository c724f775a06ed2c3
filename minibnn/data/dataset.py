"""A data set: training and test images, checked once, when it is made."""

from dataclasses import dataclass, replace

import numpy as np

from minibnn.data.folder.images import FolderImages
from minibnn.errors import InputError, integer

MOST_CLASSES = 1 << 16  # a larger label is a mistake, and names for as many classes a burden


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test data, perhaps validation data: images or vectors, and their labels.

    Images are (N, H, W, C) uint8, or float32 in [-1, 1], and stay bytes until the first layer;
    those of an image-folder are FolderImages, which stay in their files. Vectors are (N, F), uint8
    or float32. Labels are (N,) int64, each in range(len(classes)). The validation part is what
    ``split_validation`` held out, else None.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple
    name: str = "arrays"
    validation_images: np.ndarray | None = None
    validation_labels: np.ndarray | None = None

    @property
    def input_shape(self):
        """(H, W, C) of every image, or (F,) of every vector."""
        return self.train_images.shape[1:]

    @property
    def image_form(self):
        """What a network trained on them takes, as ``minibnn.nn.network`` has it.

        Floats count as images in [0, 1] if none is below 0, as bytes scaled to [-1, 1] if both
        ends occur, and else as something that no image file can tell.
        """
        if isinstance(self.train_images, FolderImages):
            return "image-folder"
        if self.train_images.dtype == np.uint8:
            return "bytes"
        low, high = self.train_images.min(), self.train_images.max()
        if len(self.input_shape) != 3 or (low < 0 and (low, high) != (-1, 1)):
            return "arrays"
        return "unit" if low >= 0 else "bytes"

    @property
    def top5(self):
        """Whether training also tells how often the class is among the five best.

        It does for more than 10 classes, of an image-folder for more than 5, as with ImageNet.
        """
        return len(self.classes) > (5 if isinstance(self.train_images, FolderImages) else 10)

    @property
    def unreadable(self):
        """Image files met so far that cannot be decoded: {name: reason}; {} for arrays."""
        in_files = isinstance(self.train_images, FolderImages)
        return dict(self.train_images.problems.told) if in_files else {}

    def __repr__(self):
        what = "images" if len(self.input_shape) == 3 else "vectors"
        held_out = "" if self.validation_labels is None else f"{len(self.validation_labels)} + "
        return (
            f"Dataset({self.name!r}: {len(self.train_labels)} + {held_out}{len(self.test_labels)} "
            f"{what} {'x'.join(map(str, self.input_shape))} {self.train_images.dtype}, "
            f"{len(self.classes)} classes)"
        )

    def split_validation(self, n, seed=0):
        """A Dataset in which ``n`` training images are held out for validation.

        Stratified: every class keeps its share. Which ones is a function of the labels, ``n`` and
        ``seed``; the order of the rest is kept. InputError if there is a validation part already,
        or nothing left to train on.
        """
        if self.validation_labels is not None:
            raise InputError("split_validation: this data set already has a validation part")
        n = integer(n, "the number of validation images", 1, len(self.train_labels) - 1)
        held_out = stratified_choice(self.train_labels, n, seed)
        kept = np.delete(np.arange(len(self.train_labels)), held_out)
        return replace(
            self,
            train_images=self.train_images[kept],
            train_labels=self.train_labels[kept],
            validation_images=self.train_images[held_out],
            validation_labels=self.train_labels[held_out],
        )

    def subset(self, train=None, test=None, seed=0):
        """A smaller Dataset for a quick run, stratified.

        ``train`` and ``test`` are numbers of images, drawn by ``seed``; None keeps that part whole.
        """
        parts = {}
        for part, n in (("train", train), ("test", test)):
            if n is not None:
                images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
                n = integer(n, f"the number of {part} images", 1, len(labels))
                chosen = stratified_choice(labels, n, seed)
                parts |= {f"{part}_images": images[chosen], f"{part}_labels": labels[chosen]}
        return replace(self, **parts)


def from_arrays(train_images, train_labels, test_images, test_labels, classes=None, name="arrays"):
    """A Dataset of your own images, or of vectors such as the rows of a table.

    ``train_images`` are (N, H, W, C) or (N, H, W), or vectors (N, F); ``test_images`` are M of the
    same kind and size. They are uint8 or floats, which are kept as float32 and, of images, lie in
    [-1, 1]. ``train_labels`` (N,) or (N, 1) and ``test_labels`` are integers from 0. ``classes``
    are names; without them they are "0", "1", ... up to the largest label, and then there must be
    training images of each. ``name`` stands in reports. InputError names what does not fit.

    >>> images = np.zeros((6, 8, 8), np.uint8)
    >>> from_arrays(images[:4], [0, 1, 0, 1], images[4:], [0, 1])
    Dataset('arrays': 4 + 2 images 8x8x1 uint8, 2 classes)
    >>> table = np.random.default_rng(0).standard_normal((6, 5))
    >>> from_arrays(table[:4], [0, 1, 0, 1], table[4:], [0, 1])
    Dataset('arrays': 4 + 2 vectors 5 float32, 2 classes)
    """
    train_images = _check_images(train_images, "train_images")
    test_images = _check_images(test_images, "test_images")
    size = "height, width and channels" if train_images.ndim == 4 else "number of features"
    for what, train, test in (
        ("dtype", train_images.dtype, test_images.dtype),
        (size, train_images.shape[1:], test_images.shape[1:]),
    ):
        if train != test:
            wanted = f"the {what} of train_images, {train}"
            raise InputError(f"test_images must have {wanted}, found {test}")
    train_labels = _check_labels(train_labels, "train_labels", len(train_images))
    test_labels = _check_labels(test_labels, "test_labels", len(test_images))
    if classes is None:
        classes = [str(c) for c in range(max(train_labels.max(), test_labels.max()) + 1)]
        if len(missing := np.setdiff1d(np.arange(len(classes)), train_labels)):
            raise InputError(
                f"train_labels must hold every class from 0 to {len(classes) - 1}, found none of "
                f"{missing[0]}: count from 0 without gaps, or name all by classes"
            )
    classes = _check_classes(classes)
    for labels, argument in ((train_labels, "train_labels"), (test_labels, "test_labels")):
        if (most := labels.max()) >= len(classes):
            raise InputError(f"{argument} must be below {len(classes)}, the classes, found {most}")
    return Dataset(train_images, train_labels, test_images, test_labels, classes, str(name))


def stratified_choice(labels, n, seed):
    """Ascending indices of ``n`` entries of ``labels``, each class with its share."""
    classes, counts = np.unique(labels, return_counts=True)
    shares, remainders = np.divmod(counts * n, len(labels))
    # Shares are rounded down; the rest goes to the largest remainders, the lowest class first.
    largest = np.argsort(-remainders, kind="stable")[: n - shares.sum()]
    shares[largest] += 1
    rng = np.random.default_rng(integer(seed, "seed"))
    chosen = [
        rng.permutation(np.flatnonzero(labels == c))[:share]
        for c, share in zip(classes, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def _check_images(images, argument):
    """Images (N, H, W, C) or vectors (N, F), uint8 or float32, C-contiguous; else InputError."""
    images = _as_array(images, argument)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim not in (2, 4) or 0 in images.shape:
        wanted = "images (N, H, W, C) or (N, H, W), or vectors (N, F), not empty"
        raise InputError(f"{argument} must be {wanted}, found shape {images.shape}")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype.kind != "f":
        raise InputError(f"{argument} must be uint8 or floats in [-1, 1], found {images.dtype}")
    if images.ndim == 2:
        with np.errstate(over="ignore"):
            images = images.astype(np.float32, order="C")
        if not np.isfinite(images).all():
            raise InputError(f"{argument} must be finite as float32, found NaN or infinity")
        return images
    low, high = images.min(), images.max()  # NaN if there is one anywhere
    if not (low >= -1 and high <= 1):
        raise InputError(f"{argument} must lie in [-1, 1] if floats, found {low:g} to {high:g}")
    return np.ascontiguousarray(images, np.float32)


def _check_labels(labels, argument, count):
    """Labels as (count,) int64 from 0; InputError if they are not."""
    labels = _as_array(labels, argument)
    if labels.shape not in ((count,), (count, 1)) or labels.dtype.kind not in "iu":
        found = f"{labels.dtype} of shape {labels.shape}"
        raise InputError(f"{argument} must be {count} integers (one per image), found {found}")
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        found = f"{labels.min()} to {labels.max()}"
        raise InputError(f"{argument} must be from 0 to {MOST_CLASSES - 1}, found {found}")
    return labels.reshape(count).astype(np.int64)


def _check_classes(classes):
    """Names of the classes as a tuple of str; InputError if they are not different strings."""
    names = _as_array(classes, "classes")
    if names.ndim != 1 or names.dtype.kind != "U" or not 0 < names.size <= MOST_CLASSES:
        raise InputError(f"classes must be a sequence of names (strings), found {classes!r:.60}")
    names = names.tolist()
    if len(set(names)) != len(names):
        raise InputError("classes must be different names, found one of them twice")
    return tuple(names)


def _as_array(values, argument):
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"{argument} must be an array, found rows of different shapes") from error
