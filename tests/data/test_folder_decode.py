"""From bytes to RGB: formats and modes, what is broken, how large, and the crops' pixels."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import encoded, smooth
from numpy.testing import assert_array_equal
from PIL import Image

from minibnn.data.folder import decode
from minibnn.data.folder.crops import Crop, centre_crop

RGB = smooth(np.random.default_rng(0), 60, 50)
BICUBIC = Image.Resampling.BICUBIC
decode.prepare()


def whole(width, height):
    return Crop((0, 0, width, height), (width, height), (0, 0, width, height))


def pixels(content, plan=whole):
    image = decode.cut(content, plan)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_modes_become_rgb():
    exact = np.asarray(RGB)
    assert_array_equal(pixels(encoded(RGB, "PNG")), exact)
    grey = RGB.convert("L")
    assert_array_equal(pixels(encoded(grey, "PNG")), np.asarray(grey)[..., None].repeat(3, 2))
    assert_array_equal(pixels(encoded(grey, "JPEG")).std(axis=2), 0)
    palette = RGB.quantize(16)
    colours = np.asarray(palette.convert("RGB"))
    assert_array_equal(pixels(encoded(palette, "PNG")), colours)
    assert_array_equal(pixels(encoded(palette, "GIF")), colours)
    bits = RGB.convert("1")
    assert_array_equal(pixels(encoded(bits, "PNG"))[..., 0], np.asarray(bits) * 255)


def test_transparency_is_dropped():
    clear = RGB.copy()
    clear.putalpha(Image.linear_gradient("L").resize(RGB.size))
    for kind in ("PNG", "TIFF"):
        assert_array_equal(pixels(encoded(clear, kind)), np.asarray(RGB))
    grey = RGB.convert("LA")
    assert_array_equal(pixels(encoded(grey, "PNG"))[..., 1], np.asarray(grey)[..., 0])
    palette = RGB.quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    for transparency in (3, bytes(range(0, 160, 10))):
        content = encoded(palette, "PNG", transparency=transparency)
        assert_array_equal(pixels(content), expected)


def test_of_16_bits_the_upper_8_are_kept():
    values = (np.arange(50 * 60).reshape(50, 60) * 21).astype(np.uint16)
    assert values.max() > 60_000
    for kind in ("PNG", "TIFF"):
        got = pixels(encoded(Image.fromarray(values), kind))
        assert_array_equal(got, (values >> 8)[..., None].repeat(3, 2))
    wide = Image.fromarray(values.astype(np.int32) * 2 - 100)  # 32 bits, beyond 16 on both sides
    expected = np.clip(values.astype(int) * 2 - 100, 0, 0xFFFF) >> 8
    assert_array_equal(pixels(encoded(wide, "TIFF"))[..., 0], expected)


def test_16_bits_of_colour_too():
    values = np.arange(4 * 5 * 3, dtype=np.uint16).reshape(4, 5, 3) * 1000
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)
    assert_array_equal(pixels(png(header, rows)), values >> 8)


def png(header, rows):
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        crc = zlib.crc32(kind + data)
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
    return content


def test_of_an_animation_the_first_frame_is_taken():
    other = Image.new("RGB", RGB.size, "red")
    content = encoded(other, "GIF", save_all=True, append_images=[RGB])
    assert_array_equal(pixels(content), np.asarray(other))


GOOD = encoded(RGB, "JPEG")
NARROW = encoded(Image.new("L", (1, 101)), "PNG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image of a known format"),
        (b"<html>404</html>", "not an image of a known format"),
        (GOOD[: len(GOOD) // 2], "damaged: .*[Tt]runcated"),
        (encoded(RGB, "PNG")[:-60], "damaged: .*[Tt]runcated"),
        (encoded(RGB, "PNG").replace(b"IDAT", b"IDOT"), "damaged|not an image"),
        (encoded(RGB, "TIFF")[:200], "damaged|not an image"),
        (GOOD[:20] + bytes(500), "damaged|not an image"),
        (encoded(Image.fromarray(np.zeros((5, 5), np.float32)), "TIFF"), "floating-point"),
        (NARROW, "1x101 is too narrow"),
    ],
)
def test_what_is_no_whole_image_is_refused_with_a_reason(content, reason):
    with pytest.raises(decode.Unreadable, match=reason) as caught:
        decode.cut(content, whole)
    assert "\n" not in str(caught.value) and "0x" not in str(caught.value)


SMALL = RGB.resize((20, 16))
FILES = {
    "JPEG": encoded(SMALL, "JPEG"),
    "progressive JPEG": encoded(SMALL, "JPEG", progressive=True),
    "CMYK": encoded(SMALL.convert("CMYK"), "JPEG"),
    "PNG": encoded(SMALL, "PNG"),
    "palette": encoded(SMALL.quantize(8), "PNG", transparency=2),
    "GIF": encoded(SMALL, "GIF"),
    "TIFF": encoded(SMALL, "TIFF", compression="tiff_lzw"),
    "WEBP": encoded(SMALL, "WEBP"),
    "BMP": encoded(SMALL, "BMP"),
    "PPM": encoded(SMALL, "PPM"),
}


@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
)
def test_damaged_files_give_an_image_or_a_reason(kind, changes, length):
    content = bytearray(FILES[kind])
    for place, byte in changes:
        content[int(place * len(content))] = byte
    content = bytes(content[: 1 + int(2 * length * len(content))])  # half of them whole
    decode.prepare()
    try:
        image = decode.cut(content, lambda w, h: centre_crop(w, h, 8))
        reason = None
        assert (image.mode, image.size) == ("RGB", (8, 8))
    except decode.Unreadable as error:
        reason = str(error)
    try:  # the same whatever is cut out of it, also where a JPEG is decoded smaller
        decode.cut(content, lambda w, h: Crop((0, 0, w, h), (2, 2), (0, 0, 2, 2)))
        assert reason is None
    except decode.Unreadable as error:
        assert str(error) == reason


@pytest.mark.parametrize("side", [8200, 11_000, 20_000])  # Pillow warns from 89, raises from 178 MP
def test_a_bomb_is_refused_before_it_is_decoded_and_without_a_warning(side):
    # The header is all there is: anything that decodes would call it damaged.
    bomb = png(struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"")
    with warnings.catch_warnings(record=True) as seen, pytest.raises(decode.Unreadable) as caught:
        warnings.simplefilter("always")
        decode.prepare()
        decode.cut(bomb, whole)
    assert not seen
    assert "is more than" in str(caught.value) or "exceeds limit" in str(caught.value)


def test_warnings_as_errors_do_not_change_what_is_an_image():
    """Odd EXIF data, as some of ImageNet's files have: Pillow warns and goes on."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x1a\x01\x05\0\x01\0\0\0\xff\xff\0\0"
    content = GOOD[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + GOOD[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode.prepare()
        assert_array_equal(pixels(content), pixels(GOOD))


def test_a_large_file_is_no_image(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "MOST_BYTES", 100)
    (tmp_path / "large.jpg").write_bytes(bytes(101))
    with pytest.raises(decode.Unreadable, match="a file of more than"):
        decode.read(tmp_path / "large.jpg")


def test_the_middle_is_what_pillow_makes_of_it_by_hand():
    image = smooth(np.random.default_rng(1), 500, 375)
    by_hand = image.resize((341, 256), BICUBIC).crop((58, 16, 58 + 224, 16 + 224))
    got = pixels(encoded(image, "PNG"), lambda w, h: centre_crop(w, h, 224))
    assert_array_equal(got, np.asarray(by_hand))


def test_a_random_crop_is_what_pillow_makes_of_it_by_hand():
    image = smooth(np.random.default_rng(2), 300, 200)
    box = (30, 20, 230, 170)
    by_hand = image.crop(box).resize((64, 64), BICUBIC)
    content = encoded(image, "PNG")
    for mirror in (False, True):
        crop = Crop(box, (64, 64), (0, 0, 64, 64), mirror)
        got = pixels(content, lambda w, h, crop=crop: crop).astype(int)
        expected = np.asarray(by_hand)[:, ::-1] if mirror else np.asarray(by_hand)
        # At the crop's edge Pillow sees pixels beyond it here; inside there is no difference.
        assert_array_equal(got[6:-6, 6:-6], expected[6:-6, 6:-6])
        assert np.abs(got - expected).max() < 40


def test_a_large_jpeg_is_decoded_smaller_and_differs_little(monkeypatch):
    rng = np.random.default_rng(3)
    fine = rng.integers(-20, 20, (640, 800, 3)) + np.asarray(smooth(rng, 800, 640))
    image = Image.fromarray(fine.clip(0, 255).astype(np.uint8))
    content = encoded(image, "JPEG", quality=92)
    drafts = []
    jpeg = Image.open(io.BytesIO(content))
    draft = type(jpeg).draft

    def spy(self, mode, size):
        answer = draft(self, mode, size)
        drafts.append(self.size)
        return answer

    monkeypatch.setattr(type(jpeg), "draft", spy)
    box = (101, 53, 777, 613)
    for size, decoded in ((64, (200, 160)), (130, (400, 320)), (300, None)):
        drafts.clear()
        crop = Crop(box, (size, size), (0, 0, size, size))
        got = pixels(content, lambda w, h, crop=crop: crop).astype(int)
        assert drafts == ([decoded] if decoded else [])
        full = Image.open(io.BytesIO(content)).resize((size, size), BICUBIC, box)
        difference = np.abs(got - np.asarray(full))
        assert difference.mean() < 1 and difference.max() < 20
        if decoded is None:
            assert not difference.any()
