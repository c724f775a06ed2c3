"""A hostile batch file: nothing it names is run, whatever it looks like."""

import os
import pickle
import subprocess
import tracemalloc

import numpy as np
import pytest
from cifar_files import python2_dump, python_contents, random_images, write_folder

from minibnn import InputError
from minibnn.data import cifar10, load
from minibnn.data.cifar10_python import decode_python

IMAGES, LABELS = random_images()
GOOD = python_contents(IMAGES, LABELS, python2_dump)


class Calls:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(proof):
    """Ways to have a file made when the pickle is loaded."""
    return {
        "system": Calls(os.system, f"touch {proof}"),
        "popen": Calls(subprocess.Popen, ["touch", str(proof)]),
        "eval": Calls(eval, f"open({str(proof)!r}, 'w')"),
        "open": Calls(open, str(proof), "w"),
        "numpy file": Calls(np.save, str(proof), 1),
        "numpy object": np.array([Calls(open, str(proof), "w")], object),
    }


@pytest.mark.parametrize("way", list(hostile("")))
@pytest.mark.parametrize(
    ("place", "protocol"), [("data", 0), ("data", 4), ("labels", 5), ("the whole", 2)]
)
def test_nothing_is_run(tmp_path, monkeypatch, way, protocol, place):
    monkeypatch.setattr(cifar10, "RECORDS", 20)
    proof = tmp_path / "ran"
    evil = hostile(proof)[way]
    batch = {"data": {"data": evil, "labels": [0]}, "labels": {"labels": evil}}.get(place, evil)
    content = pickle.dumps([batch, bytes(61440)], protocol)  # large enough to be looked at
    folder = write_folder(tmp_path / "py", GOOD | {"data_batch_2": content})
    with pytest.raises(InputError, match="data_batch_2: ") as caught:
        load("cifar10", folder)
    assert "\n" not in str(caught.value)
    assert not proof.exists()


PAIRS = b"2\x86" * 100  # a pair of the same pair, a hundred deep: takes forever to hash


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",  # INST names a class without GLOBAL
        b"\x80\x02cnumpy\ndtype\n)\x81.",  # NEWOBJ
        b"\x80\x02\x82\x01.",  # an extension code
        b"Psomething\n.",  # a persistent id
        b"\x80\x04\x8c\x0enumpy.f2py\x8c\x07compile\x93.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"\x80\x02r\xff\xff\xff\xff.",  # a memo of 4 billion slots
        b"\x80\x02]r\x00\x00\x80\x00.",  # of 8 million
        b"]p99999999999\n.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x3f.",  # a byte array of 2^62 bytes
        b"\x80\x05\x96\x00\x00\x00\x08\x00\x00\x00\x00.",  # of 128 MB
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",  # bytes, 2^40 of them
        b"\x80\x02\x8b\xff\xff\xff\x7f.",  # a number of 2^31 bytes
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a frame
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(L999999999999L\ntS'b'\ntR.",
        b"\x80\x02})" + PAIRS + b"Ns.",  # SETITEM
        b"\x80\x02}()" + PAIRS + b"Nu.",  # SETITEMS
        b"\x80\x02()" + PAIRS + b"Nd.",  # DICT
        b"\x80\x04\x8f()" + PAIRS + b"\x90.",  # ADDITEMS of a set
    ],
)
def test_what_is_no_batch_is_refused_and_takes_little_memory(content):
    assert _peak(content) < 2**20


def test_what_a_pickle_makes_is_no_larger_than_the_file():
    """A text encoded again and again, and operations that need more memory than bytes."""
    text = b"X" + (50_000).to_bytes(4, "little") + b"a" * 50_000
    again = b"c_codecs\nencode\nq\x00" + text + b"q\x01X\x06\x00\x00\x00latin1q\x02\x86"
    content = b"\x80\x02(" + again + b"h\x00h\x01h\x02\x86R" * 200 + b"t."
    assert _peak(content) < 2 * len(content) + (4 << 20)
    content = b"\x80\x02(" + b"N" * (3 << 20) + b"t."
    assert _peak(content) < 2 * len(content) + (4 << 20)


def _peak(content):
    tracemalloc.start()
    with pytest.raises(InputError, match="a: "):
        decode_python(content, "a", 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
