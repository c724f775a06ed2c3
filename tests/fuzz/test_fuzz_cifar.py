"""CIFAR-10's files, both layouts, in folders and in archives, damaged."""

import gzip
import io
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from damaged import ODD_NUMBERS, edited
from hypothesis import strategies as st

from minibnn import data
from minibnn.data import archives, cifar10

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import cifar_files

SLACK = 1 << 16


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Files of 20 records, and archives that may not unpack to more than explained by them."""
    monkeypatch.setattr(cifar10, "RECORDS", cifar_files.RECORDS)
    monkeypatch.setattr(archives, "_SLACK", SLACK)


@pytest.fixture(scope="module")
def images():
    return cifar_files.random_images()


def dumps(protocol):
    if protocol == "python2":
        return cifar_files.python2_dump
    return cifar_files.python3_dump(protocol)


def correct(found, whole=None):
    assert found.train_images.shape == (100, 32, 32, 3)
    assert set(found.train_labels) <= set(range(10))
    if whole is not None:
        np.testing.assert_array_equal(found.test_images, whole[0][100:])


def test_binary(fuzz, reads, images, tmp_path):
    contents = cifar_files.binary_contents(*images)
    folder = cifar_files.write_folder(tmp_path / "cifar", contents)
    correct(data.load("cifar10", folder), images)
    first = folder / "data_batch_1.bin"

    def attempt(case):
        first.write_bytes(case)
        if (found := reads(lambda: data.load("cifar10", folder), len(case) * 6)) is not None:
            correct(found, images)

    content = contents[first.name]
    labels = st.lists(st.integers(0, 255), min_size=20, max_size=20).map(
        lambda labels: b"".join(
            bytes([label]) + content[k * 3073 + 1 : (k + 1) * 3073]
            for k, label in enumerate(labels)
        )
    )
    fuzz(edited(content) | st.binary(max_size=100) | labels, attempt)


PICKLED = [  # operations that ask for more than they hold, or for somebody's code
    b"cos\nsystem\n(S'true'\ntR",
    b"c_codecs\nencode\nX\x03\x00\x00\x00abcX\x06\x00\x00\x00latin1\x86R",
    b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR",
    b"cnumpy\nndarray\n",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"B\xff\xff\xff\x7f",
    b"\x8b\xff\xff\xff\x7f",
    b"I" + b"9" * 4000 + b"\n",
    b"L" + b"9" * 4000 + b"L\n",
    b"r\xff\xff\xff\x7f",
    b"p2147483647\n",
    b"(" * 500 + b"t" * 500,
    b"]" * 500 + b"a" * 499,
    b"\x94" * 50,
    b"0" * 20,
    b"N" * 200,
    b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
    b"F1e999\n",
    b"}(U\x06labels]U\x04dataNu",
    b"P1\n",
    b"Q",
    b"\x82\x01",
    b"2" * 100,
    b".",
]


def test_python(fuzz, reads, images, tmp_path):
    folder = None
    wholes = {}
    for protocol in ("python2", 0, 2, 4, 5):
        contents = cifar_files.python_contents(*images, dumps(protocol))
        if folder is None:
            folder = cifar_files.write_folder(tmp_path / "cifar", contents)
        wholes[protocol] = contents["data_batch_1"]
    correct(data.load("cifar10", folder), images)
    first = folder / "data_batch_1"

    @st.composite
    def pickles(draw):
        content = wholes[draw(st.sampled_from(list(wholes)))]
        kind = draw(st.sampled_from(("edit", "head", "soup", "dump")))
        if kind == "edit":
            return draw(edited(content))
        if kind == "head":  # where the operations are: before the pixels
            return draw(edited(content[:200])) + content[200:]
        if kind == "dump":
            odd = st.none() | st.integers() | st.text() | st.binary() | st.lists(st.integers())
            keys = st.sampled_from(["data", "labels", b"data", b"labels", "x"])
            value = draw(st.dictionaries(keys, odd) | odd)
            return pickle.dumps(value, draw(st.integers(0, 5))).ljust(61440 + 1, b".")
        pieces = draw(st.lists(st.sampled_from(PICKLED) | st.binary(max_size=4), max_size=30))
        at = draw(st.integers(0, 300))
        return content[:at] + b"".join(pieces) + content[at:]

    def attempt(case):
        first.write_bytes(case)
        if (found := reads(lambda: data.load("cifar10", folder), len(case) * 6)) is not None:
            correct(found, images)

    fuzz(pickles() | st.binary(max_size=100), attempt)


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_archives(fuzz, reads, images, tmp_path, layout):
    if layout == "binary":
        contents = cifar_files.binary_contents(*images)
        name, folder = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
    else:
        contents = cifar_files.python_contents(*images, dumps(4))
        name, folder = "cifar-10-python.tar.gz", "cifar-10-batches-py"
    path = cifar_files.write_archive(tmp_path / name, folder, contents)
    correct(data.load("cifar10", path), images)
    packed, plain = path.read_bytes(), gzip.decompress(path.read_bytes())
    starts = [member.offset for member in tarfile.open(fileobj=io.BytesIO(plain))]
    limit = sum(map(len, contents.values())) * 2

    @st.composite
    def tars(draw):
        kind = draw(st.sampled_from(("gz", "tar", "field", "member", "bomb", "cut")))
        if kind == "gz":
            return draw(edited(packed))
        if kind == "cut":
            return packed[: draw(st.integers(0, len(packed)))]
        content = bytearray(plain)
        at = draw(st.sampled_from(starts))
        if kind == "tar":
            content[at : at + 512] = draw(edited(bytes(content[at : at + 512]))).ljust(512, b"\0")
        elif kind == "field":  # name, mode, size, type, link; the checksum is then set right
            field, width = draw(st.sampled_from([(0, 100), (100, 8), (124, 12), (157, 100)]))
            text = draw(st.sampled_from([*(b"%o" % n for n in ODD_NUMBERS), b"\x80" + b"\xff" * 11])
                        | st.binary(max_size=width))  # fmt: skip
            content[at + field : at + field + width] = text[:width].ljust(width, b"\0")
            content[at + 156] = draw(st.sampled_from(list(b"0123457gxLKSVDNMX\0")))
            _set_checksum(content, at)
        elif kind == "member":
            names = ["../x", "/etc/x", f"{folder}/a\nb", "x", f"{folder}/{next(iter(contents))}"]
            member = tarfile.TarInfo(draw(st.sampled_from(names)))
            kinds = (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE)
            kinds += (tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE)
            member.type = draw(st.sampled_from(kinds))
            member.linkname = draw(st.sampled_from(["/etc/passwd", "..", "", folder]))
            header = member.tobuf(draw(st.sampled_from((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))))
            content[at:at] = header
        else:  # more zeros than the files explain
            content[at:at] = tarfile.TarInfo(f"{folder}/readme.html").tobuf()[:0]
            member = tarfile.TarInfo(f"{folder}/readme.html")
            member.size = draw(st.sampled_from((SLACK // 2, 20 << 20, 1 << 40)))
            content[at:at] = member.tobuf() + bytes(min(member.size, 6 << 20))
        return gzip.compress(bytes(content), 1)

    def attempt(case):
        path.write_bytes(case)
        if (found := reads(lambda: data.load("cifar10", path), limit)) is not None:
            correct(found)

    fuzz(tars(), attempt)


def _set_checksum(content, at):
    content[at + 148 : at + 156] = b" " * 8
    content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
