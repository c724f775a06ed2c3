"""Image files, damaged: as inputs of ``predict`` and in an image folder."""

import io

import numpy as np
import pytest
from damaged import edited
from hypothesis import strategies as st

from minibnn import data
from minibnn.data.image_files import read_image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


@pytest.fixture(scope="module")
def images():
    """Files of 12x10 pixels in every format and some modes."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)
    found = []
    for kind in FORMATS:
        for mode in ("RGB", "L", "P", "RGBA", "1"):
            file = io.BytesIO()
            try:
                Image.fromarray(noise).convert(mode).save(file, kind)
            except (OSError, ValueError, KeyError):  # not in this format
                continue
            found.append(file.getvalue())
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", exif=exif, progressive=True)
    return [*found, file.getvalue()]


def declared(content):
    """Bytes of the pixels a file declares, if it says."""
    from PIL import Image

    try:
        width, height = Image.open(io.BytesIO(content), formats=FORMATS).size
    except Exception:
        return 0
    return 8 * min(width * height, 1 << 26)


def test_images(fuzz, reads, images, tmp_path):
    path = tmp_path / "a.png"
    for content in images:
        path.write_bytes(content)
        read_image(path, (8, 8, 3))

    def attempt(case):
        path.write_bytes(case)
        size = len(case) + declared(case)
        for shape, kind in (
            ((8, 8, 3), "bytes"),
            ((4, 6, 1), "bytes"),
            ((8, 8, 3), "image-folder"),
        ):
            found = reads(lambda: read_image(path, shape, kind), size)  # noqa: B023
            if found is not None:
                assert found.shape == shape and np.isfinite(found).all()

    fuzz(st.sampled_from(images).flatmap(edited) | st.binary(max_size=100), attempt)


def test_image_folders(fuzz, reads, images, tmp_path):
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "0.png").write_bytes(images[0])
    path = tmp_path / "train" / "a" / "0.png"
    data.load("image-folder", tmp_path, image_size=8, workers=1, progress=False)

    def attempt(case):
        path.write_bytes(case)

        def read():
            found = data.load("image-folder", tmp_path, image_size=8, workers=1, progress=False)
            return next(iter(found.train_images.batches(2)))[0]

        found = reads(read, len(case) + declared(case) + 10**5)
        if found is not None:
            assert found.shape[1:] == (8, 8, 3) and np.isfinite(found).all()

    fuzz(st.sampled_from(images).flatmap(edited) | st.binary(max_size=100), attempt)
