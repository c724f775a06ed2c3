"""Where a window lies on an image: strides, padding and output sizes, shared by both backends."""

from dataclasses import dataclass
from functools import lru_cache
from operator import index

from minibnn.errors import InputError

PADDINGS = ("same", "valid")


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a kernel, or of a pool, on an image.

    Attributes
    ----------
    image, kernel, strides, output : (int, int)
        Height and width of the image, the kernel, its steps, and the number of windows.
    top, bottom, left, right : int
        Rows and columns of padding; with ``same`` the odd one is at the bottom and right.
    """

    image: tuple
    kernel: tuple
    strides: tuple
    output: tuple
    top: int
    bottom: int
    left: int
    right: int

    @property
    def padded(self):
        """Height and width of the padded image."""
        return self.image[0] + self.top + self.bottom, self.image[1] + self.left + self.right

    def taps(self):
        """Per kernel entry, row by row: (i, j) and the pixels it meets in the padded image.

        Yields ((i, j), (rows, columns)), two slices of ``output`` many rows and columns.
        """
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                yield (
                    (i, j),
                    (
                        slice(i, i + (self.output[0] - 1) * self.strides[0] + 1, self.strides[0]),
                        slice(j, j + (self.output[1] - 1) * self.strides[1] + 1, self.strides[1]),
                    ),
                )

    def inside(self):
        """The two slices that cut the image out of the padded image."""
        return (
            slice(self.top, self.top + self.image[0]),
            slice(self.left, self.left + self.image[1]),
        )


@lru_cache(maxsize=256)
def windows(image, kernel, strides, padding):
    """The Windows of a kernel on an image; all (height, width).

    ``valid`` keeps to the image; ``same`` makes ceil(image / stride) windows (TensorFlow's rule).
    Raises InputError if a kernel without padding does not fit.
    """
    check_padding(padding)
    sizes = [_along(*axis, padding) for axis in zip(image, kernel, strides, strict=True)]
    (rows, top, bottom), (columns, left, right) = sizes
    if rows < 1 or columns < 1:
        raise InputError(
            f"a window of {kernel[0]}x{kernel[1]} without padding needs an image of at least "
            f"that size, found {image[0]}x{image[1]}"
        )
    return Windows(image, kernel, strides, (rows, columns), top, bottom, left, right)


def _along(size, kernel, stride, padding):
    """Number of windows along one axis, and the padding before and after."""
    if padding == "valid":
        return (size - kernel) // stride + 1, 0, 0
    count = -(-size // stride)
    total = max((count - 1) * stride + kernel - size, 0)
    return count, total // 2, total - total // 2


def check_padding(padding):
    """``padding`` itself, or InputError if it is neither ``same`` nor ``valid``."""
    if padding not in PADDINGS:
        raise InputError(f"padding must be one of {', '.join(PADDINGS)}, found {padding!r}")
    return padding


def pair(value, name):
    """(height, width) from one positive int or two; InputError names the argument ``name``."""
    try:
        values = (value, value) if not hasattr(value, "__len__") else tuple(value)
        values = tuple(index(v) for v in values)
        if len(values) == 2 and min(values) >= 1:
            return values
    except TypeError:
        pass
    raise InputError(f"{name} must be one or two positive whole numbers, found {value!r}")
