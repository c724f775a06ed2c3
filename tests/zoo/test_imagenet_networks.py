"""The networks of section 5.3, layer by layer, against figures worked out by hand.

Each row: layer, output, numbers that are trained. A convolution of k x k has k k inputs outputs of
them, batch normalisation two for each channel (gamma and beta). "Same" padding divides the size by
the stride, rounded up; a pool of 3 with stride 2 makes (n - 3) // 2 + 1 of n without padding.
"""

import numpy as np
import pytest

import minibnn
from minibnn import nn, optim, zoo

ALEXNET = """
BinaryConv2D  56 56 64     11 * 11 * 3 * 64
MaxPool2D     27 27 64     0
BatchNorm     27 27 64     2 * 64
Sign          27 27 64     0
BinaryConv2D  27 27 192    5 * 5 * 64 * 192
MaxPool2D     13 13 192    0
BatchNorm     13 13 192    2 * 192
Sign          13 13 192    0
BinaryConv2D  13 13 384    3 * 3 * 192 * 384
BatchNorm     13 13 384    2 * 384
Sign          13 13 384    0
BinaryConv2D  13 13 384    3 * 3 * 384 * 384
BatchNorm     13 13 384    2 * 384
Sign          13 13 384    0
BinaryConv2D  13 13 256    3 * 3 * 384 * 256
MaxPool2D     6 6 256      0
BatchNorm     6 6 256      2 * 256
Sign          6 6 256      0
Flatten       9216         0
BinaryDense   4096         9216 * 4096
BatchNorm     4096         2 * 4096
Sign          4096         0
BinaryDense   4096         4096 * 4096
BatchNorm     4096         2 * 4096
Sign          4096         0
BinaryDense   1000         4096 * 1000
BatchNorm     1000         2 * 1000
"""

XNORNET = """
Conv2D        56 56 96     11 * 11 * 3 * 96
BatchNorm     56 56 96     2 * 96
ReLU          56 56 96     0
MaxPool2D     27 27 96     0
BatchNorm     27 27 96     2 * 96
Sign          27 27 96     0
BinaryConv2D  27 27 256    5 * 5 * 96 * 256
MaxPool2D     13 13 256    0
BatchNorm     13 13 256    2 * 256
Sign          13 13 256    0
BinaryConv2D  13 13 384    3 * 3 * 256 * 384
BatchNorm     13 13 384    2 * 384
Sign          13 13 384    0
BinaryConv2D  13 13 384    3 * 3 * 384 * 384
BatchNorm     13 13 384    2 * 384
Sign          13 13 384    0
BinaryConv2D  13 13 256    3 * 3 * 384 * 256
MaxPool2D     6 6 256      0
BatchNorm     6 6 256      2 * 256
Sign          6 6 256      0
BinaryConv2D  1 1 4096     6 * 6 * 256 * 4096
BatchNorm     1 1 4096     2 * 4096
Sign          1 1 4096     0
BinaryConv2D  1 1 4096     1 * 1 * 4096 * 4096
BatchNorm     1 1 4096     2 * 4096
ReLU          1 1 4096     0
Flatten       4096         0
Dense         1000         4096 * 1000
"""

BIREALNET = [
    "Conv2D 112 112 64  7 * 7 * 3 * 64",
    "BatchNorm 112 112 64  2 * 64",
    "MaxPool2D 56 56 64  0",
]
for size, width in ((56, 64), (28, 128), (14, 256), (7, 512)):
    for block in range(4):
        inputs = width // 2 if width > 64 and block == 0 else width
        BIREALNET += [
            f"Sign {2 * size if inputs < width else size} "
            f"{2 * size if inputs < width else size} {inputs}  0",
            f"BinaryConv2D {size} {size} {width}  3 * 3 * {inputs} * {width}",
            f"BatchNorm {size} {size} {width}  2 * {width}",
        ]
        if inputs < width:
            BIREALNET += [
                f"AvgPool2D {size} {size} {inputs}  0",
                f"Conv2D {size} {size} {width}  {inputs} * {width}",
                f"BatchNorm {size} {size} {width}  2 * {width}",
            ]
        BIREALNET.append(f"Residual {size} {size} {width}  0")
BIREALNET = "\n".join([*BIREALNET, "GlobalAvgPool2D 512  0", "Dense 1000  512 * 1000 + 1000"])

# Totals with moving statistics, as Larq's zoo gives them: 61,859,192 for its Binary AlexNet and
# 62,396,768 for its XNOR-Net, whose batch normalisation lacks the scale (10,472 and 9,664 numbers),
# and 11,699,112 for Bi-Real Net.
NETWORKS = {
    "binary_alexnet": (ALEXNET, 61_859_192 + 10_472),
    "xnornet": (XNORNET, 62_396_768 + 9_664),
    "birealnet": (BIREALNET, 11_699_112),
}


def rows(table):
    """(kind, output, numbers trained) of each line."""
    for line in table.strip().splitlines():
        kind, *rest = line.split()
        shape = rest[: next((k for k, word in enumerate(rest) if word == "*"), len(rest)) - 1]
        yield kind, tuple(map(int, shape)), eval(" ".join(rest[len(shape) :]))


@pytest.mark.parametrize("name", NETWORKS)
def test_layer_by_layer(name):
    table, total = NETWORKS[name]
    net = zoo.MODELS[name]()
    summary = net.summary()
    layers = {layer.name: layer for layer in net.chain.walk()}
    found = []
    for row in summary.rows:
        own = [] if row["kind"] == "Residual" else layers[row["layer"]].parameters()
        found.append((row["kind"], row["output"], sum(p.size for p in own)))
    assert found == list(rows(table))
    assert summary.total("bits") + summary.total("floats") == total
    assert net.output_shape == (1000,)


def described(net, kind, *names):
    """Options of the layers of a kind, in order."""
    return [
        tuple(getattr(layer, name) for name in names)
        for layer in net.chain.walk()
        if isinstance(layer, kind)
    ]


def small(name, **options):
    sizes = {"dense_units": 64}
    if "birealnet" in name:  # which takes small images too
        sizes = {"input_shape": (64, 64, 3)}
    return zoo.MODELS[name](classes=7, seed=3, filters=6, **sizes, **options)


def test_binary_alexnet_in_detail():
    net = small("binary_alexnet")
    convolutions = described(net, nn.BinaryConv2D, "kernel_size", "strides", "padding", "pad_value")
    ones = [((size, size), (1, 1), "same", 0) for size in (5, 3, 3, 3)]
    assert convolutions == [((11, 11), (4, 4), "same", 0), *ones]
    pools = described(net, nn.MaxPool2D, "pool_size", "strides", "padding")
    assert pools == [((3, 3), (2, 2), "valid")] * 3
    norms = described(net, nn.BatchNorm, "scale", "center", "momentum", "epsilon")
    assert norms == [(True, True, 0.9, 1e-3)] * 8
    assert described(net, nn.Sign, "quantizer") == [(nn.ste_sign,)] * 7
    assert all(p.binary for p in net.parameters() if p.name.endswith("kernel"))


def test_xnornet_in_detail():
    net = small("xnornet")
    ((*first, use_bias, start, l2),) = described(
        net, nn.Conv2D, "kernel_size", "strides", "padding", "use_bias", "kernel_initializer", "l2"
    )
    assert first == [(11, 11), (4, 4), "same"]
    assert (use_bias, start, l2) == (False, "glorot_uniform", 5e-7)
    assert described(net, nn.Dense, "use_bias", "l2") == [(False, 5e-7)]
    convolutions = described(net, nn.BinaryConv2D, "kernel_size", "strides", "padding", "pad_value")
    paddings = [(5, "same"), (3, "same"), (3, "same"), (3, "same"), (6, "valid"), (1, "valid")]
    assert convolutions == [((size, size), (1, 1), padding, 0) for size, padding in paddings]
    pools = described(net, nn.MaxPool2D, "pool_size", "strides", "padding")
    assert pools == [((3, 3), (2, 2), "valid")] * 3
    norms = described(net, nn.BatchNorm, "scale", "center", "momentum")
    assert norms == [(True, True, 0.9)] * 8
    epsilons = [epsilon for (epsilon,) in described(net, nn.BatchNorm, "epsilon")]
    assert epsilons == [1e-5, *[1e-4] * 6, 1e-3]
    assert described(net, nn.Sign, "quantizer") == [(nn.ste_sign,)] * 6


def test_birealnet_in_detail():
    net = small("birealnet")
    real = described(
        net, nn.Conv2D, "kernel_size", "strides", "use_bias", "kernel_initializer", "l2"
    )
    one = ((1, 1), (1, 1), False, "glorot_normal", 0.0)
    assert real == [((7, 7), (2, 2), False, "glorot_normal", 0.0), one, one, one]
    assert net.layers[0].padding == "same"
    strides = [2 if block in (4, 8, 12) else 1 for block in range(16)]
    found = described(net, nn.BinaryConv2D, "kernel_size", "strides", "padding", "pad_value")
    assert found == [((3, 3), (stride, stride), "same", 0) for stride in strides]
    pools = described(net, nn.MaxPool2D, "pool_size", "strides", "padding")
    assert pools == [((3, 3), (2, 2), "same")]
    means = described(net, nn.AvgPool2D, "pool_size", "strides", "padding")
    assert means == [((2, 2), (2, 2), "same")] * 3
    norms = described(net, nn.BatchNorm, "scale", "center", "momentum", "epsilon")
    assert norms == [(True, True, 0.8, 1e-3)] * 20
    assert described(net, nn.Sign, "quantizer") == [(nn.approx_sign,)] * 16
    assert described(net, nn.Dense, "use_bias", "kernel_initializer") == [(True, "glorot_uniform")]
    shortcuts = [bool(shortcut.layers) for (shortcut,) in described(net, nn.Residual, "shortcut")]
    assert shortcuts == [stride == 2 for stride in strides]
    assert not any(isinstance(layer, nn.ReLU) for layer in net.chain.walk())


LATENT = {"kernel_quantizer": "magnitude_aware_sign"}


def test_the_latent_baseline_scales_binary_kernels_only():
    net, plain = small("birealnet_magnitude"), small("birealnet")
    for one, count in (net, 16), (small("xnornet", **LATENT), 6):
        quantizers = described(one, nn.BinaryConv2D, "kernel_quantizer")
        assert quantizers == [("magnitude_aware_sign",)] * count
    assert described(plain, nn.BinaryConv2D, "kernel_quantizer") == [("ste_sign",)] * 16
    for p, q in zip(net.parameters(), plain.parameters(), strict=True):
        assert (p.value == q.value).all()
        assert (p.scale is not None) == p.binary
        assert q.scale is None


@pytest.mark.parametrize("name", [*NETWORKS, "birealnet_magnitude"])
def test_each_learns_one_batch_and_comes_back_from_its_file(name, tmp_path):
    net = small(name)
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (8, *net.input_shape), dtype=np.uint8), np.arange(8) % 4
    latent = name == "birealnet_magnitude"
    binary = optim.LatentAdam(lr=0.003) if latent else optim.Bop(gamma=0.01, threshold=1e-5)
    optimizer = optim.Split(binary=binary, real=optim.Adam(lr=0.01))
    losses = []
    for _ in range(10):
        logits = net.forward(x, training=True)
        loss, dlogits = nn.softmax_cross_entropy(logits, labels)
        net.backward(dlogits)
        optimizer.step(net.parameters())
        losses.append(loss)
    assert losses[-1] < 0.5 * losses[0]
    net.save(tmp_path / "net.npz")
    again = minibnn.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    assert again.config() == net.config() == net.copy().config()


def test_a_run_resumes_exactly(tmp_path, use_backend):
    """Scales, and the statistics inside shortcuts, are in the checkpoint."""
    use_backend("reference")
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), np.arange(12) % 3
    data = minibnn.data.from_arrays(images, labels, images[:3], labels[:3])

    def run(out, epochs, **how):
        body = [nn.Sign(), nn.BinaryConv2D(4, 3, 2, **LATENT), nn.BatchNorm()]
        shortcut = [nn.AvgPool2D(2), nn.Conv2D(4, 1, use_bias=False), nn.BatchNorm()]
        layers = [nn.Residual(body, shortcut), nn.GlobalAvgPool2D(), nn.Dense(3)]
        net = nn.Sequential(layers, (8, 8, 3))
        both = optim.Split(binary=optim.LatentAdam(lr=0.01), real=optim.Adam(lr=0.01))
        how |= {"epochs": epochs, "batch_size": 4, "out": tmp_path / out, "progress": False}
        minibnn.fit(net, both, data, **how)
        return net.state_dict()

    whole = run("whole", 2)
    run("parts", 1)
    resumed = run("parts", 2, resume=True)
    assert any(key.endswith("/scale") for key in whole)
    for key, value in whole.items():
        np.testing.assert_array_equal(resumed[key], value, err_msg=key)


def test_other_images_and_classes():
    net = zoo.birealnet((65, 48, 1), classes=5, filters=4)
    outputs = [row["output"] for row in net.summary() if row["kind"] == "Residual"]
    assert outputs[::4] == [(17, 12, 4), (9, 6, 8), (5, 3, 16), (3, 2, 32)]
    assert net.output_shape == (5,)
