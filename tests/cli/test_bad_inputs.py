"""The table of bad inputs: each ends with exit code 2 and one line, and leaves nothing behind."""

import re
import shlex

import click
import numpy as np
import pytest
from bad_inputs import GROUP, ROWS

import minibnn as bnn
from minibnn.cli import commands, main

# Words without which the rows of a command's options would be another mistake.
NEEDED = {
    "plot": ["run"],
    "report": ["run"],
    "evaluate": ["bits.npz"],
    "export": ["net.npz", "new.npz"],
    "predict": ["bits.npz", "image.png"],
    "discover": ["sgd-decay", "bop"],
    "sweep": ["--grid", "gamma=1e-2,1e-3"],
}
# What no value is wrong for: a text, or images whose absence the report itself tells.
ANY_TEXT = {("plot", "--title"), ("report", "--title"), ("report", "--data-dir")}
COLUMNS = "epoch,name,train_loss,train_accuracy,test_loss,test_accuracy,flips,flip_ratio,seconds"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that the rows name."""
    desk = tmp_path_factory.mktemp("desk")
    net = bnn.zoo.digits_net(filters=4, dense_units=8)
    net.save(desk / "net.npz")
    bnn.deploy.pack(net, dataset="digits").save(desk / "bits.npz")
    (desk / "cut.npz").write_bytes((desk / "bits.npz").read_bytes()[:700])
    images, labels = np.zeros((6, 9, 9), np.uint8), np.arange(6) % 2
    np.savez(
        desk / "cats.npz",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
    )
    (desk / "text.txt").write_text("text")
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(noise).save(desk / "image.png")
    (desk / "cut.png").write_bytes((desk / "image.png").read_bytes()[:80])
    folders = {
        "begun": "{}",
        "both": '{"optimizers": {"bop": {}, "cema": {}}}',
        "broken": "{",
        "run": '{"epochs": 1}',
    }
    for name, config in folders.items():
        (desk / name).mkdir()
        (desk / name / "config.json").write_text(config)
    (desk / "run" / "metrics.csv").write_text(f"{COLUMNS}\n1,bop,1,0.5,1,0.5,3,0.1,1\n")
    (desk / "swept").mkdir()
    (desk / "swept" / "sweep.json").write_text("{}")
    for name in ("empty", "folder.png", "folder.html"):
        (desk / name).mkdir()
    return desk


@pytest.fixture
def refuses(desk, monkeypatch, capsys):
    """Run a command line on the desk: it must fail with one line, and change nothing there."""
    monkeypatch.chdir(desk)
    before = contents(desk)

    def refuses(words, line):
        code = main(words)
        out, err = capsys.readouterr()
        assert code == 2, out + err
        assert err.startswith("minibnn: ") and err.endswith("\n")
        found = err[len("minibnn: ") : -1]
        assert found.isprintable(), found
        pattern = ".*".join(map(re.escape, line.split("...")))
        assert re.fullmatch(pattern, found), found
        assert contents(desk) == before

    return refuses


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def all_rows():
    for command, parameters in ROWS.items():
        for parameter, rows in parameters.items():
            for words, line in rows:
                words = shlex.split(words)
                if parameter.startswith("--"):
                    given = {parameter, *words}
                    needed = [] if "--grid" in given else NEEDED.get(command, [])
                    to = ["--to", "larq"] if command == "export" and parameter != "--to" else []
                    words = [*needed, *to, parameter, *words]
                yield pytest.param([command, *words], line, id=shlex.join([command, *words])[:80])
    for words, line in GROUP:
        yield pytest.param(shlex.split(words), line, id=words)


@pytest.mark.parametrize(("words", "line"), list(all_rows()))
def test_bad_input(refuses, words, line):
    refuses(words, line)


def parameters():
    """(command, parameter) of every command: an option's long name, an argument's metavar."""
    for name, command in commands.commands.items():
        for parameter in command.params:
            flag = getattr(parameter, "is_flag", False)
            long = parameter.opts[-1]
            yield name, long if long.startswith("-") else parameter.metavar, flag


def test_every_option_and_argument_has_a_row():
    lacking = [
        (command, parameter)
        for command, parameter, flag in parameters()
        if not flag and (command, parameter) not in ANY_TEXT
        if not ROWS.get(command, {}).get(parameter)
    ]
    assert not lacking


def test_every_row_is_of_an_option_or_argument_that_exists():
    there = {(command, parameter) for command, parameter, _ in parameters()}
    assert {(command, parameter) for command in ROWS for parameter in ROWS[command]} <= there
    assert ANY_TEXT <= there
    assert all(isinstance(command, click.Command) for command in commands.commands.values())
