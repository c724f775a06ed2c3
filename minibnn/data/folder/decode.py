"""Bytes of an image file to an image in RGB, whatever its format and mode.

Only serial code that lets other threads run while it decodes: this is what loader threads do.
"""

import contextlib
import io
import os
import warnings

import numpy as np

from minibnn.errors import InputError

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # a name may lie about it
MOST_BYTES = 1 << 28  # of a file
MOST_PIXELS = 1 << 26  # 192 MB in RGB; ImageNet's largest have under a third of that
MOST_ASPECT = 100  # a narrower one becomes huge when its shorter side is enlarged
GAP = 2  # a JPEG may be decoded smaller if this many times the pixels wanted are left


class Unreadable(Exception):
    """These bytes, whatever is cut out of them and wherever, are no whole image; says why."""


def prepare():
    """To be called from one thread, before others decode."""
    from PIL import Image

    Image.init()  # reads Pillow's modules, which is not for several threads at once
    # Pillow warns of odd EXIF data, say: how a program treats warnings must not decide what is an
    # image, and threads cannot turn them off for themselves.
    warnings.filterwarnings("ignore", module=r"PIL\.")


def read(path):
    """The content of a file; InputError, naming it, if it cannot be had."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise Unreadable(f"a file of more than {MOST_BYTES >> 20} MiB")
            return file.read(-1 if os.path.isfile(path) else MOST_BYTES)  # a device may not end
    except (OSError, ValueError) as error:  # a name with a NUL is no path
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"{str(path) or repr('')}: cannot be read ({reason})") from error


@contextlib.contextmanager
def pillow_errors():
    """Whatever Pillow raises means that the image is damaged, but for a lack of memory."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except (Unreadable, MemoryError):
        raise
    except UnidentifiedImageError as error:  # its text holds an address in memory
        raise Unreadable("not an image of a known format") from error
    except Exception as error:  # decoders fail in many ways
        text = " ".join(str(error).split()) or type(error).__name__
        raise Unreadable(f"damaged: {text}"[:200]) from error


def cut(content, plan):
    """A part of the image in a file's ``content``, resized (bicubic): a PIL.Image.Image in RGB.

    ``plan(width, height)`` gives the Crop to take of an image of this size. Where at least ``GAP``
    times the pixels wanted are left in both directions, a JPEG is decoded at 1/2, 1/4 or 1/8 of its
    size, in a fraction of the time; that changes photographs by less than 1 of 255 in the mean.
    """
    image = open_image(content)
    return _take(image, plan(*image.size))


@pillow_errors()
def open_image(content):
    """The image, nothing but its header read yet."""
    from PIL import Image

    known = [kind for kind in FORMATS if kind in Image.OPEN]  # Pillow may be built without some
    image = Image.open(io.BytesIO(content), formats=known)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Unreadable(f"{width}x{height} is more than {MOST_PIXELS:,} pixels")
    if max(width, height) > MOST_ASPECT * min(width, height):
        raise Unreadable(f"{width}x{height} is too narrow")
    return image


@pillow_errors()
def _take(image, crop):
    """What ``crop`` describes, in RGB."""
    from PIL import Image

    box, (width, height) = crop.box, image.size
    reduce = min((box[2] - box[0]) // crop.resized[0], (box[3] - box[1]) // crop.resized[1])
    reduce //= GAP
    if reduce >= 2:
        drafted = image.draft(None, (width // reduce, height // reduce))
        if drafted is not None:  # a JPEG
            factor = width / drafted[1][2]
            box = tuple(side / factor for side in box)
    image = to_rgb(image).resize(crop.resized, Image.Resampling.BICUBIC, box=box)
    image = image.crop(crop.window)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.mirror else image


def to_rgb(image):
    """The image in mode RGB, decoded; EXIF data turn TIFF only (Pillow does), as elsewhere.

    Grey is repeated, of 16 bits the upper 8 are kept, CMYK is converted without a profile,
    transparency is dropped (the colours below it stay), of several frames the first is taken.
    """
    from PIL import Image

    if image.mode.startswith("I"):  # I;16 and its kin, and I as some files of 16 bits are read
        grey = np.clip(np.asarray(image), 0, 0xFFFF) >> 8
        image = Image.fromarray(grey.astype(np.uint8))
    elif image.mode == "F":
        raise Unreadable("pixels are floating-point numbers")
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
