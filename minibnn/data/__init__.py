"""Images and batches: where data comes from and in which order training sees it."""

from minibnn.data.augment import pad_crop_flip
from minibnn.data.batches import Batches
from minibnn.data.dataset import Dataset, from_arrays
from minibnn.data.folder.images import FolderImages
from minibnn.data.sources import DATASETS, load

__all__ = ["DATASETS", "Batches", "Dataset", "FolderImages", "from_arrays", "load", "pad_crop_flip"]
