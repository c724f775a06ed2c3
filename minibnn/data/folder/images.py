"""Pictures that stay in their files: looks like an array (N, H, W, 3), decodes batch by batch."""

import functools
import math
import operator

import numpy as np

from minibnn.data.folder import decode
from minibnn.data.folder.crops import centre_crop, random_crop
from minibnn.data.folder.prefetch import prefetch
from minibnn.errors import InputError, one_line

# Of red, green and blue over ImageNet's training pictures, as shares of 255: what everyone uses.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
AHEAD = 2  # batches decoded ahead, if they are not larger than AHEAD_BYTES together
AHEAD_BYTES = 1 << 30
MOST_DECODED = 1 << 30  # bytes of pictures that may be asked for as one array


class FolderImages:
    """Pictures of a folder, or some of them.

    A slice or an array of row numbers gives a part that is again only a list of files;
    ``images[i]`` and ``numpy.asarray(images[a:b])`` decode, as evaluation sees them.

    Decoded pictures are float32 with ImageNet's mean and deviation: byte b of channel c becomes
    (b / 255 - MEAN[c]) / DEVIATION[c]. The loader threads compute it, right after decoding,
    so that networks whose first layer is real get what it takes.

    Parameters
    ----------
    listing : Listing
    rows : (N,) int64
        Which of its pictures.
    size : int
        Height and width after decoding.
    workers : int
        Threads that decode; what they decode does not depend on their number.
    problems : Problems
        Where pictures that cannot be decoded are noted.
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
            raise ValueError("pictures of a folder must be decoded into a new array")
        if self.nbytes > MOST_DECODED:
            raise InputError(
                f"{len(self):,} pictures of a folder would take {self.nbytes / 2**30:,.1f} GiB "
                "decoded: they are read batch by batch, take a slice of them"
            )
        if not len(self):
            return np.empty(self.shape, dtype or self.dtype)
        ((images, kept),) = self.batches(len(self))
        if len(kept) < len(self):
            lost = np.setdiff1d(np.arange(len(self)), kept)[0]
            name = self.listing.names[self.rows[lost]]
            raise InputError(self.problems.line(self.listing, name))
        return images if dtype is None else images.astype(dtype, copy=False)

    def __repr__(self):
        height, width, channels = self.shape[1:]
        return f"<FolderImages: {len(self)} pictures {height}x{width}x{channels} in files>"

    def crc32(self, crc=0):
        """CRC-32 of the files' names and sizes; their content is not read.

        Parameters
        ----------
        crc : int
            To go on from.

        Returns
        -------
        int
        """
        return self.listing.crc32(self.rows.tolist(), crc)

    def batches(self, batch_size):
        """Batches in order, for evaluation: the middle of every picture.

        A picture that cannot be decoded is left out, so a batch may be smaller, even empty.

        Parameters
        ----------
        batch_size : int

        Returns
        -------
        iterator of (images, kept)
            (B, H, W, 3) float32, and (B,) the row numbers in ``self``.
        """

        def begin(k):
            return _Ordered(self, k * batch_size, min((k + 1) * batch_size, len(self)))

        return self._prefetch(-(-len(self) // batch_size), begin, batch_size)

    def training_batches(self, labels, order, places, seed, epoch, augment):
        """Some batches, for training.

        Parameters
        ----------
        labels : (N,) integers
        order : (N,) integers
            All rows in the order of this epoch.
        places : list of slice
            For each batch, which places of ``order`` make it.
        seed, epoch : int
        augment : bool
            Random crops, seeded per picture by (seed, epoch, its place in the listing); without,
            the middle of every picture.

        Returns
        -------
        iterator of (images, labels)
            (B, H, W, 3) float32, and (B,) integers.

        Notes
        -----
        In the place of a picture that cannot be decoded comes the next in ``order`` that can
        be, with its own label. So batches are whole and depend on the files and the arguments
        only, not on which broken ones were met before.
        """

        def begin(k):
            return _Shuffled(self, labels, order, places[k], plan)

        def plan(row):
            if not augment:
                return functools.partial(centre_crop, size=self.size)
            return functools.partial(random_crop, size=self.size, seed=seed, epoch=epoch, index=row)

        sizes = (here.stop - here.start for here in places)
        return self._prefetch(len(places), begin, max(sizes, default=1))

    def check_readable(self):
        """InputError unless one of the pictures can be decoded; stops at the first that can."""
        decode.prepare()
        out = np.empty(self.shape[1:], np.float32)
        plan = functools.partial(centre_crop, size=self.size)
        names = []
        for row in self.rows.tolist():
            if self.decode(row, plan, out) is None:
                self.problems.report(self.listing, names)
                return
            names.append(self.listing.names[row])
        raise InputError(
            f"{self.problems.line(self.listing, names[0])}; none of the {len(names)} pictures "
            f"of this part can be read"
        )

    def _prefetch(self, count, begin, batch_size):
        decode.prepare()
        room = AHEAD_BYTES // (self.nbytes // max(1, len(self)) * batch_size)
        return prefetch(count, begin, self.workers, max(1, min(AHEAD, room)))

    def decode(self, row, plan, out):
        """Decode one picture.

        Parameters
        ----------
        row : int
            In the listing.
        plan : callable (size) -> crop
            As ``decode.cut`` takes it.
        out : (H, W, 3) float32
            Where it goes.

        Returns
        -------
        str or None
            Why it cannot be decoded, if it cannot.
        """
        name = self.listing.names[row]
        if (reason := self.problems.get(name)) is not None:
            return reason
        path = self.listing.path(row)
        try:
            normalise(decode.cut(decode.read(path), plan), out)
        except decode.Unreadable as error:
            self.problems.note(name, str(error))
            return str(error)
        except MemoryError as error:
            raise InputError(f"{path}: not enough memory to decode it") from error
        except Exception as error:
            error.add_note(f"while decoding {one_line(path)}")
            raise
        return None


class Problems:
    """The pictures met that cannot be decoded; each is told once.

    Noted by any thread, told by the consumer's and in its order. A dict's single operations are
    safe between threads.

    Parameters
    ----------
    tell : callable (str), or None
        Gets one line for each.
    """

    def __init__(self, tell=None):
        self.tell = tell
        self.found = {}  # name below the folder: reason
        self.told = {}

    def get(self, name):
        return self.found.get(name)

    def note(self, name, reason):
        self.found[name] = reason

    def line(self, listing, name):
        return one_line(f"{listing.root}/{name}: {self.found[name]}")

    def report(self, listing, names):
        """Tell those of ``names`` that were not told yet."""
        for name in names:
            if name not in self.told:
                self.told[name] = self.found[name]
                if self.tell is not None:
                    self.tell(f"{self.line(listing, name)}; left out")


class _Ordered:
    """Rows ``first`` to ``last`` of the pictures, for evaluation."""

    def __init__(self, images, first, last):
        self.source, self.first, self.tasks = images, first, last - first
        self.images = np.empty((self.tasks, *images.shape[1:]), np.float32)
        self.good = np.zeros(self.tasks, bool)
        self.plan = functools.partial(centre_crop, size=images.size)

    def run(self, i):
        row = int(self.source.rows[self.first + i])
        self.good[i] = self.source.decode(row, self.plan, self.images[i]) is None

    def result(self):
        kept = np.arange(self.first, self.first + self.tasks)
        if self.good.all():
            return self.images, kept
        listing = self.source.listing
        lost = self.source.rows[kept[~self.good]]
        self.source.problems.report(listing, [listing.names[row] for row in lost])
        return self.images[self.good], kept[self.good]


class _Shuffled:
    """Places ``here`` of an epoch's order, for training."""

    def __init__(self, images, labels, order, here, plan):
        self.source, self.all_labels, self.order, self.plan = images, labels, order, plan
        self.first, self.tasks = here.start, here.stop - here.start
        self.images = np.empty((self.tasks, *images.shape[1:]), np.float32)
        self.labels = np.empty(self.tasks, np.int64)
        self.lost = [()] * self.tasks  # names passed over at each place

    def run(self, i):
        lost = []
        for place in range(self.first + i, self.first + i + len(self.order)):
            which = self.order[place % len(self.order)]
            row = int(self.source.rows[which])
            if self.source.decode(row, self.plan(row), self.images[i]) is None:
                self.labels[i] = self.all_labels[which]
                self.lost[i] = lost
                return
            lost.append(self.source.listing.names[row])
        raise InputError(
            f"{self.source.problems.line(self.source.listing, lost[0])}; "
            "and so are all other training pictures"
        )

    def result(self):
        names = [name for lost in self.lost for name in lost]
        self.source.problems.report(self.source.listing, names)
        return self.images, self.labels


@functools.cache
def _scale_and_offset(width):
    """Per value of a row of ``width`` pixels: one long loop is much faster than many of three."""
    mean, deviation = np.array(MEAN), np.array(DEVIATION)
    scale, offset = 1 / (255 * deviation), -mean / deviation
    return tuple(np.tile(v, width).astype(np.float32) for v in (scale, offset))


def normalise(picture, out):
    """An RGB picture into ``out`` (H, W, 3) float32: byte * scale + offset, each rounded."""
    height, width, _ = out.shape
    scale, offset = _scale_and_offset(width)
    out = out.reshape(height, 3 * width)  # a view: batches are contiguous
    np.multiply(np.asarray(picture).reshape(out.shape), scale, out=out)
    np.add(out, offset, out=out)
