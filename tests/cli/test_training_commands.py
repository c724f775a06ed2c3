"""The command line, as a person meets it: what it prints, keeps and refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minibnn as bnn
from minibnn.cli import commands
from minibnn.training.metrics import read_rows

SMALL = ("--filters", "4", "--dense-units", "16", "--batch-size", "200", "--epochs", "2")


# -- what works ----------------------------------------------------------------------------------


def test_compare(run):
    code, out, err = run("compare", *SMALL)
    assert (code, err) == (0, "")
    folder = Path("runs/compare-digits-1")
    assert f"folder:  {folder}" in out
    assert "1437 + 360 images 8x8x1" in out
    assert re.search(r"epoch 2/2  bop +loss", out)
    assert "% of the binary weights of bop and latent-sgd agree" in out
    assert f"figure: {folder}/compare.png" in out
    assert (folder / "compare.png").exists()
    assert len(read_rows(folder / "metrics.csv")) == 4
    assert bnn.load(folder / "bop").input_shape == (8, 8, 1)


def test_train(run):
    code, out, err = run("train", *SMALL)
    assert (code, err) == (0, "")
    assert "best test accuracy: " in out
    folder = Path("runs/train-digits-1")
    history = read_rows(folder / "metrics.csv")
    result = bnn.evaluate(bnn.load(folder), bnn.data.load("digits"))
    assert result.accuracy == history[-1]["test_accuracy"]
    run("train", *SMALL)
    assert Path("runs/train-digits-2/config.json").exists()


def test_options_arrive(run):
    code, _, err = run(
        *("train", *SMALL, "--seed", 5, "--validation", 100, "--augment", "--threads", 1),
        *("--optimizer", "latent-adam:lr=cosine:1e-2:1e-4", "--real-optimizer", "sgd:lr=0.1"),
        *("--out", "here", "--model", "digits"),
    )
    assert (code, err) == (0, "")
    config = json.loads(Path("here/config.json").read_text())
    assert config["optimizer"]["binary"]["kind"] == "latent-adam"
    assert config["optimizer"]["real"]["kind"] == "sgd"
    assert config["optimizer"]["real"]["lr"] == 0.1
    expected = {"seed": 5, "validation": 100, "augment": "paper", "epochs": 2, "batch_size": 200}
    assert {key: config[key] for key in expected} == expected
    assert config["network"]["seed"] == 5
    assert config["network"]["layers"][0]["filters"] == 4
    assert config["options"]["command"] == "train"


def test_own_images(run):
    rng = np.random.default_rng(0)
    parts = {
        "train_images": rng.integers(0, 256, (60, 16, 16, 3), np.uint8),
        "train_labels": np.arange(60) % 3,
        "test_images": rng.integers(0, 256, (20, 16, 16, 3), np.uint8),
        "test_labels": np.arange(20) % 3,
    }
    np.savez("my cats.npz", **parts)
    small = ("--filters", 2, "--dense-units", 8, "--batch-size", 20, "--epochs", 1)
    code, out, err = run("train", "--dataset", "npz:my cats.npz", *small)
    assert (code, err) == (0, "")
    assert "network: binarynet" in out
    assert "folder:  runs/train-my-cats-1" in out


def test_cifar10_gets_its_network_and_augmentation(run, monkeypatch):
    images, labels = np.zeros((40, 32, 32, 3), np.uint8), np.arange(40) % 10
    asked = []

    def load(name, data_dir, **_):
        asked.append((name, data_dir))
        return bnn.data.from_arrays(images, labels, images, labels, name=name)

    monkeypatch.setattr("minibnn.data.load", load)
    small = ("--filters", 2, "--dense-units", 8, "--batch-size", 20, "--epochs", 1)
    code, _, err = run("train", "--dataset", "cifar10", "--data-dir", "cifar", *small)
    assert (code, err) == (0, "")
    assert asked == [("cifar10", "cifar")]
    config = json.loads(Path("runs/train-cifar10-1/config.json").read_text())
    assert config["augment"] == "paper"
    assert config["network"]["name"] == "binarynet"


def test_resume_needs_only_the_folder_and_more_epochs(run):
    options = ("--seed", 3, "--optimizer", "bop:gamma=1e-2", "--augment")
    run("train", *SMALL, *options, "--out", "parts")
    code, out, err = run("train", "--resume", "--out", "parts", "--epochs", 4)
    assert (code, err) == (0, "")
    assert "epoch 4/4" in out
    assert "epoch 2/4" not in out
    run("train", *SMALL[:-1], 4, *options, "--out", "whole")
    parts, whole = (Path(n, "checkpoint.npz").read_bytes() for n in ("parts", "whole"))
    assert parts == whole
    code, out, err = run("train", "--resume", "--out", "parts")
    assert (code, err) == (0, "")
    assert "finished: all 4 epochs are done" in out


def test_resume_of_a_finished_run_without_its_metrics(run):
    run("train", *SMALL, "--out", "a")
    path = Path("a/metrics.csv")
    text = path.read_text()
    path.unlink()
    said = "a/metrics.csv does not tell the test accuracy of any epoch\n"
    code, out, err = run("train", "--resume", "--out", "a")
    assert (code, err) == (0, "") and said in out
    rows = [line.split(",") for line in text.splitlines()]
    column = rows[0].index("test_accuracy")
    rows[1:] = [[*row[:column], "", *row[column + 1 :]] for row in rows[1:]]
    path.write_text("".join(f"{','.join(row)}\n" for row in rows))
    code, out, err = run("train", "--resume", "--out", "a")
    assert (code, err) == (0, "") and said in out


@pytest.mark.parametrize("option", ["image_size", "epochs", "width", "filters"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**400, [1], {}, "x"])
def test_resume_of_options_that_are_none(option, value, fails):
    Path("a").mkdir()
    options = {"command": "train", option: value}
    Path("a/config.json").write_text(json.dumps({"epochs": 2, "options": options}))
    fails("", "train", "--resume", "--out", "a")


def test_resume_of_a_comparison(run):
    specs = ("--optimizer", "a=bop:gamma=1e-2", "--optimizer", "bop", "--optimizer", "bop")
    run("compare", *SMALL, *specs, "--out", "both")
    assert {p.name for p in Path("both").iterdir() if p.is_dir()} == {"a", "bop", "bop-2"}
    code, out, err = run("compare", "--resume", "--out", "both", "--epochs", 3)
    assert (code, err) == (0, "")
    assert [row["name"] for row in read_rows("both/metrics.csv")] == ["a", "bop", "bop-2"] * 3
    assert "100.0 % of the binary weights of bop and bop-2 agree" in out


def test_force(run):
    run("train", *SMALL, "--out", "here")
    code, _, err = run("train", *SMALL, "--seed", 1, "--out", "here", "--force")
    assert (code, err) == (0, "")
    assert json.loads(Path("here/config.json").read_text())["seed"] == 1


# -- help ----------------------------------------------------------------------------------------


def test_help_names_every_option_and_explains_it(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "compare" in out
    assert "train" in out
    for name, command in commands.commands.items():
        code, out, err = run(name, "--help")
        assert (code, err) == (0, "")
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


def test_version_and_python_m():
    for arguments in (["--version"], ["-V"]):
        out = subprocess.run(
            [sys.executable, "-m", "minibnn", *arguments],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert out == f"minibnn {bnn.__version__}\n"


# -- bad input (of options: cli/bad_inputs.py) ---------------------------------------------------


def test_bad_folders(run, fails):
    run("train", *SMALL, "--out", "a")
    run("compare", *SMALL, "--out", "b")
    before = Path("a/checkpoint.npz").read_bytes()
    fails("a already holds a run; .*resume.*force", "train", *SMALL, "--out", "a")
    fails("network.seed was 0, now 9|seed was 0", "train", "--resume", "--out", "a", "--seed", 9)
    fails("epochs may only be raised", "train", "--resume", "--out", "a", "--epochs", 1)
    fails("filters was 4, now 5", "train", "--resume", "--out", "a", "--filters", 5)
    fails("is a run of minibnn compare, not of train", "train", "--resume", "--out", "b")
    fails("is a run of minibnn train, not of compare", "compare", "--resume", "--out", "a")
    Path("a/checkpoint.npz").write_bytes(before[:1000])
    fails("checkpoint.npz is cut off", "train", "--resume", "--out", "a", "--epochs", 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(fails):
    Path("locked").mkdir(mode=0o500)
    fails("Permission denied", "train", *SMALL, "--out", "locked/run")


def test_a_diverging_run_says_where(monkeypatch, fails):
    from minibnn import nn

    loss = nn.LOSSES["softmax_cross_entropy"]

    def broken(logits, labels):
        return np.float32("nan"), loss(logits, labels)[1]

    monkeypatch.setitem(nn.LOSSES, "softmax_cross_entropy", broken)
    fails(r"bop, epoch 1, step 1: the loss is nan; .*no checkpoint in runs", "train", *SMALL)


# -- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_says_how_to_go_on_and_exits(run, here, signum, code):
    options = [*SMALL[:-1], "12", "--optimizer", "bop", "--out", "parts"]
    # A background shell may have told its children to ignore Ctrl-C.
    program = (
        "import signal, sys\nsignal.signal(2, signal.default_int_handler)\n"
        "from minibnn.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "train", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=here,
    )
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert err.startswith("minibnn: stopped by ")
    assert err.rstrip().endswith("minibnn train --resume --out parts")
    assert err.count("\n") == 1
    if signum == signal.SIGINT:
        assert run("train", "--resume", "--out", "parts", "--epochs", 13)[0] == 0
        run("train", *SMALL[:-1], "13", "--optimizer", "bop", "--out", "whole")
        parts, whole = (Path(n, "checkpoint.npz").read_bytes() for n in ("parts", "whole"))
        assert parts == whole


def test_two_starts_at_once_take_two_folders(here):
    command = [sys.executable, "-m", "minibnn", "train", *SMALL]
    started = [
        subprocess.Popen(command, cwd=here, stderr=subprocess.PIPE, text=True,
                         stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]  # fmt: skip
    ends = [(p.communicate(timeout=120)[1], p.returncode) for p in started]
    assert [code for _, code in ends] == [0, 0], ends
    assert {p.name for p in Path("runs").iterdir()} == {"train-digits-1", "train-digits-2"}


def test_help_is_quick():
    best = min(_seconds([sys.executable, "-m", "minibnn", "--help"]) for _ in range(3))
    assert best < 0.7


def _seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start
