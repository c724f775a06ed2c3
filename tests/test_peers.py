"""``examples/benchmarks``: every peer makes the same step, and they are asked in turns.

A peer whose framework is not installed is skipped; its script must still be Python.
"""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scripts import EXAMPLES, load

from minibnn import zoo

pytestmark = pytest.mark.ci

FOLDER = EXAMPLES / "benchmarks"
FILTERS, BATCH = 8, 4
IMAGENET = ("binary_alexnet", "xnornet", "birealnet")
SIZES = ("--filters", str(FILTERS), "--batch-size", str(BATCH), "--threads", "1", "--steps", "1")


step, run, networks = (load(FOLDER / f"{name}.py") for name in ("step", "run", "networks"))


def first_steps(script, *more):
    """What a peer's script says of its first steps."""
    command = [sys.executable, FOLDER / script, *SIZES, *more]
    variables = os.environ | {"STEP_EXACT": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=variables, timeout=300
    )
    return json.loads(done.stdout[: done.stdout.index("\n}") + 2]), done.stdout


def test_kernels_have_the_shapes_of_ours():
    for filters, units in ((128, 1024), (5, 7)):
        net = zoo.binarynet(filters=filters, dense_units=units)
        shapes = [p.shape for p in net.parameters() if p.binary]
        assert step.kernel_shapes(filters, units) == shapes
    kernels = step.first_kernels(3, 5)
    assert all(set(np.unique(k)) == {-1, 1} for k in kernels)


def plain(layer):
    """A layer's configuration, as ``networks.py`` says it; what that leaves out is as it says."""
    layer = dict(layer)
    if layer["kind"] == "Residual":
        body, shortcut = layer["body"], layer["shortcut"] or []
        return {
            "kind": "Residual",
            "body": [*map(plain, body)],
            "shortcut": [*map(plain, shortcut)],
        }
    for name in ("kernel_size", "strides", "pool_size"):
        if name in layer:
            layer[name], other = layer[name]
            assert layer[name] == other
    layer.pop("kernel_initializer", None)
    if layer["kind"] == "Sign":
        quantizer = layer["quantizer"]
        assert quantizer.get("clip_value", 1) == 1
        layer["quantizer"] = quantizer["name"]
    if layer["kind"] == "BatchNorm":
        assert layer.pop("scale") and layer.pop("center")
    assert layer.pop("pad_value", 0) == 0
    if layer.get("kernel_quantizer") == "ste_sign":
        del layer["kernel_quantizer"]
    return layer


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_networks_are_those_of_the_zoo(name):
    """Layer by layer, with output shapes and kernels: what PyTorch's are built from."""
    known = networks.NETWORKS[name]
    assert networks.NETWORKS.keys() == run.NETWORKS.keys() - {"binarynet"}
    assert run.NETWORKS[name][:2] == (known.title, f"{known.filters}:16")
    filters = 6 if name == "birealnet" else 12
    units = known.units(filters)
    sizes = {} if name == "birealnet" else {"dense_units": units}
    net = zoo.MODELS[name](filters=filters, **sizes)
    layers = known.sized(filters, units)
    assert layers == [plain(layer) for layer in net.config()["layers"]]
    ours = [row["output"] for row in net.summary() if row["kind"] != "Residual"]
    assert [output for *_, output in networks.walk(layers, net.input_shape)] == ours
    kernels = networks.first_kernels(layers, known.image)
    own = [p for p in net.parameters() if p.name.endswith("/kernel")]
    assert [(k.shape, k.dtype == np.int8) for k in kernels] == [(p.shape, p.binary) for p in own]
    recipe = next(r for r in zoo.RECIPES.values() if r.model == name)
    assert recipe.sizes == {"filters": known.filters} | (
        {"dense_units": known.dense_units} if sizes else {}
    )
    assert recipe.real_optimizer.startswith("adam:lr=linear:2.5e-3:") and known.lr == 2.5e-3


def test_ours_on_an_imagenet_network():
    ready, _ = first_steps("minibnn_bop.py", "--network", "binary_alexnet", "--batch-size", "2")
    assert np.isfinite(ready["losses"]).all()
    assert len(ready["flips"]) == 8 and min(ready["flips"]) > 0
    known = networks.NETWORKS["binary_alexnet"]
    layers = known.sized(FILTERS, known.units(FILTERS))
    kernels = sum(k.size for k in networks.first_kernels(layers, known.image))
    norms = [out[-1] for layer, _, out in networks.walk(layers, known.image)
             if layer["kind"] == "BatchNorm"]  # fmt: skip
    assert ready["counts"] == {"trained": kernels + 2 * sum(norms), "logits": 1000}


def test_ours_with_integer_gradients_and_without():
    (integers, _), (floats, out) = map(first_steps, ("minibnn_int8.py", "minibnn_bop.py"))
    assert len(floats["losses"]) == step.WARM and np.isfinite(floats["losses"]).all()
    assert len(floats["flips"]) == 9 and min(floats["flips"]) > 0
    assert all(f"\n{line}: " in out for line in ("training", "inference", "peak memory"))
    assert integers["losses"][0] == pytest.approx(floats["losses"][0], rel=1e-6)
    # Gradients are rounded: near, and not the same.
    np.testing.assert_allclose(integers["flips"][0], floats["flips"][0], rtol=0.1)
    assert integers["losses"] != floats["losses"]
    assert integers["jobs"] == ["train"]


@pytest.mark.parametrize(
    ("script", "modules", "network"),
    [
        ("pytorch_fp32.py", ["torch"], "binarynet"),
        ("tensorflow_fp32.py", ["tensorflow"], "binarynet"),
        ("larq_bop.py", ["larq", "tensorflow"], "binarynet"),
        *(("pytorch_fp32.py", ["torch"], network) for network in IMAGENET),
    ],
)
def test_a_peer_makes_the_same_steps(script, modules, network):
    ast.parse((FOLDER / script).read_text("utf-8"))
    for module in modules:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    small = ("--network", network, "--filters", "6", "--batch-size", "2")
    sizes = small if network in IMAGENET else ()
    theirs, ours = (first_steps(name, *sizes)[0] for name in (script, "minibnn_bop.py"))
    assert network not in IMAGENET or theirs["counts"] == ours["counts"]
    np.testing.assert_allclose(theirs["losses"], ours["losses"], rtol=1e-5)
    # Gradients that round differently flip a few weights more or less.
    np.testing.assert_allclose(theirs["flips"], ours["flips"], rtol=0.01, atol=2)


def test_networks_that_differ_are_not_compared():
    counts = {"trained": 5, "logits": 10}
    rows = {"a": {"counts": counts}, "b": {"skipped": "gone"}, "c": {"counts": None}}
    run.check_counts(rows)
    with pytest.raises(run.PeerError, match="the networks are not the same"):
        run.check_counts(rows | {"d": {"counts": counts | {"trained": 6}}})


def test_turns():
    said = []
    found = run.compare(
        {
            "minibnn": sys.executable,
            "minibnn-int8": sys.executable,
            "minibnn-packed": sys.executable,
            "larq": "/no/such/python",
            "pytorch-fp32": sys.executable,
        },
        FILTERS, BATCH, threads=1, rounds=2, steps=2, pause=0, say=said.append,
    )  # fmt: skip
    rows = {row["peer"]: row for row in found["rows"]}
    assert "/no/such/python" in rows["larq"]["skipped"]
    if find_spec("torch") is None:
        words = "ended: ModuleNotFoundError: No module named 'torch'"
        assert words in rows["pytorch-fp32"]["skipped"]
    ours = rows["minibnn"]
    for job in ("training", "inference"):
        assert 0 < ours[job]["low"] <= ours[job]["images_per_s"] <= ours[job]["high"]
    assert ours["training"]["minibnn_times"] == 1
    packed = rows["minibnn-packed"]
    assert "training" not in packed
    assert packed["inference"]["minibnn_times"] == 1
    assert packed["losses"] == ours["losses"]
    integers = rows["minibnn-int8"]
    assert integers["training"]["int8_times"] == 1
    assert "inference" not in integers
    assert "int8_times" not in ours["inference"]
    assert ours["peak_bytes"] > 30e6
    assert "inference, turn 2 of 2" in said
    report = {"machine": run.machine(), "cases": [found]}
    json.dumps(report, allow_nan=False)
    for markdown in (False, True):
        text = run.text(report, markdown)
        assert "larq: left out, " in text
        assert "BinaryNet, filters 8, batch 4, 1 thread;" in text
        assert ("| minibnn |" in text) == markdown


def test_times_are_of_the_same_round():
    turns = [[2.0, 2.0], [8.0, 8.0], [3.0, 3.0]]
    ours = {"minibnn": [[1.0], [2.0], [1.0]], "int8": [[0.5], [1.0], [1.5]], "none": None}
    found = run._summary(turns, ours, 6)
    assert found == {
        "images_per_s": 2,
        "low": 6 / 8,
        "high": 3,
        "minibnn_times": 3,
        "int8_times": 4,
    }


def test_wrong_arguments(capsys):
    for arguments, message in (
        (["--peers", "larq"], "larq needs --larq-python"),
        (["--cases", "128"], "--cases takes FILTERS:BATCH"),
        (["--cases", ":50", "50:"], "found 50:"),
        (["--peers", "jax"], "invalid choice"),
        (["--network", "birealnet", "--peers", "larq"], "larq knows binarynet only"),
    ):
        with pytest.raises(SystemExit) as stop:
            run.main(arguments)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err
