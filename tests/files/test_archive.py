"""Archives of arrays: what goes in comes out, and nothing else is believed."""

import io
import struct
import tracemalloc
import zipfile

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from numpy.testing import assert_array_equal

from minibnn.errors import InputError
from minibnn.files import archive

ARRAYS = {
    "words": np.arange(12, dtype=np.uint32).reshape(3, 4),
    "a/real": np.float32([0.5, -0.0, np.nan]),
    "a/one": np.int64(7),
    "none": np.zeros((0, 4), np.int16),
}


def read(path):
    with archive.opened(path, "archive") as file:
        return file.read_all(verified=True)


@given(
    st.dictionaries(
        st.text(st.sampled_from("abc/_1"), min_size=1),
        hnp.arrays(
            st.sampled_from([np.int8, np.float32, np.float64, np.int64, np.bool_, "<U3", ">i2"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        ),
        max_size=4,
    )
)
@example(ARRAYS)
def test_what_goes_in_comes_out(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("a") / "a.npz"
    path.write_bytes(archive.encode(arrays))
    found = read(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable
    with np.load(path, allow_pickle=False) as file:  # a plain npz
        for name, array in arrays.items():
            assert_array_equal(file[name], array)


def test_fortran_order_as_numpy_writes_it(tmp_path):
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez(tmp_path / "a.npz", a=array)
    with archive.opened(tmp_path / "a.npz", "archive") as file:
        assert_array_equal(file.read("a"), array)


def test_the_same_bytes_for_the_same_arrays():
    columns = {name: np.array(a, order="F") for name, a in ARRAYS.items()}
    assert archive.encode(ARRAYS) == archive.encode(columns)
    dates = {e.date_time for e in zipfile.ZipFile(io.BytesIO(archive.encode(ARRAYS))).infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}


def test_a_checksum_is_of_names_dtypes_shapes_and_content():
    one = {"a": np.arange(6, dtype=np.int32)}
    others = [
        {"b": one["a"]},
        {"a": one["a"].view(np.uint32)},
        {"a": one["a"].reshape(2, 3)},
        {"a": one["a"][::-1]},
    ]
    sums = {archive.checksum(arrays).tobytes() for arrays in [one, *others]}
    assert len(sums) == 5


def test_a_missing_checksum(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones(3))
    with pytest.raises(InputError, match="checksum"):
        read(tmp_path / "a.npz")


# -- what is not believed ------------------------------------------------------------------------


def handmade(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def npy(descr, shape, content=b"", order="False", version=b"\x01\x00"):
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (npy("'<u4'", "(1099511627776,)"), r"uint32 .*, 4398046511104 bytes, but holds 0"),
        (npy("'<u4'", "(1048576, 1048576, 1048576, 1048576)"), "but holds 0"),
        (npy("'<u4'", "(3,)", b"12345678"), "12 bytes, but holds 8"),
        (npy("'<u4'", "(2,)", b"123456789"), "8 bytes, but holds 9"),
        (npy("'<u4'", "(-1,)"), "no array of numbers"),
        (npy("'<U0'", "(1000000000000,)"), "entries of no bytes"),
        (npy("'|O'", "(1,)", b"12345678"), "pickled objects: refused"),
        (npy("[('a', '<u4')]", "(1,)", b"1234"), "no array of numbers"),
        (npy("'<f3'", "(1,)", b"123"), "data type"),
        (npy("'<u4'", "(1,)", b"1234", version=b"\x02\x00"), "no array of numbers"),
        (npy("'<u4'", "(__import__('os').getpid(),)", b"1234"), "no array of numbers"),
        (b"\x93NUMPY\x01\x00\xff\xff{'descr'", "no array of numbers"),
        (b"\x93NUMPY", "no array of numbers"),
        (b"", "no array of numbers"),
    ],
)
def test_headers_that_lie(tmp_path, content, found):
    path = handmade(tmp_path / "a.npz", {"a.npy": content})
    tracemalloc.start()
    with pytest.raises(InputError, match=found) as caught:
        read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert "\n" not in str(caught.value)


def test_members_that_are_no_plain_arrays(tmp_path):
    good = npy("'<u4'", "(2,)", b"12345678")
    path = handmade(tmp_path / "a.npz", {"a.npy": good}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="a is compressed"):
        read(path)
    path = handmade(tmp_path / "a.npz", {"a.txt": good})
    with pytest.raises(InputError, match=r"'a.txt' is no array"):
        read(path)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", good)
        file.writestr("a.npy", good)
    with pytest.raises(InputError, match="there twice"):
        read(path)


def test_a_directory_whose_entries_share_their_bytes(tmp_path):
    """The same megabyte a hundred times over would be read a hundred times."""
    name, count = "m00.npy", 100
    content = npy("'|u1'", "(1048576,)", bytes(1 << 20))
    handmade(path := tmp_path / "a.npz", {name: content})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry, end = data[start : data.index(b"PK\x05\x06")], data[data.index(b"PK\x05\x06") :]
    entries = b"".join(entry.replace(b"m00", b"m%02d" % k) for k in range(count))
    end = end[:8] + struct.pack("<HHI", count, count, len(entries)) + end[16:]
    path.write_bytes(data[:start] + entries + end)
    with pytest.raises(InputError):
        read(path)


def test_errors_name_the_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(archive.encode(ARRAYS))
    for name, match in (("a", "a.npz: mine"), ("b", "b.npz does not exist")):
        path = tmp_path / f"{name}.npz"
        with pytest.raises(InputError, match=match), archive.opened(path, "archive"):
            raise InputError("mine")


def test_names_in_any_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(archive.encode(ARRAYS))
    assert {*archive.member_names(tmp_path / "a.npz")} == {*ARRAYS, "checksum"}
    (tmp_path / "b").write_bytes(b"PK")
    for name in ("b", "missing", "."):
        assert archive.member_names(tmp_path / name) == []
