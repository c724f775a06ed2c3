import zlib

import pytest
from image_files import names, write_tree
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import load
from minibnn.data.folder.listing import list_images

GOOD = names("train", "ab", 2) | names("val", "ab", 1)


def test_folders_are_classes_and_names_are_sorted(tmp_path):
    found = "n01/more/deeper/y.jpg n01/x.PnG n02/a.jpeg n02/b.JPEG".split()
    files = [f"train/{name}" for name in reversed(found)] + ["val/n02/1.jpg", "val/n01/1.jpg"]
    other = "n01/notes.txt n01/.hidden.jpg n01/.deeper/y.jpg .DS_Store/z.jpg README.md".split()
    left_alone = dict.fromkeys([f"train/{name}" for name in other] + ["other/n01/1.jpg"], b"?")
    train, val = list_images(write_tree(tmp_path, dict.fromkeys(files) | left_alone))
    assert train.classes == val.classes == ("n01", "n02")
    assert train.names == [f"train/{name}" for name in found]
    assert_array_equal(train.labels, [0, 0, 1, 1])
    assert_array_equal(val.labels, [0, 1])
    assert train.sizes.tolist() == [(tmp_path / name).stat().st_size for name in train.names]


def test_links_to_folders_and_files_count(tmp_path):
    write_tree(tmp_path / "real", names("train", "a", 2) | names("val", "a", 1))
    (tmp_path / "seen").mkdir()
    for part in ("train", "val"):
        (tmp_path / "seen" / part).symlink_to(tmp_path / "real" / part)
    assert len(list_images(tmp_path / "seen")[0].names) == 2


def test_the_checksum_is_of_names_and_sizes(tmp_path):
    train, _ = list_images(write_tree(tmp_path, GOOD))
    text = "".join(f"{name}\0{(tmp_path / name).stat().st_size}\n" for name in train.names)
    assert train.crc32(range(4)) == zlib.crc32(text.encode())
    file = tmp_path / train.names[1]
    file.write_bytes(bytes(file.stat().st_size))  # other bytes, as many
    assert list_images(tmp_path)[0].crc32(range(4)) == train.crc32(range(4))
    file.write_bytes(b"longer" + file.read_bytes())
    assert list_images(tmp_path)[0].crc32(range(4)) != train.crc32(range(4))


def test_odd_names_are_images_too(tmp_path):
    odd = names("train", ["gr\u00fcn \u2713"], 1) | names("val", ["gr\u00fcn \u2713"], 1)
    assert load("image-folder", write_tree(tmp_path, odd), image_size=8).classes == ("grün ✓",)
    raw = bytes(tmp_path / "train") + b"/caf\xe9"
    try:
        tmp_path.joinpath(raw.decode("utf-8", "surrogateescape")).mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(InputError, match="caf") as caught:
        list_images(tmp_path)
    str(caught.value).encode()  # can be printed


def layout(*folders):
    return {name: x for folder in folders for name, x in names(folder, "ab", 2).items()}


@pytest.mark.parametrize(
    ("folders", "test", "validation"),
    [
        (("train", "val"), "val", None),
        (("train", "valid"), "valid", None),
        (("train", "validation"), "validation", None),
        (("train", "test"), "test", None),
        (("train", "val", "test"), "test", "val"),
        (("train", "valid", "test"), "test", "valid"),
    ],
)
def test_the_folders_people_have(tmp_path, folders, test, validation):
    data = load("image-folder", write_tree(tmp_path, layout(*folders)), image_size=8)
    parts = {"train": data.train_images, test: data.test_images}
    if validation:
        parts[validation] = data.validation_images
        assert_array_equal(data.validation_labels, [0, 0, 1, 1])
    else:
        assert data.validation_images is None
    for name, images in parts.items():
        assert {images.listing.names[row].split("/")[0] for row in images.rows} == {name}
    assert_array_equal(data.test_labels, [0, 0, 1, 1])


def test_a_test_folder_without_classes_has_no_labels(tmp_path):
    files = layout("train", "val") | {"test/1.jpg": None}  # ImageNet's
    data = load("image-folder", write_tree(tmp_path, files), image_size=8)
    assert data.test_images.listing.names[0].startswith("val/")
    both = write_tree(tmp_path / "both", layout("train", "val", "valid"))
    with pytest.raises(InputError, match="expected one of val, valid, found both"):
        list_images(both)


def test_tiny_imagenet(tmp_path):
    files = {f"train/n0{k}/images/n0{k}_{i}.JPEG": None for k in range(2) for i in range(3)}
    files |= {f"train/n0{k}/n0{k}_boxes.txt": b"0 0 62 62" for k in range(2)}
    files |= {f"val/images/val_{i}.JPEG": None for i in range(3)}
    files |= {"test/images/test_0.JPEG": None}
    lines = [f"val_{i}.JPEG\tn0{kind}\t0\t32\t44\t62" for i, kind in enumerate((1, 0, 1))]
    files["val/val_annotations.txt"] = "\n".join([*lines, "", ""]).encode()
    data = load("image-folder", write_tree(tmp_path, files), image_size=8)
    assert data.classes == ("n00", "n01")
    assert_array_equal(data.train_labels, [0, 0, 0, 1, 1, 1])
    assert_array_equal(data.test_labels, [1, 0, 1])
    assert data.test_images.listing.names[1] == "val/images/val_1.JPEG"
    assert data.validation_images is None
    (tmp_path / "val/val_annotations.txt").write_text("val_0.JPEG\tn07\t0")
    with pytest.raises(InputError, match=r"annotations.txt: 'val_0.JPEG' is of 'n07', which"):
        list_images(tmp_path)


def test_one_folder_is_divided_by_a_share(tmp_path):
    root = write_tree(tmp_path, {f"{c}/{i}.jpg": None for c in "ab" for i in range(5)})
    data = load("image-folder", root, image_size=8, test_share=0.4)
    assert_array_equal(data.train_labels, [0, 0, 0, 1, 1, 1])
    assert_array_equal(data.test_labels, [0, 0, 1, 1])
    train, test = ({*x.rows.tolist()} for x in (data.train_images, data.test_images))
    assert train | test == set(range(10))
    assert not train & test
    again = load("image-folder", root, image_size=8, test_share=0.4)
    assert_array_equal(again.test_images.rows, data.test_images.rows)
    with pytest.raises(InputError, match=r"found no train/ \(of one folder of classes, test_share"):
        list_images(root)
    for share, said in ((0.1, "b has too few images for a share of 0.1"), (1, "between 0 and")):
        with pytest.raises(InputError, match=said):
            load("image-folder", root, image_size=8, test_share=share)
    (root / "train").mkdir()
    with pytest.raises(InputError, match="has train/: test_share is for a folder without it"):
        load("image-folder", root, image_size=8, test_share=0.4)


def test_links_that_lead_round_end(tmp_path):
    write_tree(tmp_path, GOOD)
    (tmp_path / "train/a/round").symlink_to(tmp_path / "train/a")
    for name in ("train/a/self", "train/b/self.png", "train/self"):
        (tmp_path / name).symlink_to(tmp_path / name)
    assert len(list_images(tmp_path)[0].names) == 4


def _remove(*gone):
    return lambda files: {n: x for n, x in files.items() if not n.startswith(gone)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_remove("val/"), "expected folders train/ and val/, found no val/"),
        (_remove("val/b"), "same classes, but 'b' of train/ is not in val/"),
        (
            lambda files: files | names("val", "cde", 1),
            "same classes, but 'c' and 2 more of val/ is not in train/",
        ),
        (
            lambda files: _remove("train/b")(files) | {"train/b/notes.txt": b""},
            r"train/b: expected images of this class \(\*.jpg, .*found none",
        ),
        (
            lambda files: _remove("val/")(files) | {"val/1.JPEG": None},
            "val: expected a folder for each class, found none",
        ),
    ],
)
def test_what_is_missing_is_told_in_one_line(tmp_path, change, expected):
    root = write_tree(tmp_path / "images", change(GOOD))
    with pytest.raises(InputError, match=expected) as caught:
        load("image-folder", root)
    assert "\n" not in str(caught.value)
    assert str(root) in str(caught.value)


def test_of_links_to_one_folder_the_first_name_counts(tmp_path):
    write_tree(tmp_path, GOOD | {"train/a/real/x.jpg": None})
    for name in "qcmbzk":
        (tmp_path / f"train/a/{name}").symlink_to("real")
    assert "train/a/b/x.jpg" in list_images(tmp_path)[0].names
