"""Small files in CIFAR-10's layouts, made from random images; imports nothing from minibnn."""

import io
import pickle
import pickletools
import tarfile

import numpy as np

RECORDS = 20  # per file; the official files have 10,000
BINARY_FILES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
PYTHON_FILES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]


def random_images(seed=0):
    """(120, 32, 32, 3) random bytes and (120,) labels, every class in each file of 20."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (6 * RECORDS, 32, 32, 3), dtype=np.uint8)
    labels = np.concatenate([rng.permutation(np.arange(RECORDS) % 10) for _ in range(6)])
    return images, labels


def planes(image):
    """The 3,072 bytes of an image: red, then green, then blue, row by row."""
    return b"".join(image[:, :, c].tobytes() for c in range(3))


def binary_contents(images, labels):
    records = [bytes([label]) + planes(x) for x, label in zip(images, labels, strict=True)]
    return {
        name: b"".join(records[k * RECORDS : (k + 1) * RECORDS])
        for k, name in enumerate(BINARY_FILES)
    }


def python_contents(images, labels, dump):
    """{file name: content} of the Python layout; ``dump(data, labels)`` pickles one batch."""
    contents = {}
    for k, name in enumerate(PYTHON_FILES):
        here = slice(k * RECORDS, (k + 1) * RECORDS)
        data = np.frombuffer(b"".join(map(planes, images[here])), np.uint8).reshape(-1, 3072)
        contents[name] = dump(data, [int(label) for label in labels[here]])
    return contents


def python3_dump(protocol, *, byte_keys=False):
    def dump(data, labels):
        batch = {"data": data, "labels": labels, "batch_label": "a batch", "filenames": ["a.png"]}
        if byte_keys:
            batch = {key.encode(): value for key, value in batch.items()}
        return pickle.dumps(batch, protocol)

    return dump


def python2_dump(data, labels):
    """A dump as Python 2 wrote the official files: protocol 2, every string a byte string."""

    def string(content):
        if len(content) < 256:
            return b"U" + bytes([len(content)]) + content
        return b"T" + len(content).to_bytes(4, "little") + content

    shape = b"M" + len(data).to_bytes(2, "little") + b"M" + (3072).to_bytes(2, "little") + b"\x86"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85"
        + string(b"b") + b"\x87R"
        + b"(K\x01" + shape
        + b"cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R"
        + b"(K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89" + string(data.tobytes()) + b"tb"
    )  # fmt: skip
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    content = b"\x80\x02}(" + string(b"data") + array + string(b"labels") + listed + b"u."
    pickletools.dis(content, out=io.StringIO())  # a well-formed pickle, or the test is wrong
    return content


def write_folder(folder, contents):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(path, folder, contents):
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path
