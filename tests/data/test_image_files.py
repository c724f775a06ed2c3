"""Image files as inputs: every mode, any size, and what is no image."""

import numpy as np
import pytest
from image_files import encoded
from numpy.testing import assert_array_equal
from PIL import Image

from minibnn.data.folder import decode
from minibnn.data.folder.crops import centre_crop
from minibnn.data.image_files import check_channels, read_image
from minibnn.errors import InputError

RED = np.array([200, 20, 20])


def write(path, image, kind="PNG", **options):
    path.write_bytes(encoded(image, kind, **options))
    return path


def colour(mode):
    image = Image.new("RGB", (9, 7), tuple(RED.tolist()))
    return image.quantize(4) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "PNG"), ("P", "PNG"), ("RGBA", "PNG"), ("P", "GIF"), ("CMYK", "TIFF"),
        ("CMYK", "JPEG"), ("YCbCr", "JPEG"), ("LAB", "TIFF"), ("RGB", "BMP"), ("RGB", "WEBP"),
        ("RGB", "PPM"),
    ],
)  # fmt: skip
def test_colours_in_every_mode(tmp_path, mode, kind):
    path = write(tmp_path / "a", colour(mode), kind)
    x = read_image(path, (4, 5, 3))
    assert x.shape == (4, 5, 3)
    assert x.dtype == np.uint8
    assert np.abs(x.astype(int) - RED).max() <= 4
    grey = read_image(path, (4, 5, 1))
    assert grey.shape == (4, 5, 1)
    assert np.abs(grey.astype(int) - 74).max() <= 4  # 0.299 R + 0.587 G + 0.114 B


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I"])
def test_grey_in_every_mode(tmp_path, mode):
    """Of 16 bits the upper 8; repeated for a network on RGB."""
    level = 255 if mode == "1" else 200
    if mode.startswith("I"):
        numbers = np.full((7, 9), 200 * 256 + 77, np.uint16 if mode == "I;16" else np.int32)
        image = Image.fromarray(numbers)
    else:
        image = Image.new("L", (9, 7), level).convert(mode)
    path = write(tmp_path / "a", image, "TIFF" if mode == "I" else "PNG")
    assert_array_equal(read_image(path, (4, 5, 1)), np.full((4, 5, 1), level))
    assert_array_equal(read_image(path, (4, 5, 3)), np.full((4, 5, 3), level))


def test_a_image_of_the_right_size_is_taken_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    path = write(tmp_path / "a.png", Image.fromarray(pixels))
    assert_array_equal(read_image(str(path), (8, 6, 3)), pixels)
    path = write(tmp_path / "b.png", Image.fromarray(pixels[..., 0]))
    assert_array_equal(read_image(path, (8, 6, 1)), pixels[..., :1])


def test_the_whole_image_is_resized(tmp_path):
    """Twice as wide as high: each half keeps its place, nothing is cut off."""
    pixels = np.zeros((50, 100), np.uint8)
    pixels[:, 50:] = 255
    x = read_image(write(tmp_path / "a.png", Image.fromarray(pixels)), (8, 8, 1))[..., 0]
    assert (x[:, :3] < 10).all()
    assert (x[:, 5:] > 245).all()
    large = np.repeat(np.repeat(pixels, 8, 0), 8, 1)  # is decoded smaller
    x = read_image(write(tmp_path / "a.jpg", Image.fromarray(large), "JPEG"), (8, 8, 3))
    assert (x[:, :3] < 10).all()
    assert (x[:, 5:] > 245).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_what_is_transparent_is_white(tmp_path, mode):
    alpha = np.zeros((8, 8, 4), np.uint8)  # black, the upper half transparent
    alpha[4:, :, 3] = 255
    image, options = Image.fromarray(alpha).convert(mode), {}
    if mode == "P":
        image = Image.fromarray((alpha[..., 3] // 255), "P")
        image.putpalette([0, 0, 0, 0, 0, 0])
        options = {"transparency": 0}
    if mode == "RGB":  # one colour stands for transparent
        alpha[4:, :, :3] = 1
        image, options = Image.fromarray(alpha[..., :3]), {"transparency": (0, 0, 0)}
    path = write(tmp_path / "a.png", image, **options)
    for channels in (1, 3):
        x = read_image(path, (8, 8, channels))
        assert (x[:4] == 255).all()
        assert (x[4:] <= 1).all()


def test_photographs_stand_upright(tmp_path):
    pixels = np.zeros((32, 16), np.uint8)
    pixels[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    x = read_image(write(tmp_path / "a.jpg", Image.fromarray(pixels), "JPEG", exif=exif), (8, 8, 1))
    assert (x[:3] < 10).all()
    assert (x[5:] > 245).all()
    odd = write(tmp_path / "b.png", Image.fromarray(pixels), "PNG", exif=b"garbage")
    assert read_image(odd, (8, 8, 1))[0, 0] == 255  # odd EXIF data are no damage


def test_for_networks_on_image_folders(tmp_path):
    """What evaluation sees: the middle, with ImageNet's mean and deviation."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path = write(tmp_path / "a.png", Image.fromarray(pixels))
    x = read_image(path, (28, 28, 3), "image-folder")
    assert x.dtype == np.float32
    crop = decode.cut(path.read_bytes(), lambda *size: centre_crop(*size, 28))
    expected = np.asarray(crop) / 255 - np.array([0.485, 0.456, 0.406])
    np.testing.assert_allclose(x, expected / [0.229, 0.224, 0.225], rtol=0, atol=5e-7)
    with pytest.raises(InputError, match="are RGB squares"):
        read_image(path, (28, 30, 3), "image-folder")


def test_what_is_no_image(tmp_path, monkeypatch):
    path = write(tmp_path / "a.png", Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF")
    with pytest.raises(InputError, match=r"a\.png: pixels are floating-point"):
        read_image(path, (8, 8, 1))
    write(path, Image.new("1", (9000, 9000)))
    with pytest.raises(InputError, match=r"a\.png: .*pixels"):
        read_image(path, (8, 8, 1))
    monkeypatch.setattr(decode, "MOST_BYTES", 9000)
    with pytest.raises(InputError, match="zero: not an image of a known format"):
        read_image("/dev/zero", (8, 8, 1))


@pytest.mark.parametrize("shape", [(8, 8, 2), (8, 8, 4), (64,)])
def test_inputs_that_are_no_images(shape):
    with pytest.raises(InputError, match="image files have height, width and 1 or 3 channels"):
        check_channels(shape)
