"""Packed networks against the networks they come from: every output, bit for bit."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from random_networks import extreme_statistics, networks

import minibnn as bnn
from minibnn import nn
from minibnn.deploy import pack
from minibnn.errors import InputError
from minibnn.ops.backend import using
from minibnn.ops.bits import Signs

BACKENDS = sorted({"reference", os.environ["MINIBNN_BACKEND"]})  # conftest sets it
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def some_images(shape, seed, count=3):
    """Bytes, floats in [-1, 1], floats beyond, and float64."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    yield x
    yield x.astype(np.float32) / np.float32(127.5) - 1
    yield rng.normal(0, 10, x.shape).astype(np.float32)
    yield rng.normal(0, 1, x.shape)


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, Signs):
        assert a.shape == b.shape
        a, b = a.words, b.words
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes(), (a, b)


def equal(net, seed=0):
    """The packed network, whose outputs are the network's."""
    with np.errstate(all="ignore"):
        packed = pack(net)
        for x in some_images(net.input_shape, seed):
            expected = net.forward(x)
            same(packed.forward(x), expected)
            if not isinstance(expected, Signs):  # alone as in a batch
                same(packed.forward(x[:1]), expected[:1])
    assert packed.output_shape == net.output_shape
    return packed


@settings(max_examples=40, suppress_health_check=SLOW)
@given(networks(), st.integers(0, 2**32 - 1), st.sampled_from(BACKENDS))
def test_random_networks(net, seed, backend):
    note(net.layers)
    with using(backend):
        equal(net, seed)


@pytest.mark.slow
@settings(max_examples=2000, suppress_health_check=SLOW)
@given(networks(), st.integers(0, 2**32 - 1))
def test_two_thousand_random_networks(net, seed):
    note(net.layers)
    equal(net, seed)


# -- every order of pooling, and every direction -------------------------------------------------


def one_block(order, scale, pool=nn.MaxPool2D):
    """conv, then "n" normalisation, "s" sign and "p" pooling in some order, and a dense layer."""
    make = {"n": lambda: nn.BatchNorm(scale=scale), "s": nn.Sign, "p": lambda: pool(2)}
    block = [nn.BinaryConv2D(40, 3), *(make[letter]() for letter in order)]
    first = [nn.BinaryConv2D(33, 3, padding="valid"), nn.BatchNorm(), nn.Sign()]
    net = nn.Sequential([*first, *block, nn.Flatten(), nn.BinaryDense(5)], (10, 9, 2))
    rng = np.random.default_rng(0)
    extreme_statistics(net, rng)
    for layer in net.layers:
        if isinstance(layer, nn.BatchNorm) and layer.scale:
            layer.gamma.assign(np.where(np.arange(40) % 2, 1, -1) * rng.uniform(0.5, 2, 40))
            state = {"moving_mean": rng.normal(0, 9, 40), "moving_variance": np.full(40, 90.0)}
            layer.load_state(state)
            layer.beta.assign(np.zeros(40))
    return net


ONE_PASS = {  # what becomes a single step if all channels rise, and if some fall
    "ns": (True, True),
    "pns": (True, True),
    "nps": (True, False),
    "nsp": (True, False),
    "s": (True, True),
    "ps": (True, True),
    "sp": (True, True),
    "nns": (True, True),
    "npns": (True, False),
    "pnsp": (False, False),
}


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("order", ONE_PASS)
def test_pooling_in_every_place(order, scale):
    net = one_block(order, scale)
    packed = equal(net)
    kinds = [type(step).__name__ for step in packed.chain.steps]
    assert packed.on_bytes is not None
    whole = ["BinaryConv2D", "NormaliseAndSign", "MultiplyAndCompare", "Flatten", "BinaryDense"]
    assert (kinds == whole) is ONE_PASS[order][scale]


def test_pooling_that_is_no_halving():
    """Of odd sizes "same" keeps the last row and column, which the common pass leaves out."""
    for order in ("pns", "nsp"):
        net = one_block(order, False, lambda size: nn.MaxPool2D(size, padding="same"))
        assert nn.MaxPool2D in [type(step) for step in equal(net).chain.steps]


def test_numbers_beyond_all_bounds():
    """Infinity times a scale of 0 is no number, whose sign is +1: two changes of sign, no level."""
    norms = [nn.BatchNorm(scale=True, epsilon=1e-30), nn.BatchNorm(scale=True)]
    net = nn.Sequential([nn.Sign(), nn.BinaryDense(40), *norms, nn.Sign()], (8,))
    first, second = net.layers[2:4]
    first.load_state({"moving_mean": np.zeros(40), "moving_variance": np.zeros(40)})
    first.gamma.assign(np.full(40, 1e23))  # 2 is finite yet, 4 is not
    second.gamma.assign(np.zeros(40))
    second.beta.assign(np.full(40, -1))
    x = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    with np.errstate(all="ignore"):
        signs = net.forward(x)
        same(pack(net).forward(x), signs)
    assert 0 < np.count_nonzero(signs.unpack() < 0) < 50 * 40


def test_between_layers_only_bits_move():
    packed = equal(bnn.zoo.binarynet((16, 16, 3), filters=16, dense_units=40))
    first, steps = packed.on_bytes
    x = first.compare(next(some_images(packed.input_shape, 0)))
    for step in steps[:-2]:
        assert isinstance(x, Signs)
        x = step.forward(x)
    assert steps[-2].forward(x).dtype.kind == "i"
    held = [array for layer in packed.layers[3:-2] for array in layer.state().values()]
    assert {array.dtype.name for array in held} == {"int8", "int32"}
    assert all(p.binary for layer in packed.layers[3:-1] for p in layer.parameters())


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(threads, use_threads):
    net = bnn.zoo.binarynet((16, 16, 3), filters=40, dense_units=70)
    extreme_statistics(net, np.random.default_rng(1))
    x = next(some_images(net.input_shape, 0))
    with using("reference"):
        expected = net.forward(x)
    use_threads(threads)
    same(equal(net).forward(x), expected)


def test_any_batch():
    net = bnn.zoo.digits_net(filters=8, dense_units=32)
    extreme_statistics(net, np.random.default_rng(0))
    packed = pack(net)
    x = np.random.default_rng(1).integers(0, 256, (70, 8, 8, 1), dtype=np.uint8)
    whole = packed.forward(x)
    for batch in (1, 3, 32, 69):
        same(packed.predict(x, batch), whole)
        same(np.concatenate([packed.forward(x[k : k + batch]) for k in range(0, 70, batch)]), whole)
    same(packed.predict(x[:0]), net.predict(x[:0]))


@pytest.mark.slow
def test_all_test_images_of_cifar10(shared_cifar):
    data = bnn.data.load("cifar10", shared_cifar)
    net = bnn.zoo.binarynet()
    for k in range(4):
        net.forward(data.train_images[100 * k : 100 * k + 100], training=True)
    packed = pack(net)
    same(packed.predict(data.test_images), net.predict(data.test_images))
    floats = data.test_images[:1000] / np.float32(127.5) - np.float32(1)
    same(packed.predict(floats), net.predict(floats))


# -- the network it comes from, and what is around it --------------------------------------------


def test_packing_leaves_the_network_alone():
    net, twin = (bnn.zoo.digits_net(filters=8, dense_units=32) for _ in range(2))
    x = np.random.default_rng(1).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    gradient = np.random.default_rng(2).normal(size=(20, 10)).astype(np.float32)
    for one in (net, twin):
        one.forward(x, training=True)
    packed = pack(net)  # between the passes
    before = packed.forward(x)
    for one in (net, twin):
        one.backward(gradient)
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert_array_equal(p.grad, q.grad)
        p.assign(-p.value)
    net.layers[1].moving_mean += 3
    same(packed.forward(x), before)  # its arrays are its own


def test_what_it_says_of_itself():
    net = bnn.zoo.digits_net(filters=8, dense_units=32)
    packed = pack(net, classes=tuple("0123456789"))
    assert repr(packed) == "<PackedNetwork digits (8, 8, 1) -> (10,)>"
    assert packed.classes == tuple("0123456789")
    assert packed.summary().total("packed") < net.summary().total("packed")
    x = np.zeros((1, 8, 8, 1))
    for refused in (
        lambda: pack(packed),
        lambda: packed.forward(x, True),
        lambda: packed.backward(packed.forward(x)),
    ):
        with pytest.raises(InputError, match=r"^(what is packed|digits is packed: train)"):
            refused()


def test_layers_that_cannot_be_packed():
    class Odd(nn.ReLU):
        pass

    for layers in ([Odd()], [nn.BinaryDense(3), Odd(), nn.Sign()], [nn.Residual([Odd()])]):
        net = nn.Sequential([nn.Sign(), *layers], (4,))
        with pytest.raises(InputError, match="relu1 cannot be packed: Odd is no layer of minibnn"):
            pack(net)


@pytest.mark.parametrize(
    ("which", "value", "message"),
    [
        ("moving_mean", np.nan, "holds NaN or infinity"),
        ("moving_variance", np.nan, "holds NaN or infinity"),
        ("moving_variance", -1, "must not be below 0"),
        ("gamma", np.nan, "holds NaN or infinity"),
    ],
)
def test_statistics_that_cannot_be(which, value, message):
    net = nn.Sequential([nn.BinaryDense(3), nn.BatchNorm(scale=True), nn.Sign()], (4,))
    array = getattr(net.layers[1], which)
    if which.startswith("moving"):
        array[1] = value
    else:
        array.assign(np.float32([1, value, 1]))
    with pytest.raises(InputError, match=f"^batch_norm1/{which} {message}"):
        pack(net)
