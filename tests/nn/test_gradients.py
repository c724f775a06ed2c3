"""Integer gradients of networks: settings, what is kept, and how every kind of layer takes them."""

import os

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minibnn as bnn
from minibnn import nn
from minibnn.errors import InputError
from minibnn.ops.bits import pack_signs
from minibnn.ops.fixed import Fixed

BACKENDS = ["reference", os.environ["MINIBNN_BACKEND"]]  # conftest sets it


def digits(gradients="int8", **changes):
    return bnn.zoo.digits_net(filters=4, dense_units=8, gradients=gradients, **changes)


def batch(net, count=20, seed=0, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (count, *net.input_shape), dtype=np.uint8)
    x = x if dtype == np.uint8 else (x / dtype(255)).astype(dtype)
    return x, rng.integers(0, net.output_shape[-1], count)


def gradients_of(net, x, labels):
    logits = net.forward(x, training=True)
    _, dlogits = nn.softmax_cross_entropy(logits, labels)
    net.backward(dlogits)
    return {p.name: p.grad for p in net.parameters()}


@pytest.mark.parametrize(
    "name",
    ["int11", "int1", "float16", "INT8", 8, None, "int8-", "int8-centred-", "float32-centred"],
)
def test_another_type_is_one_line(name):
    with pytest.raises(InputError, match=r"^gradients must be float32 or int2 to int10 \(or int2-"):
        digits(name)
    net = digits()
    with pytest.raises(InputError):
        net.gradients = name
    assert net.gradients == "int8"


def test_a_network_without_binary_layers_has_none():
    net = nn.Sequential([nn.Flatten(), nn.Dense(3)], (2, 2, 1))
    with pytest.raises(InputError, match="sequential has no binary layer"):
        net.gradients = "int8"


def test_copy_save_and_configuration_keep_it(tmp_path):
    net = digits("int5")
    net.save(tmp_path / "net.npz")
    assert net.copy().gradients == bnn.load(tmp_path / "net.npz").gradients == "int5"
    assert nn.Sequential.from_config(net.config()).gradients == "int5"
    assert "gradients" not in digits("float32").config()  # as before there was a choice


@pytest.mark.parametrize(
    "gradients, share", [("int10", 0.025), ("int8", 0.1), ("int8-centred", 0.085)]
)
def test_they_are_near_those_of_floats(gradients, share):
    exact, rounded = (gradients_of(digits(g), *batch(digits())) for g in ("float32", gradients))
    for name, g in exact.items():
        assert rounded[name].dtype == np.float32
        error = np.linalg.norm(rounded[name] - g) / np.linalg.norm(g)
        assert 0 < error < share, name


def layers_of_all_kinds():
    return [
        nn.BinaryConv2D(8, 3),
        nn.MaxPool2D(3, strides=2, padding="same"),
        nn.BatchNorm(scale=True),
        nn.Sign("approx_sign"),
        nn.BinaryConv2D(8, 3, kernel_quantizer="magnitude_aware_sign"),
        nn.BatchNorm(),
        nn.Residual([nn.Sign(), nn.BinaryConv2D(8, 3), nn.MaxPool2D(3, 1, "same"), nn.BatchNorm()]),
        nn.ReLU(),
        nn.Sign(),
        nn.BinaryConv2D(8, 3),
        nn.AvgPool2D(2),
        nn.BatchNorm(),
        nn.Sign(),
        nn.Flatten(),
        nn.BinaryDense(16),
        nn.BinaryDense(5),  # floats in between: not exact, but it trains
        nn.BatchNorm(),
    ]


def test_every_kind_of_layer_takes_them(use_backend):
    found = []
    for backend in BACKENDS:
        use_backend(backend)
        net = nn.Sequential(layers_of_all_kinds(), (9, 9, 3), gradients="int8")
        assert net.machine_dependent() == ["conv2", "dense2"]
        found.append(gradients_of(net, *batch(net)))
        assert all(np.isfinite(g).all() and g.any() for g in found[-1].values())
    kernels = [name for name in found[0] if name.startswith("conv")]
    assert len(kernels) == 4
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[-1][name], rtol=1e-4, atol=1e-6)


GEOMETRIES = {}, {"pad_value": 1}, {"padding": "valid"}, {"strides": (2, 2)}


@pytest.mark.parametrize("geometry", [None, *GEOMETRIES])
@pytest.mark.parametrize("bytes_", [False, True])
def test_centred_are_those_of_a_mean_of_0(geometry, bytes_, each_backend):
    layer, shape = nn.BinaryDense(5), (65,)
    if geometry is not None:
        layer, shape = nn.BinaryConv2D(9, (3, 2), **geometry), (6, 7, 33)
    net, rng = nn.Sequential([layer], shape, gradients="int8-centred"), np.random.default_rng(0)
    x, _ = batch(net, 4)
    numbers = (2.0 * x - 255) / 255 if bytes_ else np.where(x < 200, 1.0, -1.0)
    layer.forward(x if bytes_ else pack_signs(numbers, numbers.ndim - 1), training=True)
    dy = Fixed(rng.integers(-40, 128, (4, *net.output_shape)).astype(np.int8), -5)
    layer.backward(dy, need_dx=False)
    u, every = dy.floats(np.float64), tuple(range(dy.ndim - 1))
    assert (u.mean(every) > 0.5).all()
    u -= u.mean(every)
    if geometry is None:
        expected = numbers.T @ u
    else:
        expected = naive.conv2d_grads(numbers, layer.kernel.value, u, **geometry)[1]
    assert_allclose(layer.kernel.grad, expected, rtol=1e-6, atol=1e-5)


def test_a_pool_rounds_nothing_where_the_convolution_before_it_will():
    found = []
    for padding in ("valid", "same"):  # the same windows, but only the first are fused
        pooled = nn.BinaryConv2D(64, 3), nn.MaxPool2D(2, padding=padding), nn.BatchNorm(), nn.Sign()
        layers = [nn.BinaryConv2D(8, 3), nn.BatchNorm(), nn.Sign(), *pooled]
        layers += [nn.Flatten(), nn.BinaryDense(4), nn.BatchNorm()]
        net = nn.Sequential(layers, (16, 16, 3), gradients="int8")
        found.append(gradients_of(net, *batch(net)))
    for name, g in found[0].items():
        np.testing.assert_array_equal(g, found[1][name], name)


def test_float_images_and_real_layers_are_named():
    net = digits()
    assert net.machine_dependent() == []
    assert net.machine_dependent(np.float32) == ["conv1"]
    real = nn.Sequential([nn.Conv2D(4, 3), nn.Sign(), nn.BinaryConv2D(4, 3)], (6, 6, 1))
    assert real.machine_dependent() == ["conv1"]
    swish = [nn.BinaryConv2D(4, 3), nn.BatchNorm(), nn.Sign("swish_sign"), nn.BinaryConv2D(4, 3)]
    assert nn.Sequential(swish, (6, 6, 1)).machine_dependent() == ["sign1"]


def test_training_gives_sums_and_doubles_and_evaluation_what_it_gave(each_backend):
    net, floats = nets = digits("int8"), digits("float32")
    x, _ = batch(net)
    sums = net.layers[0].forward(x, training=True)
    assert isinstance(sums, Fixed) and sums.divisor == 255
    assert_array_equal(sums.floats(), floats.layers[0].forward(x, training=True))
    assert [n.forward(x, training=True).dtype for n in nets] == [np.float64, np.float32]
    assert_array_equal(*(n.forward(x) for n in nets))  # the same statistics
    assert net.forward(x).dtype == np.float32


def test_a_gradient_that_is_not_finite_is_named():
    net = digits()
    logits = net.forward(batch(net)[0], training=True)
    net.backward(np.full(logits.shape, np.nan))
    for p in net.parameters():
        assert np.isnan(p.grad).all(), p.name


def test_a_digest_tells_every_bit():
    net = digits()
    before = net.digest()
    assert len(before) == 12 and int(before, 16) >= 0
    assert net.copy().digest() == before == digits().digest()
    beta = next(p for p in net.parameters() if not p.binary)
    beta.assign(np.nextafter(beta.value, np.float32(1)))
    assert net.digest() != before
    assert digits(seed=1).digest() != before
