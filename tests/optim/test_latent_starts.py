"""Where latent weights start, how an assigned bit signs them, and the scaling of rates."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minibnn import optim
from minibnn.errors import InputError
from minibnn.nn.layers.layer import Parameter
from minibnn.ops.bits import binarize
from minibnn.optim.latent import TINY

KERNEL = "conv1/kernel"


def kernel(shape=(3, 3, 8, 16), seed=0, name=KERNEL):
    return Parameter(name, np.random.default_rng(seed).choice([-1, 1], shape), True)


def start(optimizer, *ps):
    optimizer.prepare(ps)
    return optimizer.state_dict()[f"{ps[0].name}/latent"]


@pytest.mark.parametrize("make", [optim.LatentSGD, optim.LatentAdam])
def test_glorot_magnitudes_with_the_networks_signs(make):
    p = kernel()
    latent = start(make(), p)
    limit = np.sqrt(6 / (9 * 8 + 9 * 16))
    assert latent.dtype == np.float32
    assert_array_equal(binarize(latent), p.value)
    assert 0.98 * limit < np.abs(latent).max() <= limit
    assert np.abs(latent).mean() == pytest.approx(limit / 2, rel=0.05)


def test_start_depends_on_seed_and_name_alone():
    p, other = kernel(), kernel((4, 4), name="dense2/kernel")
    latent = start(optim.LatentSGD(seed=1), p)
    assert_array_equal(latent, start(optim.LatentSGD(seed=1), p, other))
    assert_array_equal(latent, start(optim.LatentAdam(seed=1), p))
    assert (np.abs(latent) != np.abs(start(optim.LatentSGD(seed=2), p))).any()
    renamed = kernel(name="conv2/kernel")
    assert (np.abs(latent) != np.abs(start(optim.LatentSGD(seed=1), renamed))).any()


def test_start_by_number_and_by_arrays():
    p = Parameter(KERNEL, [[1, -1], [-1, 1]], True)
    assert_array_equal(start(optim.LatentSGD(initial=0.5), p), [[0.5, -0.5], [-0.5, 0.5]])
    given = {KERNEL: [[-1, 2], [3, -4]]}  # magnitudes: the signs are the network's
    assert_array_equal(start(optim.LatentSGD(initial=given), p), [[1, -2], [-3, 4]])
    with pytest.raises(InputError, match="initial has no array for conv1/kernel"):
        start(optim.LatentSGD(initial={}), p)
    with pytest.raises(InputError, match="must be finite"):
        start(optim.LatentSGD(initial={KERNEL: np.full((2, 2), np.nan)}), p)


def test_a_minus_one_at_magnitude_zero_keeps_its_sign(each_backend):
    p = Parameter(KERNEL, [[1, -1]], True)
    optimizer = optim.LatentSGD(lr=0.5, initial=0)
    assert_array_equal(start(optimizer, p), [[0, -TINY]])
    p.grad = np.zeros((1, 2), np.float32)
    assert optimizer.step([p]) == {KERNEL: 0}
    assert_array_equal(p.value, [[1, -1]])


@pytest.mark.parametrize("make", [optim.LatentSGD, optim.LatentAdam])
def test_assigning_bits_signs_the_latent_weights(make, each_backend):
    p = Parameter(KERNEL, [[1, -1, 1]], True)
    optimizer = make(lr=1e-3, initial=0.5)
    p.grad = np.zeros((1, 3), np.float32)
    optimizer.step([p])
    p.assign([[1, 1, -1]])
    assert optimizer.step([p]) == {KERNEL: 0}
    assert_array_equal(p.value, [[1, 1, -1]])
    assert_array_equal(optimizer.state_dict()[f"{KERNEL}/latent"], [[0.5, 0.5, -0.5]])


@pytest.mark.parametrize(
    "optimizer",
    [
        optim.SchmittSGD(lr=0.5, weight_decay=0, deadband=0.25),
        optim.DoubleWellSGD(lr=0.5, weight_decay=0, deadband=0.25),
        optim.InertiaSGD(lr=0.5),
        optim.Bop(gamma=0.5, threshold=2),
    ],
    ids=lambda o: o.kind,
)
def test_assigned_bits_survive_a_step_without_gradient(optimizer, each_backend):
    optimizer = optimizer.copy()
    p = Parameter(KERNEL, [[1, -1, 1, -1]], True)
    for g in (3, 0):
        p.grad = np.full((1, 4), g, np.float32)
        optimizer.step([p])
    bits = -p.value
    p.assign(bits)
    assert optimizer.step([p]) == {KERNEL: 0}
    assert_array_equal(p.value, bits)


def test_both_forms_of_a_hysteresis_start_alike():
    p, theta = Parameter(KERNEL, [[1, -1]], True), 1.0
    found = {}
    for kind in optim.SchmittSGD, optim.DoubleWellSGD:
        optimizer = kind(deadband=theta, initial={KERNEL: np.float32([[-1.5, 0.5]])})
        optimizer.prepare([p])
        found[kind] = optimizer.state_dict()[f"{KERNEL}/latent"]
    # a bit's well is a deadband away
    assert_array_equal(found[optim.SchmittSGD] + theta * p.value, found[optim.DoubleWellSGD])


@pytest.mark.parametrize(
    "make, field", [(optim.LatentSGD, "latent"), (optim.InertiaSGD, "inertia")]
)
def test_glorot_scaling_of_the_rate(make, field, each_backend):
    """Fans 72 and 144: the rate is divided by sqrt(1.5 / 216) = 1/12."""
    p, q = kernel(), kernel()
    p.grad = q.grad = np.random.default_rng(1).normal(size=p.shape).astype(np.float32)
    plain, scaled = make(lr=0.012), make(lr=0.001, lr_scaling="glorot")
    plain.step([p])
    scaled.step([q])
    found, expected = (o.state_dict()[f"{KERNEL}/{field}"] for o in (scaled, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_gradients_of_another_float_type_are_rounded(each_backend):
    for optimizer in (optim.Bop(gamma=0.5, threshold=0), optim.LatentAdam()):
        p = kernel((3, 4))
        p.grad = np.random.default_rng(0).normal(size=p.shape)
        optimizer.step([p])
        assert {x.dtype for x in optimizer.state_dict().values() if x.ndim} == {np.dtype("f4")}


def test_both_forms_of_a_hysteresis_take_assigned_bits_alike():
    found = []
    for kind in optim.SchmittSGD, optim.DoubleWellSGD:
        optimizer, p = kind(lr=0.5, weight_decay=0.5, deadband=1.0), Parameter("k", [[1, -1]], True)
        for t, g in enumerate((-1, 0.5, 0, 2, 2)):
            if t == 2:
                p.assign(-p.value)
            p.grad = np.full((1, 2), g, np.float32)
            optimizer.step([p])
            found.append(p.value.tolist())
    assert found[:5] == found[5:]
    assert found[0] != found[4]


@pytest.mark.parametrize("kind", [optim.LatentSGD, optim.LatentAdam, optim.DoubleWellSGD])
def test_a_second_network_keeps_its_bits(kind):
    optimizer = kind()
    for p in (kernel(), kernel(seed=1)):
        p.grad = np.zeros(p.shape, np.float32)
        assert optimizer.step([p]) == {KERNEL: 0}
