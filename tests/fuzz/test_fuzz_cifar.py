"""CIFAR-10's files, both layouts, damaged."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from damaged import edited
from hypothesis import strategies as st

from minibnn import data
from minibnn.data import cifar10

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import cifar_files


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", cifar_files.RECORDS)


@pytest.fixture(scope="module")
def images():
    return cifar_files.random_images()


def correct(found, whole):
    assert found.train_images.shape == (100, 32, 32, 3)
    assert set(found.train_labels) <= set(range(10))
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
    dumps = [cifar_files.python3_dump(protocol) for protocol in (0, 2, 4, 5)]
    dumps.append(cifar_files.python2_dump)
    contents = [cifar_files.python_contents(*images, dump) for dump in dumps]
    folder = cifar_files.write_folder(tmp_path / "cifar", contents[-1])
    wholes = [content["data_batch_1"] for content in contents]
    correct(data.load("cifar10", folder), images)
    first = folder / "data_batch_1"

    @st.composite
    def pickles(draw):
        content = draw(st.sampled_from(wholes))
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
