"""The 8x8 digits that come with the package: 1,797 images, 10 classes, 43 writers.

Optical Recognition of Handwritten Digits (E. Alpaydin and C. Kaynak, 1998; UCI Machine Learning
Repository; CC BY 4.0), its test part, as scikit-learn ships it: see LICENSE-digits.txt. The file
holds the original counts 0..16, in the original order, and which images are test data: 360,
drawn once at random from each class by its share.
"""

from importlib.resources import files

import numpy as np

from minibnn.data.dataset import Dataset


def load_digits():
    """The digits as a Dataset: 1,437 training and 360 test images (N, 8, 8, 1) uint8.

    A count v (0..16 dark pixels in a block of 4x4) becomes the byte round(v 255 / 16), halves up.
    """
    with files("minibnn.data").joinpath("digits.npz").open("rb") as file:
        with np.load(file, allow_pickle=False) as stored:
            counts, labels, test = stored["counts"], stored["labels"], stored["test"]
    images = ((counts.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)[..., np.newaxis]
    labels = labels.astype(np.int64)
    train = np.delete(np.arange(len(labels)), test)
    classes = tuple("0123456789")
    return Dataset(images[train], labels[train], images[test], labels[test], classes, "digits")
