"""The command line, as a person meets it: what it prints, keeps and refuses."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minibnn as bnn
from minibnn.cli import commands
from minibnn.training.metrics import read_rows

SMALL = ("--filters", "4", "--dense-units", "16", "--batch-size", "200", "--epochs", "2")


# -- what works ----------------------------------------------------------------------------------


def test_compare(works):
    out = works("compare", *SMALL)
    folder = Path("runs/compare-digits-1")
    assert f"folder:  {folder}" in out
    assert "1437 + 360 images 8x8x1" in out
    assert re.search(r"epoch 2/2  bop +loss", out)
    assert "% of the binary weights of bop and latent-sgd agree" in out
    assert f"figure: {folder}/compare.png" in out
    assert (folder / "compare.png").exists()
    assert len(read_rows(folder / "metrics.csv")) == 4
    assert bnn.load(folder / "bop").input_shape == (8, 8, 1)


def test_train(works):
    assert "best test accuracy: " in works("train", *SMALL)
    folder = Path("runs/train-digits-1")
    history = read_rows(folder / "metrics.csv")
    result = bnn.evaluate(bnn.load(folder), bnn.data.load("digits"))
    assert result.accuracy == history[-1]["test_accuracy"]


def test_options_arrive(works):
    works(
        *("train", *SMALL, "--seed", 5, "--validation", 100, "--augment", "--threads", 1),
        *("--optimizer", "latent-adam:lr=cosine:1e-2:1e-4", "--real-optimizer", "sgd:lr=0.1"),
        *("--out", "here", "--model", "digits"),
    )
    config = json.loads(Path("here/config.json").read_text())
    assert config["optimizer"]["binary"]["kind"] == "latent-adam"
    assert config["optimizer"]["real"]["kind"] == "sgd"
    assert config["optimizer"]["real"]["lr"] == 0.1
    expected = {"seed": 5, "validation": 100, "augment": "paper", "epochs": 2, "batch_size": 200}
    assert {key: config[key] for key in expected} == expected
    assert config["network"]["seed"] == 5
    assert config["network"]["layers"][0]["filters"] == 4
    assert config["options"]["command"] == "train"


def test_own_images(works):
    rng = np.random.default_rng(0)
    parts = {
        "train_images": rng.integers(0, 256, (60, 16, 16, 3), np.uint8),
        "train_labels": np.arange(60) % 3,
        "test_images": rng.integers(0, 256, (20, 16, 16, 3), np.uint8),
        "test_labels": np.arange(20) % 3,
    }
    np.savez("my cats.npz", **parts)
    small = ("--filters", 2, "--dense-units", 8, "--batch-size", 20, "--epochs", 1)
    out = works("train", "--dataset", "npz:my cats.npz", *small)
    assert "network: binarynet" in out
    assert "folder:  runs/train-my-cats-1" in out


def test_resume_needs_only_the_folder_and_more_epochs(works):
    options = ("--seed", 3, "--optimizer", "bop:gamma=1e-2", "--augment")
    works("train", *SMALL, *options, "--out", "parts")
    out = works("train", "--resume", "--out", "parts", "--epochs", 4)
    assert "epoch 4/4" in out
    assert "epoch 2/4" not in out
    works("train", *SMALL[:-1], 4, *options, "--out", "whole")
    parts, whole = (Path(n, "checkpoint.npz").read_bytes() for n in ("parts", "whole"))
    assert parts == whole
    os.utime("parts/curves.png", (0, 0))
    assert "finished: all 4 epochs are done" in works("train", "--resume", "--out", "parts")
    assert Path("parts/curves.png").stat().st_mtime > 0  # drawn again: it may be of fewer epochs
    path = Path("parts/config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"epochs": 5}))  # as fit does
    assert "epoch 5/5" in works("train", "--resume", "--out", "parts")


def test_a_run_that_went_on_is_repeated_by_its_commands(works):
    more = ("--epochs", 3, "--gradients", "int10", "--set", "lr=1e4", "--set", "real.lr=0.1")
    latent = ("--optimizer", "latent-sgd:lr=10,clip=None")
    works("train", *SMALL, *latent, "--gradients", "int8", "--out", "a")
    works("train", "--resume", "--out", "a", *more)
    works("train", "--resume", "--out", "a", "--epochs", 4)
    commands = json.loads(works("info", "a", "--json"))["command"].replace("RUN", "b").split(" && ")
    for words in map(shlex.split, commands):
        works(*words[1:])
    assert (len(commands), bnn.load("b").digest()) == (3, bnn.load("a").digest())
    assert "epochs:               2 of 4" in works("info", "a/best.npz")  # of another width


def test_resume_of_a_finished_run_without_its_metrics(works):
    works("train", *SMALL, "--out", "a")
    path = Path("a/metrics.csv")
    text = path.read_text()
    path.unlink()
    said = "a/metrics.csv does not tell the test accuracy of any epoch\n"
    assert said in works("train", "--resume", "--out", "a")
    rows = [line.split(",") for line in text.splitlines()]
    column = rows[0].index("test_accuracy")
    rows[1:] = [[*row[:column], "", *row[column + 1 :]] for row in rows[1:]]
    path.write_text("".join(f"{','.join(row)}\n" for row in rows))
    assert said in works("train", "--resume", "--out", "a")


@pytest.mark.parametrize("option", ["image_size", "epochs", "width", "filters"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, [1], {}, "x"])
def test_resume_of_options_that_are_none(option, value, fails):
    Path("a").mkdir()
    options = {"command": "train", option: value}
    Path("a/config.json").write_text(json.dumps({"epochs": 2, "options": options}))
    fails("", "train", "--resume", "--out", "a")


def test_force(works):
    works("train", *SMALL, "--out", "here")
    drawn = [Path("here", name) for name in ("plot.png", "report.html")]
    for file in drawn:
        file.touch()
    works("train", *SMALL, "--seed", 1, "--out", "here", "--force")
    assert not any(file.exists() for file in drawn)  # they were of the run before
    assert json.loads(Path("here/config.json").read_text())["seed"] == 1


# -- help ----------------------------------------------------------------------------------------


def test_help_names_every_option_once_and_explains_it(works):
    told = works("--help")
    for name, command in commands.commands.items():
        assert f"  {name} " in told
        out = works(name, "--help")
        assert len({option.name for option in command.params}) == len(command.params)
        for option in command.params:
            if option.param_type_name == "argument":  # told in the command's own text
                assert (option.metavar or option.name) in out.splitlines()[0]
            else:
                assert option.opts[-1] in out
                assert option.help, option


def test_without_a_command_the_help_is_shown(run):
    code, out, err = run()
    assert code == 2
    assert "Usage: minibnn" in out + err


def test_version_and_python_m(works):
    command = [sys.executable, "-m", "minibnn", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out == works("-V") == f"minibnn {bnn.__version__}\n"


# -- bad input (of options: cli/bad_inputs.py) ---------------------------------------------------


def test_bad_folders(works, fails):
    works("train", "--recipe", "bop-sec51", "--dataset", "digits", *SMALL, "--out", "a b")
    resume = ("train", "--resume", "--out", "a b")
    fails("network.seed was 0, now 9|seed was 0", *resume, "--seed", 9)
    fails("epochs may only be raised", *resume, "--epochs", 1)
    fails("filters was 4, now 5", *resume, "--filters", 5)
    fails("filters was 4, now 8", *resume, "--width", "0.125")
    fails("a b holds another run: its recipe was bop-sec51", *resume, "--recipe", "cema")
    go_on = "is a run of minibnn {0}, not of {1}; go on with: minibnn {0} --resume --out {2}$"
    fails(go_on.format("train", "compare", "'a b'"), "compare", *resume[1:])
    works("compare", *SMALL[:-1], 1, "--out", "both")
    fails(go_on.format("compare", "train", "both"), "train", "--resume", "--out", "both")
    other = ("--recipe", "bop-sec51", "--dataset", "digits", "--resume", "--out", "both")
    fails("both holds another run: its recipe was none", "compare", *other)
    whole = Path("a b/checkpoint.npz").read_bytes()
    Path("a b/checkpoint.npz").write_bytes(whole[:1000])
    fails("checkpoint.npz is cut off", *resume, "--epochs", 3)


def test_a_diverging_run_says_where(monkeypatch, fails):
    from minibnn import nn

    name, loss = "softmax_cross_entropy", nn.LOSSES["softmax_cross_entropy"]
    monkeypatch.setitem(nn.LOSSES, name, lambda *both: (np.float32("nan"), loss(*both)[1]))
    fails(r"bop, epoch 1, step 1: the loss is nan; .*no checkpoint in runs", "train", *SMALL)


# -- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_says_how_to_go_on_and_exits(works, here, signum, code):
    options = [*SMALL[:-1], "12", "--optimizer", "bop", "--out", "parts"]
    # A background shell may have told its children to ignore Ctrl-C.
    program = (
        "import signal, sys\nsignal.signal(2, signal.default_int_handler)\n"
        "from minibnn.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    command, pipe = [sys.executable, "-c", program, "train", *options], subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=here)
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert err.startswith("minibnn: stopped by ")
    assert err.rstrip().endswith("minibnn train --resume --out parts")
    assert err.count("\n") == 1
    works("train", "--resume", "--out", "parts")
