"""Where a window lies on an image: strides, padding and output sizes, shared by both backends."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from minibnn.errors import InputError, integer, one_of

PADDINGS = ("same", "valid")


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a kernel, or of a pool, on an image; pairs are (height, width)."""

    image: tuple
    kernel: tuple
    strides: tuple
    output: tuple  # how many windows there are
    top: int  # rows and columns of padding; with ``same`` the odd one is at the bottom and right
    bottom: int
    left: int
    right: int
    padded: tuple  # height and width of the padded image
    borders: tuple  # what ``numpy.pad`` is to add to NHWC images
    inside: tuple  # the two slices that cut the image out of the padded image

    @property
    @lru_cache(maxsize=256)  # noqa: B019  as few as ``windows`` keeps
    def taps(self):
        """Per kernel entry, row by row: (i, j) and the pixels it meets in the padded image.

        A list of ((i, j), (rows, columns)), two slices of ``output`` many rows and columns.
        """
        rows, columns = (
            [slice(k, k + (count - 1) * stride + 1, stride) for k in range(size)]
            for size, count, stride in zip(self.kernel, self.output, self.strides, strict=True)
        )
        return [((i, j), (rows[i], columns[j])) for i, j in product(*map(range, self.kernel))]


@lru_cache(maxsize=256)
def windows(image, kernel, strides, padding):
    """The Windows of a kernel on an image; all (height, width).

    ``valid`` keeps to the image; ``same`` makes ceil(image / stride) windows (TensorFlow's rule).
    Raises InputError if a kernel without padding does not fit.
    """
    one_of(padding, "padding", PADDINGS)
    sizes = [_along(*axis, padding) for axis in zip(image, kernel, strides, strict=True)]
    (rows, top, bottom), (columns, left, right) = sizes
    if rows < 1 or columns < 1:
        words = f"an image of at least that size, found {image[0]}x{image[1]}"
        raise InputError(f"a window of {kernel[0]}x{kernel[1]} without padding needs {words}")
    return Windows(
        image, kernel, strides, (rows, columns), top, bottom, left, right,
        padded=(image[0] + top + bottom, image[1] + left + right),
        borders=((0, 0), (top, bottom), (left, right), (0, 0)),
        inside=(slice(top, top + image[0]), slice(left, left + image[1])),
    )  # fmt: skip


def _along(size, kernel, stride, padding):
    """Number of windows along one axis, and the padding before and after."""
    if padding == "valid":
        return (size - kernel) // stride + 1, 0, 0
    count = -(-size // stride)
    total = max((count - 1) * stride + kernel - size, 0)
    return count, total // 2, total - total // 2


def pair(value, name):
    """(height, width) from one positive int or two; InputError names the argument ``name``."""
    try:
        values = tuple(value) if hasattr(value, "__len__") else (value, value)
        first, second = (integer(one, name, low=1) for one in values)
        return first, second
    except (TypeError, ValueError):
        raise InputError(f"{name} must be one or two positive integers, found {value!r}") from None
