import gzip
import io
import tarfile

import pytest
from cifar_files import binary_contents, random_images, write_archive

from minibnn import InputError
from minibnn.data import cifar10, load

FOLDER = "cifar-10-batches-bin"
CONTENTS = binary_contents(*random_images())


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", 20)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cifar-10-binary.tar.gz"


def refused(path, match):
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(InputError, match=match) as caught:
        load("cifar10", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(path.parent.rglob("*")) == before


def member(name, size=0, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, target
    return info


def test_members_that_nobody_asked_for_are_left_alone(path, tmp_path):
    names = ("../evil", "/tmp/evil", f"{FOLDER}/../../evil", "elsewhere/data_batch_1.bin")
    extras = [(member(name, 4), b"evil") for name in names]
    extras.append((member(f"{FOLDER}/readme.html", 0, tarfile.SYMTYPE, "/etc/passwd"), b""))
    write_archive(path, FOLDER, CONTENTS, *extras)
    assert len(load("cifar10", path).test_labels) == 20
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, tarfile.DIRTYPE],
)
def test_what_is_no_file_in_place_of_one_is_refused(path, kind):
    contents = {key: content for key, content in CONTENTS.items() if key != "test_batch.bin"}
    extra = member(f"{FOLDER}/test_batch.bin", kind=kind, target="/etc/passwd")
    refused(
        write_archive(path, FOLDER, contents, (extra, b"")),
        "test_batch.bin': expected a regular file, found something else",
    )


def test_members_missing_twice_or_of_another_size_are_named(path):
    contents = {key: content for key, content in CONTENTS.items() if key != "test_batch.bin"}
    write_archive(path, FOLDER, contents)
    refused(path, f"expected {FOLDER}/test_batch.bin, found no such member")
    again = member(f"{FOLDER}/test_batch.bin", 61460)
    write_archive(path, FOLDER, CONTENTS, (again, bytes(61460)))
    refused(path, "test_batch.bin': expected once, found again")
    short = member(f"{FOLDER}/test_batch.bin", 61459)
    write_archive(path, FOLDER, contents, (short, bytes(61459)))
    refused(path, "test_batch.bin': expected 61460 bytes, found 61459")


def header_declaring(size, kind=tarfile.REGTYPE, name=f"{FOLDER}/data_batch_1.bin"):
    return member(name, size, kind).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [61461, 1 << 40, 1 << 62])
def test_a_huge_declared_size_is_refused_before_reading(path, size):
    path.write_bytes(gzip.compress(header_declaring(size) + bytes(4096)))
    refused(path, f"data_batch_1.bin': expected 61460 bytes, found {size}")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.REGTYPE])
def test_archives_that_unpack_to_far_too_much_are_refused(path, kind):
    with gzip.open(path, "wb", compresslevel=1) as file:  # a bomb: 40 MB of zeros
        file.write(header_declaring(40 << 20, kind, f"{FOLDER}/readme.html"))
        for _ in range(40):
            file.write(bytes(1 << 20))
    refused(path, "unpacks to more bytes than CIFAR-10 has")


def test_cut_off_and_damaged_archives_are_named(path):
    whole = write_archive(path, FOLDER, CONTENTS).read_bytes()
    for length in (0, 1, 10, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, "expected")
    damaged = bytearray(whole)
    damaged[-6] ^= 1  # in gzip's checksum, after the last byte of content
    path.write_bytes(damaged)
    refused(path, "cut off or damaged")
    path.write_bytes(b"<html>not found</html>")
    refused(path, "cut off or damaged")
    path.write_bytes(gzip.compress(b"no tar at all" * 100))
    refused(path, "cut off or damaged")
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w"):
        pass
    path.write_bytes(plain.getvalue())  # a tar, but not compressed
    refused(path, "cut off or damaged")
