"""Layers and quantizers of one's own: trained, saved, loaded, copied, or refused before a file."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minibnn as bnn
from minibnn import nn
from minibnn.errors import InputError
from minibnn.nn.layers.layer import KINDS
from minibnn.nn.quantizers import KERNEL_QUANTIZERS, QUANTIZERS

DATA = bnn.data.load("digits").subset(train=210, test=53)


@pytest.fixture(autouse=True)
def nothing_is_left(use_backend):
    use_backend("reference")
    tables = (KINDS, QUANTIZERS, KERNEL_QUANTIZERS)
    before = [dict(table) for table in tables]
    yield
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)


def half(**members):
    """A class of layers that divide by two, or by what they are told."""
    own = {
        "prefix": "half",
        "by": 2,
        "forward": lambda self, x, training=False: x / np.float32(self.by),
        "backward": lambda self, dy, need_dx=True: dy / np.float32(self.by),
    }
    return type("Half", (nn.Layer,), own | members)


def forward(f):
    return {"forward": lambda self, x, training=False: f(x)}


def backward(f):
    return {"backward": lambda self, dy, need_dx=True: f(dy)}


def net_with(layer):
    layers = [nn.Flatten(), nn.BinaryDense(16), nn.BatchNorm(), layer, nn.Sign()]
    return nn.Sequential([*layers, nn.BinaryDense(10), nn.BatchNorm()], (8, 8, 1))


def fit(out, net, epochs=1):
    both = bnn.optim.Split(bnn.optim.Bop(1e-2, 1e-6), bnn.optim.Adam(0.01))
    bnn.fit(net, both, DATA, epochs=epochs, batch_size=20, out=out, progress=False)


def test_a_layer_of_ones_own_is_trained_saved_and_loaded(tmp_path):
    net = net_with(half()())
    fit(tmp_path / "run", net=net, epochs=2)
    net.save(tmp_path / "net.npz")
    x = DATA.test_images
    for again in (bnn.load(tmp_path / "net.npz"), bnn.load(tmp_path / "run"), net.copy()):
        assert [type(layer).__name__ for layer in again.layers][3] == "Half"
        assert_array_equal(again.predict(x), net.predict(x))
    with pytest.raises(InputError, match="half1 cannot be packed: Half is no layer"):
        bnn.deploy.pack(net)
    del KINDS["Half"]
    with pytest.raises(InputError, match=r"found 'Half' \(of one of your own, import the module"):
        bnn.load(tmp_path / "net.npz")


def init(self, by):
    self.by = by


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"__init__": init}, r"half1 \(Half\) cannot be made again .*list what its __init__ takes"),
        (
            {"__init__": lambda self, by=2: init(self, by)},
            r"half1 \(Half\) would be made again with by 2 in place of 3: list it in `arguments`",
        ),
        ({"__init__": init, "arguments": ("by",)}, None),
        (
            {"__init__": init, "arguments": ("by",), "state": lambda self: {"n": np.ones(4)}},
            "`arrays` must",
        ),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, members, said):
    net = net_with(half(**members)(3))
    if said is None:
        net.save(tmp_path / "net.npz")
        assert bnn.load(tmp_path / "net.npz").layers[3].by == 3
        return
    for act in (lambda: net.save(tmp_path / "net.npz"), lambda: fit(tmp_path / "run", net=net)):
        with pytest.raises(InputError, match=said):
            act()
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_taken_needs_another(tmp_path):
    flatten = type("ReLU", (nn.Layer,), forward(lambda x: -x))
    net = net_with(flatten())
    with pytest.raises(InputError, match="layer1 is of a class ReLU, and another has this name"):
        net.save(tmp_path / "net.npz")
    nn.register("minus")(flatten)
    net.save(tmp_path / "net.npz")
    x = DATA.test_images
    assert_array_equal(bnn.load(tmp_path / "net.npz").predict(x), net.predict(x))
    with pytest.raises(InputError, match="minibnn has a 'ReLU' of its own"):
        nn.register("ReLU")(flatten)
    net.save(tmp_path / "net.npz")  # its name is what it was
    with pytest.raises(InputError, match="class Mine, and only a Sequential itself is"):
        type("Mine", (nn.Sequential,), {})([nn.ReLU()], (2,)).save(tmp_path / "mine.npz")


def test_a_class_that_is_defined_anew_takes_over():
    first = net_with(half()())
    second = half()
    with pytest.raises(InputError, match="another has this name"):
        first.config()
    assert type(net_with(second()).copy().layers[3]) is second


@pytest.mark.parametrize("kind", [nn.BatchNorm, nn.Sign, nn.MaxPool2D, nn.BinaryConv2D])
def test_a_subclass_is_run_as_itself_and_not_as_its_parent(kind):
    """Neighbours that are run in one pass are those whose computation is known."""
    mine = type("Mine", (kind,), {"forward": lambda self, x, training=False: 1 / 0})
    options = {nn.MaxPool2D: (2,), nn.BinaryConv2D: (4, 3)}
    kinds = [nn.BinaryConv2D, nn.MaxPool2D, nn.BatchNorm, nn.Sign]
    layers = [(mine if k is kind else k)(*options.get(k, ())) for k in kinds]
    net = nn.Sequential([nn.Sign(), *layers], (8, 8, 3))
    with pytest.raises(ZeroDivisionError):
        net.forward(np.zeros((2, 8, 8, 3), np.uint8))
    assert "Mine" in [layer["kind"] for layer in net.config()["layers"]]


def test_a_quantizer_of_ones_own(tmp_path):
    @nn.register("tanh_sign")
    @dataclass(frozen=True)
    class TanhSign:
        beta: float = 2.0

        def gradient(self, dy, x):
            return dy * np.float32(self.beta) / np.cosh(np.float32(self.beta) * x) ** 2

    net = nn.Sequential([nn.Sign(TanhSign(np.float32(3))), nn.BinaryDense(2)], (4,))
    net.save(tmp_path / "net.npz")
    again = bnn.load(tmp_path / "net.npz")
    assert again.layers[0].quantizer == TanhSign(beta=3.0)
    x = np.float32([[0.1, -0.2, 0.3, 0]])
    found = again.layers[0]
    found.forward(x, training=True)
    assert_array_equal(found.backward(np.ones_like(x)), TanhSign(3.0).gradient(1, x))
    assert nn.Sign("tanh_sign").quantizer == TanhSign()
    assert bnn.deploy.pack(net).forward(x).tolist() == net.forward(x).tolist()

    class Other(type(nn.ste_sign)):  # its name is its parent's
        pass

    with pytest.raises(InputError, match=r"quantizer must be one of ste_sign, .*, found"):
        nn.Sign(Other())


def test_a_scale_of_ones_own():
    @nn.register("largest")
    def largest(latent):
        return np.abs(latent).max(axis=0)

    layer = nn.BinaryDense(2, "largest")
    net = nn.Sequential([layer], (3,)).copy()
    net.layers[0].kernel.rescale(np.float32([[1, -2], [3, 0], [0, 1]]))
    assert net.layers[0].kernel.scale.tolist() == [3, 2]


def test_a_layer_of_ones_own_gets_floats_where_sums_of_bytes_are_fixed():
    layers = [nn.Flatten(), nn.BinaryDense(4), half()(), nn.BatchNorm()]
    net = nn.Sequential(layers, (8, 8, 1), gradients="int8")
    z = net.forward(DATA.test_images, training=True)
    net.backward(np.ones_like(z))
    assert abs(net.parameters()[0].grad).max() > 0


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (forward(lambda x: x[:, 1:]), r"forward .* \(20, 16\), found \(20, 15\)"),
        (forward(lambda x: x * np.nan), "forward .* found NaN or infinity"),
        (backward(lambda dy: dy[:3]), r"backward .* \(20, 16\), found \(3, 16\)"),
        (backward(lambda dy: None), r"backward .* \(20, 16\), found None"),
    ],
)
def test_what_a_layer_of_ones_own_gives_is_checked(tmp_path, members, said):
    with pytest.raises(InputError, match=f"half1: {said}"):
        fit(None, net_with(half(**members)()))


def test_a_layer_of_ones_own_gets_floats_of_bytes_signs_and_sums():
    seen = []
    one, two, three = (half(**forward(lambda x: seen.append(x) or x))() for _ in range(3))
    layers = [nn.Flatten(), one, nn.Sign(), two, nn.Sign(), nn.BinaryDense(3), three]
    nn.Sequential(layers, (8, 8, 1)).forward(DATA.test_images)
    assert [x.dtype for x in seen] == [np.float32] * 3
    pixels = DATA.test_images.reshape(-1, 64).astype(np.float32)
    assert_array_equal(seen[0], (2 * pixels - 255) * np.float32(1 / 255))
    assert_array_equal(seen[1], np.where(seen[0] < 0, -1, 1))
    assert_array_equal(seen[2], seen[1] @ layers[5].kernel.value)
    for dtype in (np.uint8, np.uint16, np.int64, np.longdouble):  # no image's, nor any layer's here
        numbers = half(**forward(lambda x, dtype=dtype: np.full(x.shape, 200, dtype)))()
        found = nn.Sequential([numbers, nn.Flatten()], (1,)).predict(np.float32([[0]]))
        assert (found, found.dtype) == (200, np.float32)
