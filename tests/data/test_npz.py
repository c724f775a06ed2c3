import io
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import InputError
from minibnn.data import load
from minibnn.files import archive

GOOD = {
    "train_images": np.random.default_rng(0).integers(0, 256, (4, 3, 3), dtype=np.uint8),
    "train_labels": np.array([0, 1, 1, 0]),
    "test_images": np.zeros((2, 3, 3), np.uint8),
    "test_labels": np.array([0, 1]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_file_is_read(tmp_path, save):
    save(tmp_path / "own.npz", **GOOD, classes=["left", "right"], remark=np.zeros(3))
    data = load(f"npz:{tmp_path / 'own.npz'}")
    assert_array_equal(data.train_images[..., 0], GOOD["train_images"])
    assert_array_equal(data.train_labels, GOOD["train_labels"])
    assert (data.name, data.classes) == ("own", ("left", "right"))


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        load(f"npz:{path}")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cut_off_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "own.npz"
    np.savez_compressed(path, **GOOD)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        refused(path, "cut off or damaged")
    np.save(tmp_path / "own.npy", GOOD["train_images"])
    refused(tmp_path / "own.npy", "no file of numpy.savez")


def test_any_flipped_byte_in_the_pixels_is_noticed(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(GOOD["train_images"].tobytes()) + 5] ^= 1
    path.write_bytes(content)
    refused(path, "damaged")


def test_wrong_arrays_are_named(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **GOOD | {"train_labels": np.array([0.0, 1, 1, 0])})
    refused(path, "train_labels must be 4 integers")


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    proof = tmp_path / "ran"

    class Malicious:
        def __reduce__(self):
            return open, (str(proof), "w")

    labels = np.array([Malicious()] * 4, object)
    np.savez(tmp_path / "own.npz", allow_pickle=True, **GOOD | {"train_labels": labels})
    refused(tmp_path / "own.npz", "train_labels must be numbers or strings, found pickled")
    assert not proof.exists()


def write_raw(path, member, content, compression):
    np.savez(path, **{name: array for name, array in GOOD.items() if name != member})
    with zipfile.ZipFile(path, "a", compression) as file:
        file.writestr(f"{member}.npy", content)


def test_more_than_there_is_memory_is_refused_before_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "machine_memory", lambda: 10**5)
    big = np.zeros((2, 300, 300, 1), np.uint8)  # packs into a few hundred bytes
    np.savez_compressed(tmp_path / "own.npz", **GOOD | {"train_images": big})
    refused(tmp_path / "own.npz", "more than there is memory")


def test_a_directory_that_promises_more_than_can_be_packed_is_refused(tmp_path):
    path, npy = tmp_path / "own.npz", io.BytesIO()
    declared = {"descr": "|u1", "fortran_order": False, "shape": (5000, 2000)}
    np.lib.format.write_array_header_1_0(npy, declared)
    size = len(npy.getvalue()) + 100
    write_raw(path, "train_images", npy.getvalue() + bytes(100), zipfile.ZIP_DEFLATED)
    lie = (size - 100 + 5000 * 2000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), lie))
    refused(path, "train_images declares 10000128 bytes in .*more than is possible")


def test_packing_nobody_needs_is_refused(tmp_path):
    npy = io.BytesIO()
    np.save(npy, GOOD["train_labels"])
    write_raw(tmp_path / "own.npz", "train_labels", npy.getvalue(), zipfile.ZIP_LZMA)
    refused(tmp_path / "own.npz", "train_labels is compressed")
