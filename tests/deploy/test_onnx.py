"""ONNX models against the networks they come from: every hidden sign, and the logits."""

import json

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minibnn import InputError, nn
from minibnn.data.folder.images import normalise
from minibnn.deploy import pack
from minibnn.ops.bits import Signs
from minibnn.ops.rounding import BYTE_SCALE

onnx = pytest.importorskip("onnx", reason="needs onnx (extra: onnx)")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

import minibnn.deploy.onnx as export  # noqa: E402  after onnx is known to be there
from minibnn.deploy.onnx import layers  # noqa: E402


@pytest.fixture(autouse=True)
def reference_backend(use_backend):
    use_backend("reference")


# -- networks, images, runs -------------------------------------------------------------------


def network(kinds, shape, seed=0):
    """A Sequential whose statistics are drawn so that sums meet the thresholds exactly."""
    net = nn.Sequential(kinds, shape, seed=seed)
    rng = np.random.default_rng(seed)
    x = some_images(net, 4, seed)
    for layer in net.layers:
        if isinstance(layer, nn.BatchNorm):
            unsettle(layer, x, rng)
        x = layer.forward(x)
    return net


def unsettle(layer, x, rng):
    """Statistics of a normalisation that is given x; half of the means are entries of x."""
    n = len(layer.moving_mean)
    x = (x.unpack() if isinstance(x, Signs) else x).reshape(-1, n).astype(np.float32)
    seen = x[rng.integers(len(x), size=n), np.arange(n)]
    ties = rng.random(n) < 0.5
    spread = x.std() + 1
    layer.moving_mean[:] = np.where(ties, seen, rng.normal(0, spread, n))
    layer.moving_variance[:] = rng.choice([0, 1e-6, 1, spread**2, 1e8], n)
    beta = np.where(ties & (rng.random(n) < 0.8), 0, rng.normal(0, 2, n))
    layer.beta.assign(beta if layer.center else np.zeros(n))
    layer.gamma.assign(np.where(rng.random(n) < 0.1, 0, rng.normal(0, 2, n)))


def some_images(net, n=5, seed=0):
    rng = np.random.default_rng([seed, 1])
    return rng.integers(0, 256, (n, *net.input_shape), dtype=np.uint8)


def run(model, x, outputs=None, optimised=True):
    options = runtime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(outputs, {"images": x})


def hidden_signs(net, x):
    """Name of each Sign -> what it gives, as the graph has it: channels before the pixels."""
    signs = {}
    for layer in net.layers:
        x = layer.forward(x)
        if isinstance(layer, nn.Sign):
            y = x.unpack(np.float32)
            signs[layer.name] = y.transpose(0, 3, 1, 2) if y.ndim == 4 else y
    return signs


def exposed(model, names):
    """A copy of the model that also gives these values."""
    twin = onnx.ModelProto.FromString(model.SerializeToString())
    for name in names:
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        twin.graph.output.append(value)
    return twin


def agrees(net):
    """The model gives the network's signs exactly, its predictions and its logits."""
    x = some_images(net)
    model = export.model(net)
    logits = net.forward(x)
    signs = hidden_signs(net, x)
    assert len(signs) == sum(isinstance(layer, nn.Sign) for layer in net.layers)
    (found, *graph_signs) = run(exposed(model, signs), x, ["logits", *signs])
    for name, graph_sign in zip(signs, graph_signs, strict=True):
        assert_array_equal(graph_sign, signs[name], name)
    assert_array_equal(run(model, x)[0], found)
    assert found.dtype == np.float32
    assert_array_equal(found.argmax(1), logits.argmax(1))
    assert_allclose(found, logits, rtol=0, atol=1e-5 * np.abs(logits).max())
    return model


epsilons, paddings = st.sampled_from([1e-30, 1e-3, 1.0]), st.sampled_from(["same", "valid"])
norms = st.builds(nn.BatchNorm, scale=st.booleans(), center=st.booleans(), epsilon=epsilons)
sides, strides = (st.tuples(*[st.integers(1, most)] * 2) for most in (3, 2))
filters = st.sampled_from([1, 3, 8, 33])
convolutions = st.builds(nn.BinaryConv2D, filters, sides, strides, paddings, st.integers(0, 1))
pools = st.builds(nn.MaxPool2D, sides, st.sampled_from([None, 1, 2]), paddings)


@st.composite
def networks(draw):
    """Binary layers with a normalisation and a sign between; pooling before, between or after."""
    shape = draw(st.tuples(st.integers(5, 9), st.integers(5, 9), st.integers(1, 4)))
    layers = []
    for _ in range(draw(st.integers(0, 2))):
        block = [draw(norms), nn.Sign()] if draw(st.integers(0, 7)) else [nn.Sign()]
        for _ in range(draw(st.integers(0, 1))):
            block.insert(draw(st.integers(0, len(block))), draw(pools))
        layers += [draw(convolutions), *block]
    flatten = draw(st.integers(0, 1)) if layers and isinstance(layers[-1], nn.Sign) else 0
    layers.insert(len(layers) - flatten, nn.Flatten())
    for _ in range(draw(st.integers(0, 1))):
        layers += [nn.BinaryDense(draw(st.sampled_from([1, 7, 40]))), draw(norms), nn.Sign()]
    layers += [nn.BinaryDense(draw(st.integers(1, 6))), draw(norms)]
    try:
        return network(layers, shape, draw(st.integers(0, 99)))
    except InputError:  # a kernel or pool larger than what is left of the image
        reject()


# -- the same signs, the same logits --------------------------------------------------------------


@given(networks())
def test_random_networks(net):
    agrees(net)


@pytest.mark.parametrize("pool", [0, 1, 2, 3])
@pytest.mark.parametrize("pad_value", [0, 1])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2])
def test_convolutions(strides, padding, pad_value, pool):
    """A 3x2 kernel on 7x8 pixels pads unevenly; pooling before, between and after."""
    behind = [nn.BatchNorm(scale=True), nn.Sign()]
    if pool:
        behind.insert(pool - 1, nn.MaxPool2D(2, 1, "same"))
    options = {"strides": strides, "padding": padding, "pad_value": pad_value}
    layers = [nn.BinaryConv2D(33, (3, 2), **options), nn.BatchNorm(scale=True), nn.Sign()]
    layers += [nn.BinaryConv2D(9, (2, 3), **options), *behind]
    layers += [nn.Flatten(), nn.BinaryDense(10), nn.BatchNorm()]
    net = network(layers, (7, 8, 3), seed=pool)
    falling = [(layer.gamma.value < 0).sum() for layer in net.layers[:6] if hasattr(layer, "gamma")]
    assert min(falling) > 0
    agrees(net)


def test_all_kinds_of_layers():
    """Real sums depend on their order, so here also signs behind them are only nearly sure."""
    layers = [
        nn.Conv2D(6, 3, strides=2, padding="same"),
        nn.BatchNorm(scale=True),
        nn.MaxPool2D(2, 1, "same"),
        nn.Residual([nn.Sign(), nn.BinaryConv2D(6, 3), nn.BatchNorm()]),
        nn.Residual(
            [nn.BinaryConv2D(5, 3, 2, pad_value=1), nn.ReLU()],
            [nn.AvgPool2D(2, padding="same"), nn.Conv2D(5, 1, use_bias=False)],
        ),
        nn.AvgPool2D(2, 1, "same"),
        nn.GlobalAvgPool2D(),
        nn.Dense(4),
        nn.ReLU(),
        nn.Dense(3, use_bias=False),
    ]
    net = nn.Sequential(layers, (11, 10, 3), seed=3)
    for p in net.parameters():
        if p.name.endswith("bias"):
            p.assign(np.linspace(-1, 1, p.size))
    x = some_images(net)
    logits = net.forward(x)
    (found,) = run(export.model(net), x)
    assert_allclose(found, logits, rtol=0, atol=1e-5 * np.abs(logits).max())


def test_branches_of_images_and_a_packed_network():
    net = nn.Sequential([nn.Residual([nn.Conv2D(3, 3, padding="same")]), nn.Flatten()], (6, 6, 3))
    layers = nn.BinaryConv2D(4, 3), nn.BatchNorm(), nn.Sign(), nn.Flatten(), nn.BinaryDense(2)
    packed = pack(network(list(layers), (5, 5, 3)))
    for model in net, packed:
        x = some_images(model)
        assert_allclose(run(export.model(model), x)[0], model.predict(x), rtol=0, atol=1e-5)


def test_pooled_bytes_and_sums_that_nothing_normalises():
    layers = [nn.MaxPool2D(2), nn.BinaryConv2D(8, 3), nn.MaxPool2D(2), nn.ReLU(), nn.Sign()]
    layers += [nn.BinaryConv2D(3, 2), nn.Sign(), nn.Flatten(), nn.BinaryDense(4)]
    agrees(network(layers, (9, 9, 2)))


def test_signs_of_images_themselves():
    net = network([nn.Sign(), nn.BinaryConv2D(8, 3), nn.Flatten(), nn.BinaryDense(4)], (5, 5, 3))
    net.name = ""
    agrees(net)


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


def test_scales_that_runtimes_like_to_multiply_into_kernels():
    scaled = nn.BinaryConv2D(8, 3, kernel_quantizer="magnitude_aware_sign")
    first, last = [nn.BinaryConv2D(8, 3), nn.Sign(), scaled], [nn.Sign(), nn.BinaryDense(10)]
    net = nn.Sequential([*first, nn.Flatten(), nn.BatchNorm(), *last], (8, 8, 3), seed=0)
    scaled.scale[:] = np.linspace(0.01, 1, 8)
    x = some_images(net)
    for layer in net.layers[:4]:
        x = layer.forward(x)
    net.layers[4].moving_mean[:] = x[0]
    agrees(net)


def test_images_of_an_image_folder():
    """Normalised in the model, bit for bit as the loader does it; real from there on."""
    layers = [nn.Sign(), nn.BinaryConv2D(8, 3), nn.BatchNorm(), nn.Sign()]
    net = nn.Sequential([*layers, nn.Flatten(), nn.BinaryDense(4)], (16, 16, 3))
    x = np.arange(768, dtype=np.uint8).reshape(1, 16, 16, 3)  # each byte in each channel
    floats = normalise(x[0])[np.newaxis]
    net.image_form = "image-folder"
    model = exposed(export.model(net), ["images/normalised"])
    logits, normalised = run(model, x)
    assert_array_equal(normalised, floats.transpose(0, 3, 1, 2))
    assert_array_equal(logits, net.forward(floats))
    with pytest.raises(InputError, match="RGB images"):
        vectors = nn.Sequential([nn.Flatten()], (4,))
        vectors.image_form = "image-folder"
        export.model(vectors)


def test_vectors_of_more_bytes_than_float32_adds():
    """255 * 33000 is above 2^23: between such integers float32 has no halves."""
    layers = [nn.BinaryDense(5), nn.BatchNorm(), nn.Sign(), nn.BinaryDense(2)]
    net = nn.Sequential(layers, (33000,), seed=0)
    net.layers[0].kernel.assign(np.ones((33000, 5), np.int8))
    x = np.full((2, 33000), 255, np.uint8)
    x[1, 0] = 254  # a sum that is smaller by 2
    sums = 255 * 33000 - np.float32([0, 1, 2, 3, 4])
    net.layers[1].moving_mean[:] = sums * BYTE_SCALE
    agreed = export.model(net)
    (signs,) = run(exposed(agreed, ["sign1"]), x, ["sign1"])
    assert_array_equal(signs, hidden_signs(net, x)["sign1"])
    assert_array_equal(signs, [[1, 1, 1, 1, 1], [-1, -1, 1, 1, 1]])
    wide = nn.Sequential([nn.BinaryConv2D(1, 129, padding="valid")], (129, 129, 2))
    with pytest.raises(InputError, match="conv1 sums 33282 bytes, too many"):
        export.model(wide)


# -- what is in the file --------------------------------------------------------------------------


def small(units=10):
    layers = [nn.BinaryConv2D(33, 3), nn.BatchNorm(scale=True), nn.Sign(), nn.Flatten()]
    return network([*layers, nn.BinaryDense(units), nn.BatchNorm()], (6, 5, 3))


def test_standard_operators_of_an_old_opset_names_and_any_batch():
    net = small(3)
    model = agrees(net)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    assert model.ir_version == 7
    assert {node.domain for node in model.graph.node} == {""}
    assert model.producer_name == "minibnn"
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["batch", 6, 5, 3])
    assert (output.name, output.shape) == ("logits", ["batch", 3])
    x = some_images(net, 9)
    logits, one = (session.run(None, {"images": few})[0] for few in (x, x[4:5]))
    assert_array_equal(one, logits[4:5])


def test_another_runtime_that_rounds_as_numpy_does():
    from onnx.reference import ReferenceEvaluator

    net = small()
    x, model = some_images(net), exposed(export.model(net), ["sign1"])
    logits, signs = ReferenceEvaluator(model).run(None, {"images": x})
    assert_array_equal(signs, hidden_signs(net, x)["sign1"])
    assert_array_equal(logits, net.forward(x))  # not one bit differs
    # Nor where onnxruntime does nothing at loading, but unpacks the bits at each call.
    assert_array_equal(run(export.model(net), x, optimised=False)[0], logits)


@pytest.mark.parametrize("kind", ["unit", "arrays"])
def test_what_a_network_was_trained_on_goes_along(kind):
    net = small()
    net.image_form, net.classes = kind, (*"abcdefghi", "Wespe ä")
    x = np.random.default_rng(3).integers(0, 256, (4, *net.input_shape), dtype=np.uint8)
    floats = x / np.float32(255)
    made = export.model(net)
    given = made.graph.input[0].type.tensor_type.elem_type
    assert given == (onnx.TensorProto.UINT8 if kind == "unit" else onnx.TensorProto.FLOAT)
    (logits,) = run(made, x if kind == "unit" else floats)
    assert_allclose(logits, net.forward(floats), rtol=1e-5, atol=1e-5)
    metadata = {one.key: one.value for one in made.metadata_props}
    assert json.loads(metadata["classes"]) == [*"abcdefghi", "Wespe ä"]
    assert metadata["input"].startswith("uint8" if kind == "unit" else "float32")


def test_a_weight_is_a_bit_and_thresholds_are_no_integers():
    net = small(1000)  # 33 * 27 and 990 * 1000 weights; 891 is no multiple of 8
    bits = sum(p.size for p in net.parameters() if p.binary)
    reals = sum(p.size for p in net.parameters() if not p.binary) + 2 * 1033
    model = export.model(net)
    assert len(model.SerializeToString()) < bits / 8 + 4 * reals + 5000
    # Thresholds lie between integers: a sum that a runtime rounds is still on the right side.
    (threshold,) = (c for c in model.graph.initializer if c.name == "sign1/threshold")
    threshold = onnx.numpy_helper.to_array(threshold)
    assert threshold.shape == (33, 1, 1)
    assert_array_equal(threshold % 1, np.full_like(threshold, 0.5))


# -- what cannot be -------------------------------------------------------------------------------


def test_refused():
    class Odd(nn.ReLU):
        pass

    with pytest.raises(InputError, match=r"^layers in ONNX must be .*, found relu1 \(Odd\)$"):
        export.model(nn.Sequential([nn.Flatten(), Odd()], (2, 2, 1)))
    with pytest.raises(InputError, match="classes must be 10 names, found"):
        export.model(small(), classes=["a", "b"])
    with pytest.raises(InputError, match="let it end with"):
        export.model(nn.Sequential([], (4,), image_form="arrays"))


@pytest.mark.parametrize("shape", [(6, 5, 3), (4, 4, 2)])  # height = width = channels is no luck
def test_an_end_in_images_is_refused(shape):
    net = nn.Sequential([nn.BinaryConv2D(4, 3), nn.BatchNorm()], shape)
    with pytest.raises(InputError, match=r"gives \(\d, \d, 4\): let it end with Flatten"):
        export.model(net)
    agrees(nn.Sequential([nn.BinaryConv2D(4, 3), nn.BatchNorm(), nn.Flatten()], shape))


def test_no_option_of_a_layer_is_overlooked():
    """A new option changes what a layer computes: the model must follow, then this list."""
    place = {"kernel_size", "strides", "padding"}
    pool = {"pool_size", "strides", "padding"}
    start = {"kernel_initializer", "l2"}  # of training only
    assert {kind.__name__: set(kind.arguments) for kind in layers._KINDS} == {
        "AvgPool2D": pool,
        "BatchNorm": {"scale", "center", "momentum", "epsilon"},
        "BinaryConv2D": {"filters", "pad_value", "kernel_quantizer"} | place,
        "BinaryDense": {"units", "kernel_quantizer"},
        "Conv2D": {"filters", "use_bias"} | place | start,
        "Dense": {"units", "use_bias"} | start,
        "Flatten": set(),
        "GlobalAvgPool2D": set(),
        "MaxPool2D": pool,
        "ReLU": set(),
        "Residual": {"body", "shortcut"},
        "Sign": {"quantizer"},
        "Threshold": set(),
    }
