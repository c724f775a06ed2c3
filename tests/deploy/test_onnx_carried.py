"""What a network carries into ONNX beside its layers: scales, kinds of inputs, names, axes."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minibnn import InputError, nn

onnx = pytest.importorskip("onnx", reason="needs onnx (extra: onnx)")
pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from test_onnx import agrees, run, small  # noqa: E402  after onnx is known to be there

import minibnn.deploy.onnx as export  # noqa: E402


@pytest.fixture(autouse=True)
def reference_backend(use_backend):
    use_backend("reference")


def test_scales_of_outputs_go_along():
    scaled = {"kernel_quantizer": "magnitude_aware_sign"}
    kinds = [
        nn.BinaryConv2D(7, 3, **scaled),  # on bytes
        nn.BatchNorm(),
        nn.Sign(),
        nn.BinaryConv2D(9, 3, **scaled),
        nn.MaxPool2D(2),
        nn.BatchNorm(scale=True),
        nn.Sign(),
        nn.Residual([nn.BinaryConv2D(9, 3, **scaled), nn.BatchNorm()]),
        nn.Sign(),
        nn.Flatten(),
        nn.BinaryDense(5, **scaled),  # and none behind it
    ]
    net = nn.Sequential(kinds, (8, 8, 2), seed=1)
    rng = np.random.default_rng(1)
    for p in net.parameters():
        if p.binary:
            p.scale[:] = rng.uniform(0.01, 2, len(p.scale))
    agrees(net)


@pytest.mark.parametrize("kind", ["unit", "arrays"])
def test_what_a_network_was_trained_on_goes_along(kind):
    net = small()
    net.image_form, net.classes = kind, tuple("abcdefghij")
    x = np.random.default_rng(3).integers(0, 256, (4, *net.input_shape), dtype=np.uint8)
    floats = x / np.float32(255)
    made = export.model(net)
    given = made.graph.input[0].type.tensor_type.elem_type
    assert given == (onnx.TensorProto.UINT8 if kind == "unit" else onnx.TensorProto.FLOAT)
    (logits,) = run(made, x if kind == "unit" else floats)
    assert_allclose(logits, net.forward(floats), rtol=1e-5, atol=1e-5)
    metadata = {one.key: one.value for one in made.metadata_props}
    assert json.loads(metadata["classes"]) == list("abcdefghij")
    assert metadata["input"].startswith("uint8" if kind == "unit" else "float32")


@pytest.mark.parametrize("shape", [(6, 5, 3), (4, 4, 2)])  # height = width = channels is no luck
def test_an_end_in_images_is_refused(shape):
    net = nn.Sequential([nn.BinaryConv2D(4, 3), nn.BatchNorm()], shape)
    with pytest.raises(InputError, match=r"gives \(\d, \d, 4\): let it end with Flatten"):
        export.model(net)
    flat = nn.Sequential([nn.BinaryConv2D(4, 3), nn.BatchNorm(), nn.Flatten()], shape)
    x = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    assert_allclose(run(export.model(flat), x)[0], flat.forward(x), rtol=1e-5, atol=1e-5)
