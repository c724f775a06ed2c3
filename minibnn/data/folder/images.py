"""Images that stay in their files: looks like an array (N, H, W, 3), decodes batch by batch."""

import functools
import math
import operator
import os
from contextlib import closing
from itertools import islice

import numpy as np

from minibnn.data.folder import decode
from minibnn.data.folder.crops import centre_crop, random_crop
from minibnn.data.folder.prefetch import prefetch
from minibnn.errors import InputError, one_line

# Of red, green and blue over ImageNet's training images, as shares of 255: what everyone uses.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
AHEAD = 2  # batches of images decoded ahead, if they are not larger than AHEAD_BYTES together
AHEAD_BYTES = 1 << 30
MOST_DECODED = 1 << 30  # bytes of images that may be asked for as one array


class FolderImages:
    """Images of a folder, or some of them: ``rows`` of a ``listing``.

    A slice or an array of row numbers gives a part that is again only a list of files;
    ``images[i]`` and ``numpy.asarray(images[a:b])`` decode, as evaluation sees them:
    (N, ``size``, ``size``, 3) float32, byte b of channel c as (b / 255 - MEAN[c]) / DEVIATION[c].
    ``workers`` is a number of threads; ``problems`` notes files that cannot be decoded.
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(self, listing, rows, size, workers, problems):
        self.listing, self.rows = listing, rows
        self.size, self.workers, self.problems = size, workers, problems

    @property
    def shape(self):
        """(N, H, W, 3), decoded."""
        return len(self.rows), self.size, self.size, 3

    @property
    def nbytes(self):
        """Bytes of all of them decoded; never in memory at once."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, which):
        if isinstance(which, slice | np.ndarray | list):
            return self._with(self.rows[which])
        row = self.rows[operator.index(which)]  # IndexError ends an iteration
        return np.asarray(self._with(np.array([row])))[0]

    def _with(self, rows):
        return FolderImages(self.listing, rows, self.size, self.workers, self.problems)

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("images of a folder must be decoded into a new array")
        if self.nbytes > MOST_DECODED:
            words = f"would take {self.nbytes / 2**30:,.1f} GiB decoded: take a slice of them"
            raise InputError(f"{len(self):,} images of a folder {words}")
        if not len(self):
            return np.empty(self.shape, dtype or self.dtype)
        ((images, kept),) = self.batches(len(self))
        if len(kept) < len(self):
            lost = np.setdiff1d(np.arange(len(self)), kept)[0]
            raise InputError(self.problems.line(self.listing.names[self.rows[lost]]))
        return images if dtype is None else images.astype(dtype, copy=False)

    def __repr__(self):
        return f"<FolderImages: {len(self)} images {self.size}x{self.size}x3 in files>"

    def crc32(self, crc=0):
        """CRC-32 of the files' names and sizes, going on from ``crc``; no content is read."""
        return self.listing.crc32(self.rows.tolist(), crc)

    def batches(self, batch_size):
        """Iterator of (images, kept) in order, for evaluation: the middle of every image.

        ``images`` (B, H, W, 3) float32 are the rows ``kept`` (B,). An image that cannot be decoded
        is left out: there may be fewer than ``batch_size`` in a batch, even none.
        """
        order, starts = np.arange(len(self)), range(0, len(self), batch_size)
        places = [slice(start, min(start + batch_size, len(self))) for start in starts]
        return self.decoded(order, order, places)

    def decoded(self, labels, order, places, draws=None, replace=False):
        """Yield images (B, H, W, 3) float32 and labels (B,) int64, decoded ahead.

        ``order`` (N,) are rows, and each slice in ``places`` is a batch of them; ``labels`` (N,)
        are in the order of the rows. With ``draws``, a dict of seed and epoch, every image is
        cropped at random by them and its place in the listing; else its middle is taken.

        With ``replace``, in the place of an image that cannot be decoded comes the next in
        ``order`` that can be, with its own label: batches are whole and depend on the files and the
        arguments only, not on which broken ones were met before.
        """

        def load(place):
            """An image or None, its label, and the names of broken files."""
            lost = []
            for at in range(place, place + (len(order) if replace else 1)):
                which = order[at % len(order)]
                if (image := self.decode(self.rows[which], draws)) is not None:
                    return image, labels[which], lost
                lost.append(self.listing.names[self.rows[which]])
            if not replace:
                return None, None, lost
            raise InputError(f"{self.problems.line(lost[0])}; and so are all other training images")

        decode.prepare()
        largest = max((here.stop - here.start for here in places), default=1)
        room = AHEAD_BYTES * len(self) // max(1, self.nbytes)
        ahead = max(1, min(AHEAD * largest, room))
        every = (place for here in places for place in range(here.start, here.stop))
        with closing(prefetch(load, every, self.workers, ahead)) as loaded:
            for here in places:
                images = np.empty((here.stop - here.start, *self.shape[1:]), np.float32)
                kept, lost = [], []
                for image, label, names in islice(loaded, len(images)):
                    lost += names
                    if image is not None:
                        images[len(kept)] = image
                        kept.append(label)
                self.problems.report(lost)
                yield images[: len(kept)], np.array(kept, np.int64)

    def check_readable(self):
        """InputError unless one of the images can be decoded; stops at the first that can."""
        decode.prepare()
        names = []
        for row in self.rows:
            if self.decode(row) is not None:
                self.problems.report(names)
                return
            names.append(self.listing.names[row])
        words = f"none of the {len(names)} images of this part can be read"
        raise InputError(f"{self.problems.line(names[0])}; {words}")

    def decode(self, row, draws=None):
        """The middle of the image in a ``row`` or, by ``draws``, a ``random_crop``; else None."""
        name = self.listing.names[row]
        path = os.path.join(self.listing.root, name)
        if name in self.problems.found:
            return None
        crop = functools.partial(random_crop, index=int(row), **draws) if draws else centre_crop
        try:
            return normalise(decode.cut(decode.read(path), functools.partial(crop, size=self.size)))
        except decode.Unreadable as error:
            self.problems.found[name] = str(error)
            return None
        except MemoryError as error:
            raise InputError(f"{path}: not enough memory to decode it") from error
        except Exception as error:
            error.add_note(f"while decoding {one_line(path)}")
            raise


class Problems:
    """The images below ``root`` met that cannot be decoded, as {name: reason}; each is told once.

    ``found`` is filled by any thread (a dict's single operations are safe), ``told`` by the
    consumer's. ``tell``, if not None, is called with a line for each.
    """

    def __init__(self, root, tell):
        self.root, self.tell = root, tell
        self.found, self.told = {}, {}

    def line(self, name):
        """What is to be said of one of them."""
        return one_line(f"{self.root}/{name}: {self.found[name]}")

    def report(self, names):
        """Tell those of ``names`` that were not told yet."""
        for name in names:
            if name not in self.told:
                self.told[name] = self.found[name]
                if self.tell is not None:
                    self.tell(f"{self.line(name)}; left out")


@functools.cache
def scale_and_offset(width):
    """Per value of a row of ``width`` pixels: one long loop is much faster than many of three."""
    mean, deviation = np.array(MEAN), np.array(DEVIATION)
    scale, offset = 1 / (255 * deviation), -mean / deviation
    return tuple(np.tile(v, width).astype(np.float32) for v in (scale, offset))


def normalise(image):
    """An RGB image as (H, W, 3) float32: byte * scale + offset, each rounded."""
    pixels = np.asarray(image)
    scale, offset = scale_and_offset(pixels.shape[1])
    out = pixels.reshape(len(pixels), -1) * scale
    out += offset
    return out.reshape(pixels.shape)
