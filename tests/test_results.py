"""``examples/results``: its table and figures come from the small files of the runs kept there."""

import shutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from scripts import EXAMPLES, load

import minibnn as bnn
from minibnn.cli import main
from minibnn.errors import InputError
from minibnn.nn.losses import softmax_cross_entropy

FIGURES = ("quick", "hour", "packaged", "minutes", "bits", "settling", "long", "scans", "full")
FOLDER = EXAMPLES / "results"


def test_the_table_is_that_of_the_kept_files():
    make = load("results/make.py")
    readme = (FOLDER / "README.md").read_text("utf-8")
    assert f"{make.BEGIN}\n{make.table()}\n{make.END}" in readme
    for folder in make.LONG.values():
        assert f"`{folder}`" in readme
    for name in FIGURES:
        assert f"]({name}.png)" in readme
        assert (FOLDER / f"{name}.png").read_bytes()[:4] == b"\x89PNG"


def test_every_command_kept_is_one_that_the_program_takes(capsys):
    """Their options exist: each stops at a data folder that is none, after they were read."""
    for name, command in load("results/make.py").COMMANDS.items():
        for words in map(str.split, command.split(" && ")):
            words += ["--out", str(FOLDER / "kept" / name)] * ("--resume" in words)
            assert main([*words, "--data-dir", "/no/such/folder"]) == 2, name
            assert "/no/such/folder" in capsys.readouterr().err, name


@pytest.mark.parametrize("name", ["quick", "scans"])
def test_a_run_that_has_begun_is_resumed(tmp_path, monkeypatch, capsys, name):
    """The program takes the command: it gets as far as the data folder, which is none."""
    make, commands = load("results/make.py"), []

    def begins(plan, *_):
        raise InputError(f"{plan.cells[0].options['data-dir']} for {len(plan.cells)} cells")

    monkeypatch.setattr(import_module("minibnn.training.sweep.run"), "run_plan", begins)
    monkeypatch.setattr(make, "RUNS", tmp_path)
    monkeypatch.setattr(make.subprocess, "call", lambda command: commands.append(command))
    shutil.copytree(FOLDER / "kept" / name, tmp_path / name)
    make.run([name], "/no/such/folder")
    (command,) = commands
    assert main(command[3:]) == 2
    assert "/no/such/folder" in capsys.readouterr().err


def test_rounding_is_measured_by_what_halves_have_in_common():
    """Of two batches: by the inner product of their gradients, in units of the mean square."""
    data, net = bnn.data.load("digits"), bnn.zoo.digits_net(filters=8, dense_units=16)
    batches = [(data.train_images[i::4], data.train_labels[i::4]) for i in (0, 1)]
    rows = load("results/rounding.py").measure(net, batches, ["int3", "int10"])
    net.gradients, found = "float32", []
    for images, labels in batches:
        net.backward(softmax_cross_entropy(net.forward(images, training=True), labels)[1])
        found.append([p.grad.astype(np.float64) for p in net.parameters() if p.binary])
    for row, a, b in zip(rows, *found, strict=True):
        share = 2 * max(0, np.vdot(a, b)) / (np.vdot(a, a) + np.vdot(b, b))
        assert float(row["signal"]) == pytest.approx(share**0.5, abs=1e-4)
        assert float(row["int10"]) < 0.05 < 0.2 < float(row["int3"])


@pytest.mark.slow
def test_figures_are_drawn_from_the_kept_files_alone(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "results")
    for old in tmp_path.rglob("*.png"):
        old.unlink()
    make = [sys.executable, tmp_path / "results" / "make.py", "draw"]
    subprocess.run(make, check=True, timeout=300, cwd=EXAMPLES.parent)
    found = {p.stem for p in (tmp_path / "results").glob("*.png")}
    assert found == set(FIGURES)
    assert (tmp_path / "results" / "README.md").read_text("utf-8") == (
        FOLDER / "README.md"
    ).read_text("utf-8")
