"""Arrays of Larq's layers, made here, against Larq's formulas written out naively."""

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minibnn import InputError, nn
from minibnn.deploy import larq, pack

KERNELS = {
    "quant_conv2d": (3, 3, 2, 4),
    "quant_conv2d_1": (3, 3, 4, 5),
    "quant_dense": (20, 6),
    "quant_dense_1": (6, 3),
}
NORMS = {
    "batch_normalization": 4,
    "batch_normalization_1": 5,
    "batch_normalization_2": 6,
    "batch_normalization_3": 3,
}


@pytest.fixture(autouse=True)
def reference_backend(use_backend):
    use_backend("reference")


def network(**norm):
    layers = [nn.BinaryConv2D(4, 3, padding="valid"), nn.BatchNorm(**norm), nn.Sign()]
    layers += [nn.BinaryConv2D(5, 3), nn.MaxPool2D(2), nn.BatchNorm(**norm), nn.Sign()]
    layers += [nn.Flatten(), nn.BinaryDense(6), nn.BatchNorm(**norm), nn.Sign()]
    return nn.Sequential([*layers, nn.BinaryDense(3), nn.BatchNorm(**norm)], (6, 6, 2))


def weights(seed=0):
    """What Keras would hold after latent training, in the order of the layers."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for (name, shape), (norm, channels) in zip(KERNELS.items(), NORMS.items(), strict=True):
        kernel = rng.uniform(-1, 1, shape).astype(np.float32)
        kernel.flat[:3] = 0.0, -0.0, 1.0
        arrays[f"{name}/kernel"] = kernel
        arrays[f"{norm}/beta"] = rng.normal(0, 1, channels).astype(np.float32)
        arrays[f"{norm}/moving_mean"] = rng.normal(0, 2, channels).astype(np.float32)
        arrays[f"{norm}/moving_variance"] = rng.uniform(1, 30, channels).astype(np.float32)
    return arrays


def some_images(n=4):
    return np.random.default_rng(7).integers(0, 256, (n, 6, 6, 2), dtype=np.uint8)


def keras(arrays, x, epsilon=1e-3):
    """The logits: Larq's layers with ste_sign on kernels and on all inputs but the first."""

    def kernel(k):
        return naive.sign(arrays[f"{list(KERNELS)[k]}/kernel"])

    def normalise(z, k):
        name = list(NORMS)[k]
        beta, mean, variance = (
            arrays[f"{name}/{w}"] for w in ("beta", "moving_mean", "moving_variance")
        )
        z = z + arrays.get(f"{list(KERNELS)[k]}/bias", 0)
        return (z - mean) / np.sqrt(variance + epsilon) * arrays.get(f"{name}/gamma", 1) + beta

    z = normalise(naive.conv2d(x / 127.5 - 1, kernel(0), padding="valid"), 0)
    z = naive.max_pool2d(naive.conv2d(naive.sign(z), kernel(1)), (2, 2), (2, 2), "valid")[0]
    z = naive.sign(normalise(z, 1)).reshape(len(x), -1)
    z = naive.sign(normalise(naive.dense(z, kernel(2)), 2))
    return normalise(naive.dense(z, kernel(3)), 3)


def unchanged(net, call):
    before = net.state_dict()
    with pytest.raises(InputError) as raised:
        call()
    for name, value in net.state_dict().items():
        assert_array_equal(value, before[name])
    assert "\n" not in str(raised.value)
    return str(raised.value)


# -- in -------------------------------------------------------------------------------------------


def test_a_network_from_larq(tmp_path):
    arrays, x = weights(), some_images()
    np.savez(tmp_path / "weights.npz", **arrays)
    net = network()
    reading = larq.read(tmp_path / "weights.npz", net)
    assert_allclose(net.forward(x), keras(arrays, x), rtol=1e-5, atol=1e-5)
    assert_array_equal(pack(net).forward(x), net.forward(x))
    assert reading.layers["conv2"] == "quant_conv2d_1"
    assert reading.layers["batch_norm4"] == "batch_normalization_3"
    assert reading.signed == {
        "conv1/kernel": 71,  # all but the 1 that weights() puts in
        "conv2/kernel": 179,
        "dense1/kernel": 119,
        "dense2/kernel": 17,
    }
    assert "conv2/kernel: 179 entries were not ±1 and were signed" in str(reading)
    assert net.layers[0].kernel.value.flat[:3].tolist() == [1, 1, 1]  # sign(0) = sign(-0) = +1


def test_what_bop_trained_is_taken_as_it_is():
    arrays = {k: naive.sign(v) if "kernel" in k else v for k, v in weights().items()}
    net = network()
    reading = larq.read({f"{name}:0": array for name, array in arrays.items()}, net)
    assert set(reading.signed.values()) == {0}
    assert "not ±1" not in str(reading)
    assert_array_equal(net.layers[3].kernel.value, arrays["quant_conv2d_1/kernel"])


def test_epsilon_and_momentum():
    arrays, x = weights(), some_images()
    net = network(momentum=0.5)
    arrays |= {f"{norm}/epsilon": 0.7 for norm in NORMS}
    arrays["batch_normalization_2/momentum"] = np.float64(0.9)
    larq.read(arrays, net)
    assert_allclose(net.forward(x), keras(arrays, x, 0.7), rtol=1e-5, atol=1e-5)
    norms = [layer for layer in net.layers if isinstance(layer, nn.BatchNorm)]
    assert [norm.momentum for norm in norms] == [0.5, 0.5, 0.9, 0.5]
    larq.read(arrays, net, epsilon=0.2, momentum=0.3)
    assert_allclose(net.forward(x), keras(arrays, x, 0.2), rtol=1e-5, atol=1e-5)
    assert [norm.momentum for norm in norms] == [0.3] * 4
    assert unchanged(net, lambda: larq.read(arrays, net, epsilon=0)).startswith("epsilon must be")


def test_gamma():
    arrays, x = weights(), some_images()
    for norm, channels in NORMS.items():
        arrays[f"{norm}/gamma"] = np.linspace(-1, 2, channels).astype(np.float32)
    net = network(scale=True)
    larq.read(arrays, net)
    assert_allclose(net.forward(x), keras(arrays, x), rtol=1e-5, atol=1e-5)
    plain = network()
    assert unchanged(plain, lambda: larq.read(arrays, plain)) == (
        "batch_normalization/gamma is not 1 everywhere, but the network's batch_norm1 has "
        "scale=False"
    )
    larq.read(arrays | {f"{norm}/gamma": np.ones(n) for norm, n in NORMS.items()}, plain)


def test_biases_go_into_the_normalisation_behind():
    arrays, x = weights(), some_images()
    for name, shape in KERNELS.items():
        arrays[f"{name}/bias"] = np.linspace(-3, 2, shape[-1]).astype(np.float32)
    arrays["quant_dense/bias"][:] = 0
    net = network()
    reading = larq.read(arrays, net)
    assert_allclose(net.forward(x), keras(arrays, x), rtol=1e-5, atol=1e-5)
    assert reading.folded == ("quant_conv2d/bias", "quant_conv2d_1/bias", "quant_dense_1/bias")
    arrays["quant_conv2d/bias"][:] = -3e38
    arrays["batch_normalization/moving_mean"][:] = 3e38
    assert "conv2d/bias and batch_norm1/moving_mean are too far" in unchanged(
        net, lambda: larq.read(arrays, net)
    )
    bare = nn.Sequential([nn.BinaryDense(2), nn.Sign()], (3,))
    arrays = {"quant_dense/kernel": np.ones((3, 2)), "quant_dense/bias": np.ones(2)}
    said = unchanged(bare, lambda: larq.read(arrays, bare))
    assert "no batch normalisation behind dense1" in said


def test_real_layers_and_their_biases():
    block = nn.Residual([nn.BinaryConv2D(2, 1), nn.BatchNorm()])
    layers = [nn.Conv2D(2, 1), block, nn.Flatten(), nn.Dense(3, use_bias=False)]
    net = nn.Sequential(layers, (2, 2, 1))
    arrays = {
        "conv2d/kernel": np.float32([[[[0.5, -2]]]]),
        "conv2d/bias": np.float32([1, 2]),
        "quant_conv2d/kernel": np.float32([[[[0.5, -2], [3, 0]]]]),
        "quant_conv2d/bias": np.float32([0.5, 0]),
        "batch_normalization/beta": np.zeros(2),
        "batch_normalization/moving_mean": np.ones(2),
        "batch_normalization/moving_variance": np.ones(2),
        "dense/kernel": np.arange(24).reshape(8, 3),
        "dense/flip_ratio": np.zeros(1),
    }
    reading = larq.read(arrays, net)
    state = net.state_dict()
    assert_array_equal(state["conv1/kernel"], arrays["conv2d/kernel"])
    assert_array_equal(state["conv1/bias"], [1, 2])
    assert_array_equal(state["conv2/kernel"], [[[[1, -1], [1, 1]]]])
    assert_array_equal(state["batch_norm1/moving_mean"], [0.5, 1])
    assert_array_equal(state["dense1/kernel"], arrays["dense/kernel"])
    assert reading.left_out == ("dense/flip_ratio",)
    assert "dense/flip_ratio: left out" in str(reading)
    arrays["dense/bias"] = np.ones(3)
    assert "use_bias=False" in unchanged(net, lambda: larq.read(arrays, net))


def test_names_settle_any_order():
    arrays, x = weights(), some_images()
    net = network()
    products = zip(["conv1", "conv2", "dense1", "dense2"], KERNELS, strict=True)
    names = dict(products) | {f"batch_norm{k + 1}": name for k, name in enumerate(NORMS)}
    more = arrays | {"conv9/kernel": np.zeros(2)}
    reading = larq.read(dict(reversed(more.items())), net, names=names)
    assert reading.left_out == ("conv9/kernel",)
    assert_allclose(net.forward(x), keras(arrays, x), rtol=1e-5, atol=1e-5)
    assert unchanged(net, lambda: larq.read(arrays, net, names={"conv9": "a"})).startswith(
        "names: the network has no layer conv9; it has conv1, batch_norm1"
    )
    assert unchanged(net, lambda: larq.read(arrays, net, names={})) == (
        "layer conv1, for the network's conv1, is missing"
    )


# -- what does not fit ----------------------------------------------------------------------------


def without(name):
    return {key: array for key, array in weights().items() if key != name}


def having(key, array):
    return weights() | {key: array}


NORM, NOT_FINITE = (
    "batch_normalization",
    "batch_normalization/beta holds NaN or infinity, as float32",
)
SHAPES = "has shape (3, 3, 5, 4), but the network's conv2 needs (3, 3, 4, 5)"
ORDER = "the convolutions stand in the order quant_conv2d_1, quant_conv2d, not in that of their "
REFUSED = [
    (without(f"{NORM}_1/beta"), f"{NORM}_1/beta is missing (for the network's batch_norm2)"),
    (without("quant_dense/kernel"), "expected 2 dense layers, found 1: quant_dense_1"),
    (having("quant_conv2d_1/kernel", np.ones((3, 3, 5, 4))), f"quant_conv2d_1/kernel {SHAPES}"),
    (having(f"{NORM}/beta", np.float32([0, 1, np.nan, 2])), NOT_FINITE),
    (having(f"{NORM}/beta", np.full(4, 1e300)), NOT_FINITE),
    (having("quant_dense/kernel", np.full((20, 6), "a")),
     "quant_dense/kernel must be real numbers, found <U1"),
    (having(f"{NORM}/moving_variance", np.float32([0, 1, -1, 2])),
     "batch_norm1/moving_variance must not be below 0"),
    (dict(reversed(weights().items())), f"{ORDER}numbers; say which is which by names={{...}}"),
    ({}, "expected 2 convolutions, found 0: none"),
]  # fmt: skip


@pytest.mark.parametrize("arrays, message", REFUSED)
def test_refused(arrays, message, tmp_path):
    net = network()
    assert unchanged(net, lambda: larq.read(arrays, net)) == message
    file = tmp_path / "weights.npz"
    np.savez(file, **arrays)
    assert unchanged(net, lambda: larq.read(file, net)) == f"{file}: {message}"


def test_a_compressed_file(tmp_path):
    net, file = network(), tmp_path / "weights.npz"
    np.savez_compressed(file, **weights())
    assert "compressed" in unchanged(net, lambda: larq.read(file, net))


# -- out ------------------------------------------------------------------------------------------


def test_there_and_back(tmp_path):
    net, x = network(scale=True, epsilon=0.25, momentum=0.5), some_images()
    arrays = weights()
    for norm, channels in NORMS.items():
        arrays[f"{norm}/gamma"] = np.linspace(-1, 2, channels).astype(np.float32)
    larq.read(arrays, net)
    file = tmp_path / "out.npz"
    larq.write(net, file)
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]
    twin = network(scale=True)
    larq.read(file, twin)
    assert_array_equal(twin.forward(x), net.forward(x))
    assert twin.config() == net.config()


def test_what_keras_finds(tmp_path):
    net = network()
    larq.read(weights(), net)
    larq.write(net, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as out:
        found = {name: out[name] for name in out.files}
    assert list(found)[:6] == [
        "conv1/kernel",
        "batch_norm1/beta",
        "batch_norm1/moving_mean",
        "batch_norm1/moving_variance",
        "batch_norm1/epsilon",
        "batch_norm1/momentum",
    ]
    assert_array_equal(found["conv2/kernel"], naive.sign(weights()["quant_conv2d_1/kernel"]))
    assert found["conv2/kernel"].dtype == np.float32
    assert found["batch_norm1/epsilon"] == 1e-3
    assert not any(name.endswith(("gamma", "bias")) for name in found)


def scaled_network():
    scaled = {"kernel_quantizer": "magnitude_aware_sign"}
    layers = [nn.BinaryConv2D(5, 3, **scaled), nn.BatchNorm(), nn.Sign(), nn.Flatten()]
    return nn.Sequential([*layers, nn.BinaryDense(4, **scaled)], (4, 4, 2))


def test_scales_are_the_mean_magnitudes_of_latent_kernels():
    """Larq's magnitude_aware_sign: sign(w) times the mean of |w| over all axes but the last."""
    rng, net = np.random.default_rng(0), scaled_network()
    source = {f"quant_{name}": a for name, a in larq.arrays(net).items()}
    for name in ("quant_conv1/kernel", "quant_dense1/kernel"):
        source[name] = rng.uniform(-1, 1, source[name].shape).astype(np.float32)
    reading = larq.read(source, net)
    assert reading.signed == {}  # nothing of these kernels is lost
    for layer in (net.layers[0], net.layers[4]):
        latent = source[f"quant_{layer.kernel.name}"]
        expected = [np.abs(latent[..., k]).mean() for k in range(latent.shape[-1])]
        assert_allclose(layer.kernel.scale, expected, rtol=1e-6)
        assert_array_equal(layer.kernel.value, np.where(latent < 0, -1, 1))


def test_scales_go_out_as_magnitudes_and_come_back(tmp_path):
    rng, net, again = np.random.default_rng(1), scaled_network(), scaled_network()
    for p in net.parameters():
        if p.binary:
            p.scale[:] = rng.uniform(0.01, 2, len(p.scale))
    assert "conv1/scale" not in larq.arrays(net)  # no array of a Larq model
    larq.write(net, tmp_path / "net.npz")
    larq.read(tmp_path / "net.npz", again)
    for name, array in net.state_dict().items():
        assert_array_equal(again.state_dict()[name], array)
