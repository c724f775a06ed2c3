"""Small picture files of many kinds, in ImageNet's layout; NumPy and Pillow only."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def smooth(rng, width, height):
    """A random picture without fine detail: JPEG changes it little."""
    small = rng.integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(picture, kind, **options):
    """The bytes of a file of this kind ("JPEG", "PNG", ...)."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def write_tree(root, files, seed=0):
    """Files by their names below ``root``, such as "train/cat/1.JPEG".

    ``files`` maps each name to its bytes, or None for a smooth random picture in RGB of random
    size, of the kind that the name's end says.
    """
    rng = np.random.default_rng(seed)
    for name, content in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            picture = smooth(rng, *(int(n) for n in rng.integers(40, 120, 2)))
            kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
            content = encoded(picture, kind)
        path.write_bytes(content)
    return Path(root)


def names(part, classes, count):
    """``count`` pictures for each class, JPEG and PNG in turns: {name: None}."""
    ends = (".JPEG", ".jpg", ".PNG")
    return {f"{part}/{c}/{i}{ends[i % 3]}": None for c in classes for i in range(count)}
