"""``examples/benchmarks``: every peer makes the same step, and they are asked in turns.

A peer whose framework is not installed is skipped; its script must still be Python.
"""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from minibnn import zoo

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "benchmarks"
FILTERS, BATCH = 8, 4
SIZES = ("--filters", str(FILTERS), "--batch-size", str(BATCH), "--threads", "1", "--steps", "1")


def load(name):
    spec = spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


step, run = load("step"), load("run")


def first_steps(script):
    """What a peer's script says of its first steps."""
    command = [sys.executable, FOLDER / script, *SIZES]
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


def test_ours():
    ready, out = first_steps("minibnn_bop.py")
    assert len(ready["losses"]) == step.WARM
    assert np.isfinite(ready["losses"]).all()
    assert len(ready["flips"]) == 9
    assert min(ready["flips"]) > 0
    for line in ("training: ", "inference: ", "peak memory: "):
        assert f"\n{line}" in out


@pytest.mark.parametrize(
    ("script", "modules"),
    [
        ("pytorch_fp32.py", ["torch"]),
        ("tensorflow_fp32.py", ["tensorflow"]),
        ("larq_bop.py", ["larq", "tensorflow"]),
    ],
)
def test_a_peer_makes_the_same_steps(script, modules):
    ast.parse((FOLDER / script).read_text("utf-8"))
    for module in modules:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    theirs, ours = (first_steps(name)[0] for name in (script, "minibnn_bop.py"))
    np.testing.assert_allclose(theirs["losses"], ours["losses"], rtol=1e-5)
    # Gradients that round differently flip a few weights more or less.
    np.testing.assert_allclose(theirs["flips"], ours["flips"], rtol=0.01, atol=2)


def test_turns():
    said = []
    found = run.compare(
        {
            "minibnn": sys.executable,
            "minibnn-packed": sys.executable,
            "larq": "/no/such/python",
            "pytorch-fp32": sys.executable,
        },
        FILTERS, BATCH, threads=1, rounds=2, steps=2, pause=0, say=said.append,
    )  # fmt: skip
    rows = {row["peer"]: row for row in found["rows"]}
    assert "/no/such/python" in rows["larq"]["skipped"]
    if find_spec("torch") is None:
        assert (
            "ended: ModuleNotFoundError: No module named 'torch'"
            in (rows["pytorch-fp32"]["skipped"])
        )
    ours = rows["minibnn"]
    for job in ("training", "inference"):
        assert 0 < ours[job]["low"] <= ours[job]["images_per_s"] <= ours[job]["high"]
    assert ours["training"]["minibnn_times"] == 1
    packed = rows["minibnn-packed"]
    assert "training" not in packed
    assert packed["inference"]["minibnn_times"] == 1
    assert packed["losses"] == ours["losses"]
    assert ours["peak_bytes"] > 30e6
    assert "inference, turn 2 of 2" in said
    report = {"machine": run.machine(), "cases": [found]}
    json.dumps(report, allow_nan=False)
    for markdown in (False, True):
        text = run.text(report, markdown)
        assert "larq: left out, " in text
        assert "BinaryNet, filters 8, batch 4, 1 thread;" in text
        assert ("| minibnn |" in text) == markdown


def test_wrong_arguments(capsys):
    for arguments, message in (
        (["--peers", "larq"], "larq needs --larq-python"),
        (["--cases", "128"], "--cases takes FILTERS:BATCH"),
        (["--peers", "jax"], "invalid choice"),
    ):
        with pytest.raises(SystemExit) as stop:
            run.main(arguments)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err
