"""magnitude_aware_sign: a factor per output that follows the latent weights and is not trained."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minibnn as bnn
from minibnn import nn, optim


def network(seed=0):
    return nn.Sequential(
        [
            nn.BinaryConv2D(5, 3, kernel_quantizer="magnitude_aware_sign"),
            nn.MaxPool2D(2),
            nn.BatchNorm(),
            nn.Sign(),
            nn.Flatten(),
            nn.BinaryDense(3, kernel_quantizer="magnitude_aware_sign"),
            nn.BatchNorm(),
        ],
        (6, 6, 2),
        seed=seed,
    )


def kernels(net):
    return [p for p in net.parameters() if p.binary]


def trained(net, optimizer, steps=3):
    both = optim.Split(binary=optimizer, real=optim.Adam(lr=0.01))
    both.prepare(net.parameters())
    rng = np.random.default_rng(1)
    for _ in range(steps):
        x, labels = rng.standard_normal((8, 6, 6, 2)).astype(np.float32), rng.integers(0, 3, 8)
        net.backward(nn.softmax_cross_entropy(net.forward(x, training=True), labels)[1])
        both.step(net.parameters())
    return both


def mean_magnitudes(net, split, what="latent"):
    """Mean |latent| of each output, in float64, kernel by kernel."""
    state = split.state_dict()
    for p in kernels(net):
        latent = np.abs(state[f"binary/{p.name}/{what}"].astype(np.float64))
        yield p, latent.reshape(-1, p.shape[-1]).mean(0)


OPTIMIZERS = {
    "latent": lambda: optim.LatentSGD(lr=0.5, momentum=0.5),
    "adam": lambda: optim.LatentAdam(lr=0.05),
    "inertia": lambda: optim.InertiaSGD(lr=0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_the_scale_is_the_mean_magnitude_at_the_start_and_after_each_step(name, steps):
    net = network()
    split = trained(net, OPTIMIZERS[name](), steps)
    for p, expected in mean_magnitudes(net, split, "inertia" if name == "inertia" else "latent"):
        assert p.scale.dtype == np.float32
        assert_allclose(p.scale, expected, rtol=1e-6)
        assert len(np.unique(p.scale)) == len(p.scale)


def test_without_latent_weights_the_scale_stays_one():
    net = network()
    trained(net, optim.Bop(gamma=0.1, threshold=0.0))
    for p in kernels(net):
        assert_array_equal(p.scale, 1)


def test_outputs_and_gradients_by_the_real_kernel(use_backend):
    """Larq's form: the latent kernel is quantised to mean |latent| sign(latent)."""
    use_backend("reference")
    rng = np.random.default_rng(0)
    layer = nn.BinaryDense(4, kernel_quantizer="magnitude_aware_sign")
    nn.Sequential([layer], (6,))
    latent = rng.standard_normal((6, 4))
    layer.kernel.assign(np.where(latent < 0, -1, 1))
    layer.kernel.rescale(latent)
    quantised = np.abs(latent).mean(0) * np.where(latent < 0, -1, 1)
    x, dy = rng.standard_normal((5, 6)), rng.standard_normal((5, 4))
    assert_allclose(layer.forward(x, True), x @ quantised, rtol=1e-6, atol=1e-6)
    assert_allclose(layer.backward(dy), dy @ quantised.T, rtol=1e-6, atol=1e-6)
    assert_allclose(layer.kernel.grad, np.abs(latent).mean(0) * (x.T @ dy), rtol=1e-6, atol=1e-6)


def test_scales_are_saved_copied_and_no_parameters(tmp_path):
    net = network()
    trained(net, optim.LatentAdam(lr=0.05))
    x = np.random.default_rng(2).standard_normal((4, 6, 6, 2)).astype(np.float32)
    net.save(tmp_path / "net.npz")
    for twin in (net.copy(), bnn.load(tmp_path / "net.npz")):
        assert_array_equal(twin.predict(x), net.predict(x))
        assert [p.scale.tolist() for p in kernels(twin)] == [p.scale.tolist() for p in kernels(net)]
    assert not any("scale" in p.name for p in net.parameters())
    assert net.summary().rows[0]["floats"] == 5
    assert nn.Sequential.from_config(net.config()).config() == net.config()


def test_fused_or_not_the_backends_agree(use_backend):
    seen = []
    for backend in ("reference", "numba"):
        use_backend(backend)
        net = network()
        trained(net, optim.LatentSGD(lr=0.5))
        seen.append(net.state_dict())
    for name, value in seen[0].items():
        assert_allclose(seen[1][name], value, rtol=1e-4, atol=1e-5, err_msg=name)
