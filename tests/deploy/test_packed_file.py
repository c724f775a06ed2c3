"""Packed networks in files: what comes back, how large they are, and what is refused."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import networks
from test_pack import same, some_images

import minibnn as bnn
from minibnn import nn
from minibnn.deploy import PackedNetwork, load, network, pack
from minibnn.errors import InputError
from minibnn.files import archive

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
def content(packed):
    return packed.encode()


@pytest.fixture
def path(tmp_path, content):
    (tmp_path / "small.bnn.npz").write_bytes(content)
    return tmp_path / "small.bnn.npz"


def test_a_network_comes_back(packed, path):
    again = load(path)
    assert (again.name, again.classes, again.image_form) == ("small", ("a", "b", "c"), "bytes")
    assert (again.input_shape, again.output_shape) == ((6, 4, 3), (3,))
    assert again.nbytes == packed.nbytes
    for x in some_images((6, 4, 3), 1):
        same(again.forward(x), packed.forward(x))
    assert again.encode() == path.read_bytes()
    assert repr(bnn.load(path)) == repr(packed)  # the package's load knows it too


@settings(max_examples=20, **SETTINGS)
@given(networks())
def test_any_network_comes_back(tmp_path_factory, net):
    with np.errstate(all="ignore"):
        packed = pack(net)
        path = tmp_path_factory.mktemp("p") / "net"
        packed.save(path)
        again = load(path)
        assert again.encode() == path.read_bytes()
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
        assert arrays["conv2/kernel"].shape == (3, 3, 1, 33)
        assert arrays["conv2/kernel"].dtype == np.uint32
        assert arrays["conv2/level"].dtype == np.int16
        description = json.loads(arrays["packed"].tobytes())
    assert description["version"] == 1
    kinds = [step["kind"] for step in description["steps"]]
    assert kinds == [
        "first_conv2d", "binary_conv2d_threshold", "flatten", "binary_dense", "batch_norm",
    ]  # fmt: skip


def test_the_page_on_the_format_knows_every_step():
    from pathlib import Path

    from minibnn.deploy.steps import KINDS

    page = Path(network.__file__).with_name("FORMAT.md").read_text("utf-8")
    for kind in KINDS.values():
        assert f"`{kind.name}`" in page, kind
        for option in (*kind.fields, *kind.chains):
            assert f"`{option}`" in page, option


def by_the_page(path, images):
    """The outputs of ``small`` for bytes, by what FORMAT.md says and plain loops."""
    with zipfile.ZipFile(path) as members:
        raw = {m.filename[:-4]: members.read(m) for m in members.infolist()}

    def array(name, dtype, *shape):
        start = 10 + int.from_bytes(raw[name][8:10], "little")
        return np.frombuffer(raw[name][start:], dtype).reshape(shape)

    def kernel(name, inputs, words, *shape):
        """±1 [..., inputs, outputs] from words [..., ceil(inputs / 32), outputs]."""
        bits = array(name, "<u4", *shape[:-1], words, shape[-1])
        k = np.arange(inputs)
        chosen = bits[..., k // 32, :] >> (k % 32)[:, None].astype(np.uint32)
        return 1 - 2 * (chosen & 1).astype(np.int64)

    def signs(z, name):
        count = z.shape[-1]
        level = array(f"{name}/level", "<i2", count)  # for sums up to 27 * 255, and 45
        falling = np.unpackbits(array(f"{name}/falling", "u1", -1), bitorder="little")[:count]
        return np.where(np.where(falling, z <= level, z >= level), 1, -1)

    def conv(x, w):
        height, width = x.shape[:2]
        x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        y = np.zeros((height, width, w.shape[3]), np.int64)
        for i in range(height):
            for j in range(width):
                y[i, j] = np.tensordot(x[i : i + 3, j : j + 3], w, 3)
        return y

    outputs = []
    for image in images.astype(np.int64):
        x = signs(conv(2 * image - 255, kernel("conv1/kernel", 3, 1, 3, 3, 5)), "conv1")
        z = conv(x, kernel("conv2/kernel", 5, 1, 3, 3, 33))
        z = z.reshape(3, 2, 2, 2, 33).max((1, 3))
        z = signs(z, "conv2").reshape(-1) @ kernel("dense1/kernel", 198, 7, 3)
        mean, variance, beta = (
            array(f"batch_norm3/{key}", "<f4", 3)
            for key in ("moving_mean", "moving_variance", "beta")
        )
        factor = np.float32(1) / np.sqrt(variance + np.float32(1e-3))
        outputs.append((z.astype(np.float32) - mean) * factor + beta)
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


@settings(max_examples=60, **SETTINGS)
@given(st.data())
def test_cut_off_anywhere(path, content, data):
    refused(path, content[: data.draw(st.integers(0, len(content) - 1))])


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
    assert again.encode() == content


def edited(content, change, **arrays):
    """The file with ``change`` applied to its description, its checksum made anew."""
    with np.load(io.BytesIO(content)) as found:
        members = {name: found[name] for name in found.files if name != "checksum"} | arrays
    description = json.loads(members["packed"].tobytes())
    description = change(description) or description
    members["packed"] = np.frombuffer(json.dumps(description).encode(), np.uint8)
    return archive.encode({name: a for name, a in members.items() if a is not None})


HOSTILE = [
    lambda d: d["steps"][1].update(filters=1 << 40),
    lambda d: d["steps"][1].update(filters=34),
    lambda d: d["steps"][1].update(filters=0),
    lambda d: d["steps"][1].update(filters="33"),
    lambda d: d["steps"][1].update(kernel_size=[1 << 30, 1 << 30]),
    lambda d: d["steps"][1].update(kernel_size=[3]),
    lambda d: d["steps"][1].update(kernel_size={"a": 1}),
    lambda d: d["steps"][1].update(strides=[1 << 62, 1]),
    lambda d: d["steps"][1].update(padding=["same"]),
    lambda d: d["steps"][1].update(pad_value=2),
    lambda d: d["steps"][1].update(pool=1),
    lambda d: d["steps"][1].update(more=1),
    lambda d: d["steps"][1].pop("pool") and None,
    lambda d: d["steps"][1].update(kind="binary_conv2d"),
    lambda d: d["steps"][1].update(kind="__class__"),
    lambda d: d["steps"][1].update(kind=["binary_conv2d"]),
    lambda d: d["steps"][1].update(name="conv1"),
    lambda d: d["steps"][1].update(name="../conv"),
    lambda d: d["steps"][1].update(name=7),
    lambda d: d["steps"].pop() and None,
    lambda d: d["steps"].append(d["steps"][1]),
    lambda d: d["steps"].append({"kind": "flatten"}),
    lambda d: d["steps"].append(None),
    lambda d: d["steps"].insert(0, d["steps"].pop()),
    lambda d: d["steps"][0].update(floats=[]),
    lambda d: d["steps"][0].update(floats=None),
    lambda d: d["steps"][0].update(floats=[dict(d["steps"][0])]),
    lambda d: d["steps"][0].pop("floats") and None,
    lambda d: d["steps"][-1].update(epsilon=0.0),
    lambda d: d["steps"][-1].update(epsilon=float("inf")),
    lambda d: d["steps"][-1].update(epsilon="1e-3"),
    lambda d: d["steps"][-1].update(scale=True),
    lambda d: d.update(input_shape=[1 << 31, 1 << 31, 3]),
    lambda d: d.update(input_shape=[10**4, 10**4, 3]),
    lambda d: d.update(input_shape=[6, 4]),
    lambda d: d.update(input_shape=[0, 4, 3]),
    lambda d: d.update(input_shape=[-6, 4, 3]),
    lambda d: d.update(input_shape=[6.0, 4, 3]),
    lambda d: d.update(input_shape=None),
    lambda d: d.update(steps={}),
    lambda d: d.update(classes=["a"]),
    lambda d: d.update(classes=[1, 2, 3]),
    lambda d: d.update(classes="abc"),
    lambda d: d.update(image_form="else"),
    lambda d: d.update(dataset=7),
    lambda d: d.update(name=None),
    lambda d: d.update(version=2),
    lambda d: d.update(version="1"),
    lambda d: d.update(format="else"),
    lambda d: d.update(more=1),
    lambda d: d.pop("classes") and None,
    lambda d: [d],
    lambda d: "text",
]


@pytest.mark.parametrize("change", HOSTILE)
def test_descriptions_that_lie(path, content, change):
    """With a right checksum: nobody but the reader's own rules stands in the way."""
    refused(path, edited(content, change))


def test_shapes_that_no_array_bounds(path):
    """Averaging takes any image, so its size must be bounded by itself."""
    net = nn.Sequential([nn.GlobalAvgPool2D()], (4, 4, 1))
    content = pack(net).encode()
    path.write_bytes(content)
    assert load(path).output_shape == (1,)
    refused(path, edited(content, lambda d: d.update(input_shape=[1 << 20, 1 << 20, 1])), "shape")
    net = nn.Sequential([nn.AvgPool2D(4, padding="same")], (4, 4, 1))
    content = pack(net).encode()
    for option, size in (("pool_size", 1 << 30), ("strides", 1 << 62)):
        change = {option: [size, size]}
        lie = edited(content, lambda d, change=change: d["steps"][0].update(change))
        refused(path, lie, "too large")


def test_nesting_without_end(path, content):
    def nest(description):
        step = {"kind": "flatten", "name": "f"}
        for k in range(300):
            step = {"kind": "residual", "name": f"r{k}", "body": [step], "shortcut": []}
        description["steps"] = [step]

    refused(path, edited(content, nest))
    members = {"packed": np.frombuffer(b"[" * 200_000, np.uint8)}
    refused(path, archive.encode(members))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("conv2/kernel", np.zeros((3, 3, 1, 32), np.uint32)),
        ("conv2/kernel", np.zeros((3, 3, 1, 33), np.int32)),
        ("conv2/kernel", np.full((3, 3, 1, 33), 1 << 5, np.uint32)),  # a bit that is no channel's
        ("conv2/level", np.zeros(33, np.int32)),
        ("conv2/falling", np.zeros(4, np.uint8)),
        ("batch_norm3/moving_mean", np.float32([0, np.nan, 0])),
        ("batch_norm3/moving_variance", np.float32([1, -1, 1])),
        ("batch_norm3/moving_variance", np.float64([1, 1, 1])),
        ("batch_norm3/beta", None),
        ("conv7/kernel", np.zeros(3, np.uint32)),
    ],
)
def test_arrays_that_do_not_fit(path, content, name, array):
    refused(path, edited(content, lambda d: None, **{name: array}), name.split("/")[0])


def test_a_wrong_checksum(path, content):
    with np.load(io.BytesIO(content)) as found:
        members = {name: found[name] for name in found.files}
    members["conv2/level"] = members["conv2/level"] + np.int16(1)
    with path.open("wb") as opened:
        np.savez(opened, **members)
    refused(path, path.read_bytes(), "checksum")


def test_other_files(tmp_path):
    with pytest.raises(InputError, match=r"nothing does not exist"):
        load(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"is a folder"):
        load(tmp_path)
    small().save(tmp_path / "net.npz")
    with pytest.raises(InputError, match=r"net.npz .*no packed network"):
        load(tmp_path / "net.npz")
    np.savez(tmp_path / "pickle.npz", packed=np.array([print], object))
    with pytest.raises(InputError, match="pickled objects: refused"):
        load(tmp_path / "pickle.npz")


def test_a_failed_write_leaves_nothing(tmp_path, packed, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    packed.save(tmp_path / "net")
    before = (tmp_path / "net").read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*net: No space left"):
        packed.save(tmp_path / "net")
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert (tmp_path / "net").read_bytes() == before


def test_names_of_classes_and_image_forms():
    steps = pack(small()).steps
    with pytest.raises(InputError, match="classes must be 3 names"):
        PackedNetwork(steps, (6, 4, 3), classes=["a", "b"])
    with pytest.raises(InputError, match="image_form must be one of"):
        PackedNetwork(steps, (6, 4, 3), image_form="floats")
