"""Picture files as a trained network takes them, for ``predict``."""

import numpy as np

from minibnn.data.folder import decode
from minibnn.data.folder.crops import centre_crop
from minibnn.data.folder.images import normalise
from minibnn.errors import InputError

MODES = {1: "L", 3: "RGB"}  # by channels


def check_channels(shape):
    """InputError unless inputs of this shape (height, width, channels) are pictures in files."""
    if len(shape) != 3 or shape[2] not in MODES:
        raise InputError(
            f"the network takes inputs of shape {shape}; picture files have a height, a width "
            "and 1 channel (grey) or 3 (red, green, blue)"
        )


def read_picture(path, shape, kind="bytes"):
    """One picture file as an input of a network.

    Parameters
    ----------
    path : path
        Of a file Pillow reads, in any mode and size.
    shape : (height, width, channels)
        With 1 channel it becomes grey, with 3 RGB.
    kind : str
        "bytes": the whole picture, turned upright as its EXIF data say and laid on white where it
        is transparent, is resized (bicubic; its proportions are not kept). "unit": the same, as
        floats in [0, 1]. "image-folder": what evaluation sees of the pictures of a folder.

    Returns
    -------
    array of ``shape``, uint8 or, but for "bytes", float32

    Raises
    ------
    InputError, naming the file, if it cannot be read or is no picture.
    """
    check_channels(shape)
    decode.prepare()
    try:
        content = decode.read(path)
        if kind == "image-folder":
            return _middle(content, shape)
        with decode.pillow_errors():
            whole = _whole(decode.open_picture(content), shape)
        return whole / np.float32(255) if kind == "unit" else whole
    except decode.Unreadable as error:
        raise InputError(f"{path}: {error}") from None
    except MemoryError:
        raise InputError(f"{path}: takes more memory than there is") from None


def _middle(content, shape):
    height, width, channels = shape
    if height != width or channels != 3:
        raise InputError(f"a network on pictures of a folder takes squares in RGB, found {shape}")
    out = np.empty(shape, np.float32)
    normalise(decode.cut(content, lambda *size: centre_crop(*size, height)), out)
    return out


def _whole(picture, shape):
    from PIL import Image, ImageOps

    height, width, channels = shape
    mode = MODES[channels]
    picture.draft(mode, (2 * width, 2 * height))  # a large JPEG is decoded smaller
    picture = _on_white(ImageOps.exif_transpose(picture))
    if picture.mode not in ("1", "L", "RGB"):  # not every mode becomes grey in one step
        picture = decode.to_rgb(picture)
    picture = picture.convert(mode)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(picture, np.uint8).reshape(shape)


def _on_white(picture):
    """The picture without transparency."""
    from PIL import Image

    if picture.mode.startswith("I") or not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture)
