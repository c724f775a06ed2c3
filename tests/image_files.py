"""Small image files of many kinds, in ImageNet's layout; NumPy and Pillow only."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def smooth(rng, width, height):
    """A random image without fine detail: JPEG changes it little."""
    small = rng.integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image, kind, **options):
    """The bytes of a file of this kind ("JPEG", "PNG", ...)."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_tree(root, files, seed=0):
    """Files by their names below ``root``, such as "train/cat/1.JPEG".

    ``files`` maps each name to its bytes, or None for a smooth random image in RGB of random
    size, of the kind that the name's end says.
    """
    rng = np.random.default_rng(seed)
    for name, content in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            image = smooth(rng, *(int(n) for n in rng.integers(40, 120, 2)))
            kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
            content = encoded(image, kind)
        path.write_bytes(content)
    return Path(root)


def names(part, classes, count):
    """``count`` images for each class, JPEG and PNG in turns: {name: None}."""
    ends = (".JPEG", ".jpg", ".PNG")
    return {f"{part}/{c}/{i}{ends[i % 3]}": None for c in classes for i in range(count)}


def write_enlarged(root, parts, classes, side=224):
    """Small images enlarged to ``side``, a quarter wider, in several formats: an image folder.

    ``parts`` is {"train": (images, labels), "val": ...} with bytes (N, H, W, 3). Of every ten
    images one is grey, one CMYK, one a PNG of 16 bits (grey), one a PNG with a palette and one a
    PNG with transparency; the others are ordinary JPEGs. The first class has a broken one more.
    """
    kinds = {  # by the image's number modulo 10
        1: lambda image: (encoded(image.convert("L"), "JPEG"), "jpg"),
        3: lambda image: (encoded(image.convert("CMYK"), "JPEG"), "JPEG"),
        5: lambda image: (encoded(_deep(image), "PNG"), "png"),
        7: lambda image: (encoded(image.quantize(256), "PNG"), "PNG"),
        9: lambda image: (encoded(image.convert("RGBA"), "PNG"), "png"),
    }
    files = {}
    for part, (images, labels) in parts.items():
        for n, (image, label) in enumerate(zip(images, labels, strict=True)):
            image = Image.fromarray(image)
            image = image.resize((side + side // 4, side), Image.Resampling.BICUBIC)
            ordinary = (encoded(image, "JPEG", quality=92), "JPEG")
            content, end = kinds[n % 10](image) if n % 10 in kinds else ordinary
            files[f"{part}/{classes[label]}/{n:05}.{end}"] = content
    broken = encoded(Image.new("RGB", (side, side)), "JPEG")
    files[f"train/{classes[0]}/broken.JPEG"] = broken[: len(broken) // 2]
    return write_tree(root, files)


def _deep(image):
    """Grey of 16 bits."""
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
