"""Split: bits to one optimizer, reals to the other."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import nn, optim
from minibnn.errors import InputError
from minibnn.nn.layers.layer import Parameter


def network():
    random = np.random.default_rng(0)
    return [
        Parameter("conv1/kernel", random.choice([-1, 1], (3, 3, 2, 4)), True),
        Parameter("batch_norm1/beta", np.zeros(4), False),
        Parameter("dense2/kernel", random.choice([-1, 1], (4, 3)), True),
    ]


def step(optimizer, ps, seed):
    for i, p in enumerate(ps):
        p.grad = np.random.default_rng([seed, i]).normal(size=p.shape).astype(np.float32)
    return optimizer.step(ps)


def make():
    return optim.Split(
        binary=optim.Bop(gamma=optim.linear(0.5, 0.1), threshold=0.1), real=optim.Adam(lr=0.01)
    ).bind(2, 10)


def test_each_gets_its_own_and_flips_are_the_binary_ones(each_backend):
    ps, qs = network(), network()
    split, bop, adam = make(), make().binary, make().real
    bop.bind(2, 10)
    for seed in range(4):
        flips = step(split, ps, seed)
        for p, q in zip(ps, qs, strict=True):
            q.grad = p.grad
        assert flips == bop.step([qs[0], qs[2]])
        assert adam.step([qs[1]]) == {}
        for p, q in zip(ps, qs, strict=True):
            assert_array_equal(p.value, q.value)
    assert list(flips) == ["conv1/kernel", "dense2/kernel"]
    assert split.iterations == 4


def test_state_and_configuration_round_trip(each_backend):
    ps, split = network(), make()
    step(split, ps, 0)
    again = optim.from_config(json.loads(json.dumps(split.config()))).bind(2, 10)
    again.load_state_dict(split.state_dict())
    assert "binary/conv1/kernel/m" in split.state_dict()
    assert "real/batch_norm1/beta/v" in split.state_dict()
    assert again.config() == split.config()
    assert again.state_bytes() == split.state_bytes() == 4 * (72 + 12 + 2 * 4)
    qs = [Parameter(p.name, p.value, p.binary) for p in ps]
    twin, rs = split.copy(), [Parameter(p.name, p.value, p.binary) for p in ps]
    for seed in (1, 2):
        assert step(split, ps, seed) == step(again, qs, seed) == step(twin, rs, seed)
    for p, q, r in zip(ps, qs, rs, strict=True):
        assert_array_equal(p.value, q.value)
        assert_array_equal(p.value, r.value)


@pytest.mark.parametrize(
    ("real", "g", "error", "said"),
    [
        (optim.Adam(lr=0.01), np.nan, optim.NonFiniteError, "batch_norm1/beta"),
        (optim.SGD(lr=optim.linear(0.1, 0.01)), 1, InputError, "counts epochs or the run"),
    ],
    ids=["a gradient", "a schedule without its span"],
)
def test_what_stops_the_second_stops_both(real, g, error, said, each_backend):
    ps, split = network(), optim.Split(optim.Bop(gamma=1, threshold=0), real)
    for p in ps:
        p.grad = np.full(p.shape, 1 if p.binary else g, np.float32)
    with pytest.raises(error, match=said):
        split.step(ps)
    for p, q in zip(ps, network(), strict=True):
        assert_array_equal(p.value, q.value)
    assert split.iterations == 0


def test_every_trainable_parameter_needs_a_part():
    with pytest.raises(InputError, match="no optimizer for the real parameter batch_norm1/beta"):
        step(optim.Split(binary=optim.Bop()), network(), 0)
    with pytest.raises(InputError, match="no optimizer for the binary parameter conv1/kernel"):
        step(optim.Split(real=optim.Adam()), network(), 0)
    frozen = network()
    for p in frozen:
        p.trainable = p.binary
    optim.Split(binary=optim.Bop()).prepare(frozen)


def test_a_part_may_be_missing_where_nothing_needs_it(each_backend):
    ps = [p for p in network() if p.binary]
    assert set(step(optim.Split(binary=optim.Bop()), ps, 0)) == {p.name for p in ps}


def test_foreign_state():
    split = make()
    state = split.state_dict()
    with pytest.raises(InputError, match="no entry 'other/iterations'"):
        split.load_state_dict(state | {"other/iterations": np.array(1)})
    with pytest.raises(InputError, match="adam: state lacks the entry 'iterations'"):
        split.load_state_dict({k: v for k, v in state.items() if not k.startswith("real/")})


def test_what_is_frozen_needs_no_optimizer_and_keeps_its_scale():
    net = nn.Sequential([nn.BinaryDense(4, "magnitude_aware_sign"), nn.BatchNorm()], (8,))
    kernel, beta = net.parameters()
    kernel.rescale(np.full(kernel.shape, 7.0))
    kernel.trainable = beta.trainable = False
    for optimizer in optim.LatentSGD(), optim.SGD():
        optimizer.prepare(net.parameters())
    assert (kernel.scale == 7).all()
