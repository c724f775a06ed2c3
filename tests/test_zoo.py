"""The published networks: shapes, sizes and order of layers."""

import numpy as np
import pytest

from minibnn import nn, zoo


def test_binarynet_is_the_one_of_the_papers_code():
    net = zoo.binarynet()
    outputs = {row["layer"]: row["output"] for row in net.summary()}
    assert [outputs[f"conv{k}"][0] for k in range(1, 7)] == [30, 30, 15, 15, 7, 7]
    assert [outputs[f"conv{k}"][2] for k in range(1, 7)] == [128, 128, 256, 256, 512, 512]
    assert [outputs[f"max_pool{k}"][0] for k in range(1, 4)] == [15, 7, 3]
    assert outputs["flatten1"] == (4608,)
    assert [outputs[f"dense{k}"] for k in range(1, 4)] == [(1024,), (1024,), (10,)]
    assert net.summary().total("bits") == 10_352_000  # 10.35 M weights
    assert not [p for p in net.parameters() if not p.binary and not p.name.endswith("/beta")]


def test_binarynet_pools_before_it_normalises():
    kinds = [type(layer).__name__ for layer in zoo.binarynet(filters=4, dense_units=8).layers]
    for k, kind in enumerate(kinds):
        if kind == "MaxPool2D":
            assert kinds[k - 1 : k + 3 : 2] == ["BinaryConv2D", "BatchNorm"]
        if kind in ("BinaryConv2D", "BinaryDense"):
            assert kinds[k - 1] in ("Sign", "Flatten") or k == 0
            assert "BatchNorm" in kinds[k + 1 : k + 3]
    assert (kinds.count("MaxPool2D"), kinds.count("BatchNorm"), kinds[-1]) == (3, 9, "BatchNorm")
    assert kinds[0] == "BinaryConv2D"


def test_binarynet_keeps_keras_constants_and_larqs_padding():
    net = zoo.binarynet(filters=4, dense_units=8)
    for layer in net.layers:
        if isinstance(layer, nn.BatchNorm):
            assert (layer.scale, layer.center, layer.momentum, layer.epsilon) == (
                False,
                True,
                0.99,
                1e-3,
            )
        if isinstance(layer, nn.BinaryConv2D):
            assert (layer.kernel_size, layer.strides, layer.pad_value) == ((3, 3), (1, 1), 0)
            assert layer.padding == ("valid" if layer.name == "conv1" else "same")
        if isinstance(layer, nn.Sign):
            assert layer.quantizer == nn.ste_sign


@pytest.mark.parametrize("name", ["binarynet", "digits"])
def test_every_model_trains_on_images_of_its_shape(name, use_backend):
    use_backend("reference")
    shape = {"binarynet": (32, 32, 3), "digits": (8, 8, 1)}[name]
    net = zoo.MODELS[name](shape, classes=7, filters=4, dense_units=8, seed=3)
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (5, *shape), dtype=np.uint8), rng.integers(0, 7, 5)
    logits = net.forward(x, training=True)
    assert logits.shape == (5, 7)
    net.backward(nn.softmax_cross_entropy(logits, labels)[1])
    assert all(np.abs(p.grad).sum() > 0 for p in net.parameters() if not p.binary)
    assert nn.Sequential.from_config(net.config()).config() == net.config()
