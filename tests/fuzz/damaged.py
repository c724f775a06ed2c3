"""Strategies of damaged files: edits of bytes, of zip members, of headers of arrays, of JSON."""

import copy
import io
import json
import math
import struct
import warnings
import zipfile

import numpy as np
from hypothesis import strategies as st

from minibnn.files import archive

# Numbers that fit nowhere, or where a size is counted wrongly.
ODD_NUMBERS = (0, 1, 7, 8, 127, 255, 256, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62)
DEEP = 3000  # lists inside each other: more than the interpreter's stack


def _deep():
    value = []
    for _ in range(200):
        value = [value]
    return value


ODD_VALUES = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2, 0.5, 10**9, 1 << 31, 1 << 63, 10**30, -(10**30)),
        *(1e308, 1e-308, math.nan, math.inf, -math.inf),
        *("", "a\nb\x1b[2J", "9" * 5000, "NaN", "../x", "\x00", "\ud800"),
        *([], [[]], [0], [1, 2], [1 << 40], ["a"], [1e9, 3], [-1, -8], [None]),
        *({}, {"a": 1}, {"kind": "Residual"}, {"kind": []}, list(range(300)), _deep()),
    ]
)
HEADERS = st.sampled_from(  # of an array, as damage or malice would have them
    [
        ("|u1", "(1000000000000,)"),
        ("<f8", "(9223372036854775807, 9223372036854775807)"),
        ("<f4", "(0, 4294967296, 4294967296)"),
        ("<f4", "(-1,)"),
        ("<f4", "(1.5,)"),
        ("<f4", "()"),
        ("<f4", "3"),
        ("<f4", "[3]"),
        ("<f4", "(" * 150 + ")" * 150),
        ("|O", "(3,)"),
        ("<U99999999", "(99999,)"),
        ("|S0", "(4,)"),
        ("|V0", "(999999999,)"),
        ("<M8[ns]", "(2,)"),
        ("<c16", "(2,)"),
        ("|b1", "(4,)"),
        ("<f2", "(2,)"),
        (">i8", "(1,)"),
        ("nonsense", "(1,)"),
        ("", "(1,)"),
    ]
)


@st.composite
def edited(draw, content):
    """``content`` (bytes) with one to four edits."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        near = draw(st.booleans())  # the ends hold what is said of sizes
        reach = min(len(content), 100) if near else len(content)
        at = draw(st.integers(0, max(reach - 1, 0)))
        if near and draw(st.booleans()):
            at = max(len(content) - 1 - at, 0)
        kind = draw(st.sampled_from(("flip", "cut", "drop", "copy", "insert", "number", "fill")))
        length = draw(st.integers(1, 64))
        if kind == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at : at + length]
        elif kind == "copy":
            source = draw(st.integers(0, max(len(content) - 1, 0)))
            content[at : at + length] = content[source : source + length]
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=32))
        elif kind == "number":
            number = draw(st.sampled_from(ODD_NUMBERS))
            size = draw(st.sampled_from((2, 4, 8)))
            content[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, "little")
        else:
            content[at : at + length] = (
                bytes([draw(st.sampled_from((0, 0x20, 0x7F, 0xFF)))]) * length
            )
    return bytes(content)


# -- zip files of arrays --------------------------------------------------------------------------


def array_bytes(array):
    """What a member NAME.npy holds."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def with_header(descr, shape, content, version=1):
    """An array's member with any header."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode("latin1")
    size = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + b"\n" + content


@st.composite
def zipped(draw, members):
    """A zip of ``members``, a dict of file name to bytes, with something wrong about it."""
    members = dict(members)
    name = draw(st.sampled_from(sorted(members)))
    kind = draw(
        st.sampled_from(("content", "header", "rename", "drop", "twice", "bomb", "record", "bytes"))
    )
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    method = draw(st.sampled_from(methods)) if draw(st.booleans()) else zipfile.ZIP_STORED
    twice = None
    if kind == "content":
        members[name] = draw(edited(members[name]))
    elif kind == "header":
        version = draw(st.sampled_from((1, 1, 2, 3, 9)))
        rest = members[name][128:] if draw(st.booleans()) else b""
        members[name] = with_header(*draw(HEADERS), rest, version)
    elif kind == "rename":
        odd = ["", "a", ".npy", "a\nb.npy", "../../x.npy", "/x.npy", "\x1b.npy", "é.npy", "x" * 999]
        members[draw(st.sampled_from(odd))] = members.pop(name)
    elif kind == "drop":
        del members[name]
    elif kind == "twice":
        twice = name
    elif kind == "bomb":
        method = zipfile.ZIP_DEFLATED
        zeros = bytes(draw(st.sampled_from((10**5, 3 * 10**6))))
        odd = (f"({len(zeros)},)", f"({len(zeros) * 2},)", "(1,)")
        members[name] = with_header("|u1", draw(st.sampled_from(odd)), zeros)
    content = _zip(members, method, twice)
    if kind == "record" or draw(st.integers(0, 4)) == 0:
        content = draw(_record_changed(content))
    if kind == "bytes":
        content = draw(edited(content))
    return content


def _zip(members, method, twice=None):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members.items():
            for _ in range(2 if name == twice else 1):
                archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


@st.composite
def _record_changed(draw, content):
    """One field of one entry of a zip's central directory, or of the header of a member."""
    content = bytearray(content)
    if draw(st.booleans()):
        signature, fields = b"PK\x01\x02", (8, 10, 16, 20, 24, 28, 30, 32, 38, 42)
    else:
        signature, fields = b"PK\x03\x04", (4, 6, 8, 14, 18, 22, 26, 28)
    starts = [k for k in range(len(content) - 3) if content[k : k + 4] == signature]
    if not starts:
        return bytes(content)
    at = draw(st.sampled_from(starts)) + draw(st.sampled_from(fields))
    number = draw(st.sampled_from(ODD_NUMBERS) | st.integers(0, 4096))
    content[at : at + 4] = (number & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(content)


def declared_bytes(content):
    """What the members of a zip declare together, as far as they could hold it; 0 of no zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except Exception:
        return 0
    most = 1032 * len(content)  # deflate cannot do more
    return min(sum(member.file_size for member in members), most)


# -- JSON -----------------------------------------------------------------------------------------


@st.composite
def changed_value(draw, value):
    """A plain value (of JSON) with one or two parts replaced, left out or added."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        place, key = value, None
        for _ in range(draw(st.integers(0, 6))):
            if not isinstance(place, dict | list) or not place:
                break
            keys = sorted(place, key=str) if isinstance(place, dict) else range(len(place))
            parent, key = place, draw(st.sampled_from(keys))
            place = parent[key]
        odd = copy.deepcopy(draw(ODD_VALUES | st.integers() | st.floats() | st.text(max_size=8)))
        if key is None:
            if isinstance(value, dict) and draw(st.booleans()):
                value[draw(st.text(max_size=4))] = odd
                continue
            return odd
        if draw(st.integers(0, 4)) == 0:
            del parent[key]
        else:
            parent[key] = odd
    return value


@st.composite
def json_texts(draw, value):
    """The bytes of a JSON file that should hold ``value``."""
    kind = draw(st.sampled_from(("value", "value", "value", "bytes", "deep", "raw")))
    if kind == "deep":
        opening, closing = draw(st.sampled_from((("[", "]"), ('{"a":', "}"))))
        return (opening * DEEP + "1" + closing * draw(st.sampled_from((0, DEEP)))).encode()
    if kind == "raw":
        return draw(st.binary(max_size=64))
    if kind == "bytes":
        return draw(edited(json.dumps(value).encode()))
    return json.dumps(draw(changed_value(value))).encode("utf-8", "surrogatepass")


# -- named arrays ---------------------------------------------------------------------------------


def read_arrays(path):
    with np.load(path) as file:
        return dict(file)


def mutants(path):
    """Damaged contents of an .npz file."""
    content, arrays = path.read_bytes(), read_arrays(path)
    members = {f"{name}.npy": array_bytes(array) for name, array in arrays.items()}
    return edited(content) | zipped(members) | st.binary(max_size=200)


def resealed(path):
    """Contents of one of our files that hold something else, under a right checksum."""
    arrays = read_arrays(path)
    del arrays[archive.CHECKSUM]
    return changed_arrays(arrays, ["meta"]).map(_sealed).filter(bool)


def _sealed(arrays):
    try:
        return archive.encode(arrays)
    except (ValueError, UnicodeError):
        return b""  # no such file can be


def writable(arrays):
    """Whether ``numpy.savez`` can write them."""
    return all(name.isprintable() and name not in ("", "file") for name in arrays)


@st.composite
def changed_arrays(draw, arrays, texts=()):
    """A dict of arrays with one of them other than it should be; ``texts`` hold JSON as bytes."""
    arrays = dict(arrays)
    name = draw(st.sampled_from(sorted(arrays)))
    if texts and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(sorted(texts)))
        text = draw(json_texts(json.loads(arrays[name].tobytes())))
        arrays[name] = np.frombuffer(text, np.uint8)
        return arrays
    kind = draw(st.sampled_from(("drop", "add", "dtype", "shape", "values", "empty", "scalar")))
    array = arrays[name]
    if kind == "drop":
        del arrays[name]
    elif kind == "add":
        arrays[draw(st.text(st.characters(codec="ascii"), max_size=8))] = array
    elif kind == "dtype":
        dtype = draw(st.sampled_from(("u1", "i1", "i8", "f4", "f8", "?", "c8", "U3", "S2", "f2")))
        with np.errstate(all="ignore"):
            arrays[name] = np.zeros(array.shape, dtype)
    elif kind == "shape":
        flat = array.ravel()
        shapes = [(-1,), (1, -1), (-1, 1), (1, 1, -1)]
        arrays[name] = flat.reshape(draw(st.sampled_from(shapes))) if flat.size else flat
        if draw(st.booleans()):
            arrays[name] = arrays[name][..., : draw(st.integers(0, max(0, flat.size - 1)))]
    elif kind == "values":
        odd = draw(st.sampled_from((0, 1, 2, 3, 127, 255, math.nan, math.inf, -math.inf, 1e30, -1)))
        with np.errstate(all="ignore"):
            if array.dtype.kind in "fc" or math.isfinite(odd):
                arrays[name] = np.full(array.shape, odd).astype(array.dtype)
    elif kind == "empty":
        arrays[name] = array[:0] if array.ndim else np.zeros(0, array.dtype)
    else:
        arrays[name] = array.ravel()[:1].reshape(()) if array.size else array
    return arrays
