import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from picture_files import names, write_tree

from minibnn import InputError
from minibnn.data import load
from minibnn.data.folder.listing import list_pictures

GOOD = names("train", "ab", 2) | names("val", "ab", 1)


def test_folders_are_classes_and_names_are_sorted(tmp_path):
    files = dict.fromkeys(
        (
            "train/n02/b.JPEG",
            "train/n02/a.jpeg",
            "train/n01/x.PnG",
            "val/n02/1.jpg",
            "val/n01/1.jpg",
        )
    )
    left_alone = dict.fromkeys(
        (
            "train/n01/notes.txt",
            "train/n01/.hidden.jpg",
            "train/n01/deeper/y.jpg",
            "train/.DS_Store/z.jpg",
            "train/README.md",
            "other/n01/1.jpg",
        ),
        b"?",
    )
    train, val = list_pictures(write_tree(tmp_path, files | left_alone))
    assert train.classes == val.classes == ("n01", "n02")
    assert train.names == ["train/n01/x.PnG", "train/n02/a.jpeg", "train/n02/b.JPEG"]
    assert_array_equal(train.labels, [0, 1, 1])
    assert_array_equal(val.labels, [0, 1])
    assert train.sizes.tolist() == [(tmp_path / name).stat().st_size for name in train.names]


def test_links_to_folders_and_files_count(tmp_path):
    write_tree(tmp_path / "real", names("train", "a", 2) | names("val", "a", 1))
    (tmp_path / "seen").mkdir()
    for part in ("train", "val"):
        (tmp_path / "seen" / part).symlink_to(tmp_path / "real" / part)
    assert len(list_pictures(tmp_path / "seen")[0].names) == 2


def test_the_checksum_is_of_names_and_sizes(tmp_path):
    train, _ = list_pictures(write_tree(tmp_path, GOOD))
    text = "".join(f"{name}\0{(tmp_path / name).stat().st_size}\n" for name in train.names)
    assert train.crc32(range(4)) == zlib.crc32(text.encode())
    file = tmp_path / train.names[1]
    file.write_bytes(bytes(file.stat().st_size))  # other bytes, as many
    assert list_pictures(tmp_path)[0].crc32(range(4)) == train.crc32(range(4))
    file.write_bytes(b"longer" + file.read_bytes())
    assert list_pictures(tmp_path)[0].crc32(range(4)) != train.crc32(range(4))


def test_odd_names_are_pictures_too(tmp_path):
    odd = names("train", ["gr\u00fcn \u2713"], 1) | names("val", ["gr\u00fcn \u2713"], 1)
    assert load("image-folder", write_tree(tmp_path, odd), image_size=8).classes == ("grün ✓",)
    raw = bytes(tmp_path / "train") + b"/caf\xe9"
    try:
        tmp_path.joinpath(raw.decode("utf-8", "surrogateescape")).mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(InputError, match="caf") as caught:
        list_pictures(tmp_path)
    str(caught.value).encode()  # can be printed


def _remove(*gone):
    return lambda files: {n: x for n, x in files.items() if not n.startswith(gone)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_remove("train/", "val/"), "expected a folder with train/ and val/, found no such folder"),
        (_remove("train/"), "expected folders train/ and val/, found no train/"),
        (_remove("val/"), "expected folders train/ and val/, found no val/"),
        (_remove("val/b"), "same classes, but 'b' of train/ is not in val/"),
        (_remove("train/a"), "same classes, but 'a' of val/ is not in train/"),
        (
            lambda files: files | names("val", "cde", 1),
            "same classes, but 'c' and 2 more of val/ is not in train/",
        ),
        (
            lambda files: _remove("train/b")(files) | {"train/b/notes.txt": b""},
            r"train/b: expected pictures of this class \(\*.jpg, .*found none",
        ),
        (
            lambda files: _remove("val/")(files) | {"val/1.JPEG": None},
            "val: expected a folder for each class, found none",
        ),
    ],
)
def test_what_is_missing_is_told_in_one_line(tmp_path, change, expected):
    root = write_tree(tmp_path / "pictures", change(GOOD))
    with pytest.raises(InputError, match=expected) as caught:
        load("image-folder", root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"data_dir": None}, "image-folder needs a folder with train/ and val/.*--data-dir"),
        ({"image_size": 0}, "the image size must be a whole number from 1 to 4096, found 0"),
        ({"image_size": "big"}, "the image size must be.*'big'"),
        ({"workers": 0}, "workers must be a whole number from 1 to 256, found 0"),
    ],
)
def test_bad_arguments_are_named(tmp_path, options, expected):
    good = {"data_dir": write_tree(tmp_path, GOOD), "image_size": 8, "workers": 1}
    assert load("image-folder", **good).input_shape == (8, 8, 3)
    with pytest.raises(InputError, match=expected):
        load("image-folder", **(good | options))


def test_an_image_size_belongs_to_folders():
    with pytest.raises(InputError, match="image-folder only, not for 'digits'"):
        load("digits", image_size=32)


def test_labels_are_int64(tmp_path):
    data = load("image-folder", write_tree(tmp_path, GOOD), image_size=8)
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
