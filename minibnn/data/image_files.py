"""Image files as a trained network takes them, for ``predict``."""

from contextlib import suppress

import numpy as np

from minibnn.data.folder import decode
from minibnn.data.folder.crops import centre_crop
from minibnn.data.folder.images import normalise
from minibnn.errors import InputError

MODES = {1: "L", 3: "RGB"}  # by channels


def check_channels(shape):
    """InputError unless inputs of this shape (height, width, channels) are images in files."""
    if len(shape) != 3 or shape[2] not in MODES:
        takes = f"the network takes inputs of shape {shape}"
        raise InputError(f"{takes}; image files have height, width and 1 or 3 channels")


def read_image(path, shape, kind="bytes", square=False):
    """One image file, as ``decode.open_image`` takes it, as an input of a network.

    ``shape`` is (height, width, channels): with 1 channel the image becomes grey, with 3 RGB. The
    whole image, or with ``square`` the largest square in its middle, turned upright as its EXIF
    data say and laid on white where it is transparent, is resized (bicubic). Of ``kind`` "bytes" it
    is uint8, of "unit" float32 in [0, 1]; "image-folder" gives what evaluation sees of the images
    of a folder. InputError names the file if it cannot be read or is no image.
    """
    decode.prepare()
    try:
        content = decode.read(path)
        if kind == "image-folder":
            if shape != (shape[0], shape[0], 3):
                raise InputError(f"images of a folder are RGB squares, found {shape}")
            return normalise(decode.cut(content, lambda *size: centre_crop(*size, shape[0])))
        whole = _whole(decode.open_image(content), shape, square)
        return whole / np.float32(255) if kind == "unit" else whole
    except decode.Unreadable as error:
        raise InputError(f"{path}: {error}") from None
    except MemoryError:
        raise InputError(f"{path}: takes more memory than there is") from None


@decode.pillow_errors()
def _whole(image, shape, square):
    from PIL import Image, ImageOps

    height, width, channels = shape
    mode = MODES[channels]
    image.draft(mode, (2 * width, 2 * height))  # a large JPEG is decoded smaller
    image.load()
    with suppress(Exception):  # odd EXIF data are no damage
        ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data and not image.mode.startswith("I"):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    if image.mode not in ("1", "L", "RGB"):  # not every mode becomes grey in one step
        image = decode.to_rgb(image)
    image = image.convert(mode)
    if square:
        side = min(image.size)
        left, top = ((size - side) // 2 for size in image.size)
        image = image.crop((left, top, left + side, top + side))
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(image, np.uint8).reshape(shape)
