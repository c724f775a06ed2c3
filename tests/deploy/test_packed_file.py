"""Packed networks in files: what comes back, how large they are, and what is refused."""

import json
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import networks
from test_pack import same, some_images

import minibnn as bnn
from minibnn import nn
from minibnn.deploy import load, pack
from minibnn.errors import InputError, ours
from minibnn.files import archive, checkpoint
from minibnn.nn.layers.layer import KINDS

SETTINGS = {"suppress_health_check": [*HealthCheck]}


@pytest.fixture(scope="module", autouse=True)
def reference():
    """Nothing to compile; the kernels are test_pack's."""
    with bnn.ops.backend.using("reference"):
        yield


def small():
    layers = [nn.BinaryConv2D(5, 3), nn.BatchNorm(scale=True), nn.Sign(), nn.BinaryConv2D(33, 3)]
    layers += [nn.MaxPool2D(2), nn.BatchNorm(), nn.Sign(), nn.Flatten(), nn.BinaryDense(3)]
    net = nn.Sequential([*layers, nn.BatchNorm()], (6, 4, 3), name="small")
    for x in some_images((6, 4, 3), 0, 8):
        net.forward(x, training=True)
    return net


@pytest.fixture(scope="module")
def packed():
    return pack(small(), classes=["a", "b", "c"])


@pytest.fixture(scope="module")
def content(packed, tmp_path_factory):
    return written(packed, tmp_path_factory.mktemp("written"))


def written(network, folder):
    network.save(folder / "net")
    return (folder / "net").read_bytes()


@pytest.fixture
def path(tmp_path, content):
    (tmp_path / "small.bnn.npz").write_bytes(content)
    return tmp_path / "small.bnn.npz"


def test_a_network_comes_back(packed, path):
    again = load(path)
    assert (again.name, again.classes, again.image_form) == ("small", ("a", "b", "c"), "bytes")
    assert (again.input_shape, again.output_shape) == ((6, 4, 3), (3,))
    assert again.summary() == packed.summary()
    for x in some_images((6, 4, 3), 1):
        same(again.forward(x), packed.forward(x))
    assert written(again, path.parent) == path.read_bytes()
    assert repr(bnn.load(path)) == repr(packed)  # the package's load knows it too


@settings(max_examples=20, **SETTINGS)
@given(networks())
def test_any_network_comes_back(tmp_path_factory, net):
    with np.errstate(all="ignore"):
        packed = pack(net)
        path = tmp_path_factory.mktemp("p") / "net"
        packed.save(path)
        again = load(path)
        assert written(again, path.parent.parent) == path.read_bytes()
        for x in some_images(net.input_shape, 0):
            same(again.forward(x), packed.forward(x))


def test_binarynet_takes_its_bits_and_three_percent(tmp_path):
    net = bnn.zoo.binarynet()
    bits = sum(p.size for p in net.parameters() if p.binary)
    assert bits == 10_352_000
    pack(net).save(tmp_path / "net.bnn.npz")
    assert bits / 8 < (tmp_path / "net.bnn.npz").stat().st_size < 1.03 * bits / 8


def test_it_is_a_plain_npz(path):
    with np.load(path, allow_pickle=False) as arrays:
        meta = json.loads(arrays["meta"].tobytes())
    assert meta["version"] == 1
    kinds = [layer["kind"] for layer in meta["network"]["layers"]]
    assert kinds == [
        "BinaryConv2D", "BatchNorm", "Sign", "BinaryConv2D", "MaxPool2D", "Threshold", "Flatten",
        "BinaryDense", "BatchNorm",
    ]  # fmt: skip


def test_the_page_on_the_format_knows_every_layer_and_option():
    page = (Path(bnn.deploy.__file__).parent / "FORMAT.md").read_text("utf-8")
    training = {"momentum", "kernel_initializer", "l2", "quantizer"}
    for kind in KINDS.values():
        if ours(kind) and kind is not nn.Layer and kind.__name__[0] != "_":
            assert f"`{kind.__name__}`" in page
            assert all(f"`{option}`" in page for option in {*kind.arguments} - training), kind


def by_the_page(path, images):
    """The outputs of ``small`` for bytes, by what FORMAT.md says and plain loops."""
    with zipfile.ZipFile(path) as members:
        raw = {m.filename[8:-4]: members.read(m) for m in members.infolist()}  # not "network/"

    def array(name, dtype, *shape):
        start = 10 + int.from_bytes(raw[name][8:10], "little")
        return np.frombuffer(raw[name][start:], dtype).reshape(shape)

    def signs(name, *shape):
        bits = np.unpackbits(array(name, "u1", -1), bitorder="little")
        return (1 - 2 * bits[: np.prod(shape)].astype(np.int64)).reshape(shape)

    def normalised(x, name):
        keys, count = ("moving_mean", "moving_variance", "beta"), x.shape[-1]
        mean, variance, beta = (array(f"{name}/{key}", "<f4", count) for key in keys)
        factor = np.float32(1) / np.sqrt(variance + np.float32(1e-3))
        if name == "batch_norm1":
            factor = factor * array(f"{name}/gamma", "<f4", count)
        return (x.astype(np.float32) - mean) * factor + beta

    def conv(x, w):
        height, width = x.shape[:2]
        x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        y = np.zeros((height, width, w.shape[3]), np.int64)
        for i in range(height):
            for j in range(width):
                y[i, j] = np.tensordot(x[i : i + 3, j : j + 3], w, 3)
        return y

    outputs, level = [], array("threshold1/level", "<i4", 33)
    direction = signs("threshold1/direction", 33)
    for image in images.astype(np.int64):
        z = conv(2 * image - 255, signs("conv1/kernel", 3, 3, 3, 5))
        x = normalised(z.astype(np.float32) * np.float32(1 / 255), "batch_norm1")
        z = conv(np.where(x >= 0, 1, -1), signs("conv2/kernel", 3, 3, 5, 33))
        z = z.reshape(3, 2, 2, 2, 33).max((1, 3))
        x = np.where(direction * z >= direction * level, 1, -1).reshape(-1)
        outputs.append(normalised(x @ signs("dense1/kernel", 198, 3), "batch_norm2"))
    return np.array(outputs)


def test_the_page_is_enough_to_compute_the_outputs(packed, path):
    images = next(some_images((6, 4, 3), 2, 5))
    same(packed.forward(images), by_the_page(path, images))


# -- what is refused -----------------------------------------------------------------------------


def refused(path, content, match=None):
    """InputError, in one line that names the file, and without much memory."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=match) as caught:
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=150, **SETTINGS)
@given(st.data())
def test_flipped_bits_anywhere(path, content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    try:
        again = load(path)
    except InputError as error:
        assert "\n" not in str(error)
        return
    # Some bytes of a zip mean nothing (its attributes): then nothing may have changed.
    assert written(again, path.parent) == content


def edited(path, content, change, **arrays):
    """The file with ``change`` applied to its network, its checksum made anew."""
    path.write_bytes(content)
    meta, found = checkpoint.read(path)
    meta["network"] = change(meta["network"]) or meta["network"]
    found |= {f"network/{name}": array for name, array in arrays.items()}
    return checkpoint.encode(meta, {name: a for name, a in found.items() if a is not None})


HOSTILE = [
    lambda d: d["layers"][3].update(filters=1 << 40),
    lambda d: d["layers"][3].update(filters=34),
    lambda d: d["layers"][3].update(kernel_size=[1 << 30, 1 << 30]),
    lambda d: d["layers"][3].update(kernel_size={"a": 1}),
    lambda d: d["layers"][3].update(strides=[1 << 62, 1]),
    lambda d: d["layers"][3].update(padding=["same"]),
    lambda d: d["layers"][3].update(kernel_quantizer=["ste_sign"]),
    lambda d: d["layers"][3].update(more=1),
    lambda d: d["layers"][3].pop("filters") and None,
    lambda d: d["layers"][3].update(kind="Conv2D"),
    lambda d: d["layers"][3].update(kind="__class__"),
    lambda d: d["layers"][3].update(kind=["BinaryConv2D"]),
    lambda d: d["layers"].pop() and None,
    lambda d: d["layers"].append(d["layers"][3]),
    lambda d: d["layers"].append({"kind": "Threshold"}),
    lambda d: d["layers"].append(None),
    lambda d: d["layers"].insert(0, d["layers"].pop()),
    lambda d: d["layers"][-1].update(epsilon=1e308),
    lambda d: d["layers"][-1].update(epsilon="1e-3"),
    lambda d: d["layers"][-1].update(scale=True),
    lambda d: d.update(input_shape=[1 << 31, 1 << 31, 3]),
    lambda d: d.update(input_shape=[10**4, 10**4, 3]),
    lambda d: d.update(input_shape=[6, 4]),
    lambda d: d.update(input_shape=[0, 4, 3]),
    lambda d: d.update(input_shape=[6.0, 4, 3]),
    lambda d: d.update(input_shape=None),
    lambda d: d.update(layers={}),
    lambda d: d.update(classes=["a"]),
    lambda d: d.update(classes=[1, 2, 3]),
    lambda d: d.update(classes="abc"),
    lambda d: d.update(image_form="else"),
    lambda d: d.update(dataset=7),
    lambda d: d.update(kind="Sequential"),
    lambda d: d.update(kind=["PackedNetwork"]),
    lambda d: d.update(more=1),
    lambda d: [d],
    lambda d: "text",
]


@pytest.mark.parametrize("change", HOSTILE)
def test_descriptions_that_lie(path, content, change):
    """With a right checksum: nobody but the reader's own rules stands in the way."""
    refused(path, edited(path, content, change), "does not fit its own configuration")


def test_shapes_that_no_array_bounds(path):
    """Averaging takes any image, so its size must be bounded by itself."""
    content = written(pack(nn.Sequential([nn.GlobalAvgPool2D()], (4, 4, 1))), path.parent)
    path.write_bytes(content)
    assert load(path).output_shape == (1,)
    lie = edited(path, content, lambda d: d.update(input_shape=[1 << 20, 1 << 20, 1]))
    refused(path, lie, "too large")
    net = nn.Sequential([nn.AvgPool2D(4, padding="same")], (4, 4, 1))
    content = written(pack(net), path.parent)
    for option, size in (("pool_size", 1 << 30), ("strides", 1 << 62)):
        change = {option: [size, size]}
        lie = edited(path, content, lambda d, change=change: d["layers"][0].update(change))
        refused(path, lie, "too large")


def test_nesting_without_end(path, content):
    def nest(description):
        layer = {"kind": "Flatten"}
        for _ in range(300):
            layer = {"kind": "Residual", "body": [layer], "shortcut": None}
        description["layers"] = [layer]

    refused(path, edited(path, content, nest))
    members = {"meta": np.frombuffer(b"[" * 200_000, np.uint8)}
    refused(path, archive.encode(members))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("conv2/kernel", np.ones((3, 3, 5, 32), np.int8)),
        ("conv2/kernel", np.zeros((3, 3, 5, 33), np.int8)),
        ("threshold1/level", np.zeros(33, np.int16)),
        ("threshold1/level", np.zeros(32, np.int32)),
        ("threshold1/direction", np.zeros(33, np.int8)),
        ("threshold1/direction", np.full(33, -128, np.int8)),
        ("batch_norm2/moving_mean", np.float32([0, np.nan, 0])),
        ("batch_norm2/moving_variance", np.float32([1, -1, 1])),
        ("batch_norm2/moving_variance", np.array(["1", "1", "1"])),
        ("batch_norm2/beta", None),
        ("conv7/kernel", np.ones(3, np.int8)),
    ],
)
def test_arrays_that_do_not_fit(path, content, name, array):
    refused(path, edited(path, content, lambda d: None, **{name: array}), name.split("/")[0])


def test_a_network_that_is_not_packed(tmp_path):
    small().save(tmp_path / "net.npz")
    with pytest.raises(InputError, match=r"net.npz .*PackedNetwork, found 'Sequential'"):
        load(tmp_path / "net.npz")
