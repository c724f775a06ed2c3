"""Packed networks against the networks they come from: every output, bit for bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_networks import networks

from minibnn.deploy import pack
from minibnn.ops.backend import using
from minibnn.ops.bits import Signs

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def pictures(shape, seed, count=3):
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
    note(net.layers)
    with np.errstate(all="ignore"):
        packed = pack(net)
        note(packed.steps)
        for x in pictures(net.input_shape, seed):
            expected = net.forward(x)
            same(packed.forward(x), expected)
            if not isinstance(expected, Signs):  # alone as in a batch
                same(packed.forward(x[:1]), expected[:1])
    assert packed.output_shape == net.output_shape
    return packed


@settings(max_examples=60, suppress_health_check=SLOW)
@given(networks(), st.integers(0, 2**32 - 1), st.sampled_from(["numba", "reference"]))
def test_random_networks(net, seed, backend):
    with using(backend):
        equal(net, seed)


@pytest.mark.slow
@settings(max_examples=2000, suppress_health_check=SLOW)
@given(networks(), st.integers(0, 2**32 - 1))
def test_two_thousand_random_networks(net, seed):
    equal(net, seed)
