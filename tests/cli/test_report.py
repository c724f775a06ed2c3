"""``minibnn report`` as a person meets it, and the commands it says repeat a run."""

import json
import shlex
import shutil
from html import unescape
from pathlib import Path

import pytest

from minibnn.cli.compare import compare
from minibnn.cli.info import command_of
from minibnn.cli.start import HOW, network_options
from minibnn.cli.sweep import sweep
from minibnn.cli.train import train

KEPT = Path(__file__).resolve().parents[2] / "examples" / "results" / "kept"


@pytest.fixture(autouse=True)
def quick(here, trained, monkeypatch):
    """Copies of the runs here, and figures that are not drawn."""
    shutil.copytree(trained / "run", here / "a")
    shutil.copytree(trained / "both", here / "both")
    monkeypatch.setattr("minibnn.training.report.encoded", lambda *_: b"")


def configure(changes):
    config = json.loads(Path("a/config.json").read_text())
    Path("a/config.json").write_text(json.dumps(config | changes))


def test_a_run(works):
    assert works("report", "a") == "report: a/report.html\n"
    text = Path("a/report.html").read_text()
    assert "<h1>a</h1>" in text
    assert "--filters 4 --dense-units 16 --epochs 2 --batch-size 200" in text
    assert "that got each answer, by the network of checkpoint.npz" in text


def test_several(works):
    command = "report", "a", "both", "--title", "<Both>", "--out", "c.html"
    assert works(*command) == "report: c.html\n"
    text = Path("c.html").read_text()
    assert "<h1>&lt;Both&gt;</h1>" in text
    assert "3 runs of binarized networks" in text
    for command in ("train", "compare"):
        assert f'<pre class="command">minibnn {command} --model digits --filters 4' in text
    works("report", "a", "both/bop")
    assert "<h1>a, bop</h1>" in Path("report.html").read_text()


def test_a_sweep(works):
    out = works("report", KEPT / "scans", "--out", "c.html")
    assert out.count("has no checkpoint.npz yet") == 5
    text = unescape(Path("c.html").read_text())
    assert ">66.36 %<" in text
    assert "Best accuracy over gamma and threshold" in text
    assert "minibnn sweep --recipe bop-sec51 --scan gamma=0.01,0.001,0.0001" in text


def test_images_that_are_not_here_are_told_of(run, monkeypatch):
    options = {"command": "train", "dataset": "cifar10", "data_dir": "away"}
    configure({"options": options, "data": {"name": "cifar10"}})
    code, out, _ = run("report", "a")
    line = out.splitlines()[1]
    why = line.removeprefix("a: no confusion, ")
    assert code == 0 and why.startswith("away: expected CIFAR-10 (") and why in line
    assert why.endswith("found no such folder")
    assert f"Not measured: {why}" in Path("a/report.html").read_text()
    code, out, _ = run("report", "a", "--no-confusion")
    assert (code, out) == (0, "report: a/report.html\n")
    assert "Not measured: left out (--no-confusion)" in Path("a/report.html").read_text()


def test_nothing_is_downloaded(run, monkeypatch):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: pytest.fail("a download"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: Path("cache").absolute())
    configure({"options": {"command": "train", "dataset": "cifar10"}})
    code, out, _ = run("report", "a")
    assert code == 0
    assert "not in the cache" in out


def test_a_run_without_telemetry(works):
    Path("a/telemetry.npz").unlink()
    works("report", "a")
    assert "Without telemetry of their layers: a." in Path("a/report.html").read_text()


@pytest.mark.parametrize(
    "change",
    [
        *({"network": 3}, {"network": {"kind": "Sequential", "layers": [{}]}}, {"data": [1]}),
        *({"options": [1]}, {"optimizer": {"kind": "split", "binary": 3}}, {"computed_by": 3}),
        *({"earlier": [3]}, {"earlier": [{"epochs": 1, "optimizer": {"kind": 3}}], "epochs": None}),
    ],
)
def test_a_damaged_config(fails, change):
    configure(change)
    fails("", "report", "a", "--no-confusion")
    assert not Path("a/report.html").exists()


# -- the command that repeats it -------------------------------------------------------------------


def settled(command, words, shape=None):
    options = command.make_context(command.name, list(words)).params
    options = {k: list(x) if isinstance(x, tuple) else x for k, x in options.items()}
    options = {name: x for name, x in options.items() if name not in NOT_KEPT}
    return options | (network_options(options, shape) if shape else {})


NOT_KEPT = (
    *(*HOW, "changes", "mpi", "preset", "steps", "grid", "scan", "random", "seeds"),
    *("executor", "jobs", "scheduler"),
)
DIGITS, CIFAR = (8, 8, 1), (32, 32, 3)
COMMANDS = [
    (train, "", DIGITS),
    (train, "--seed 3 --no-augment", DIGITS),
    (train, "--dataset cifar10 --no-augment", CIFAR),
    (train, "--recipe bop-sec52", CIFAR),
    (train, "--recipe bop-sec52 --epochs 15 --width 0.5", CIFAR),
    (train, "--recipe bop-sec51 --dataset digits --optimizer cema:gamma=1e-3", DIGITS),
    (train, "--model birealnet --filters 3", CIFAR),
    (train, "--data-dir 'my own' --tensorboard --sync-batch-norm", DIGITS),
    (compare, "", DIGITS),
    (compare, "--optimizer bop --optimizer a=cema", DIGITS),
    (compare, "--recipe bop-sec51 --recipe latent-sgd --optimizer x=bop --batch-size 7", CIFAR),
    (compare, "--real-optimizer sgd:lr=1", DIGITS),
]


@pytest.mark.parametrize(("command", "words", "shape"), COMMANDS)
def test_the_command_comes_to_the_same(command, words, shape):
    options = json.loads(json.dumps(settled(command, shlex.split(words), shape)))
    found = command_of({"options": {"command": command.name, **options}})
    assert found.startswith(f"minibnn {command.name} ")
    same = json.loads(json.dumps(settled(command, shlex.split(found)[2:], shape)))
    told_otherwise = ("width", "recipe") if command is compare else ("width",)
    assert same | {name: options[name] for name in told_otherwise} == options


@pytest.mark.parametrize("name", ["full", "latent", "bop", "bop/bop-sec51", "latent/latent-adam"])
def test_kept_runs_are_repeated_by_what_their_config_says(name):
    config = json.loads((KEPT / name / "config.json").read_text())
    words = shlex.split(command_of(config))
    command = {"train": train, "compare": compare}[words[1]]
    found = settled(command, words[2:], config["network"]["input_shape"])
    kept = {key: x for key, x in config["options"].items() if key in found and x is not None}
    for name in ("width", "recipe") if words[1] == "compare" else ("width",):
        kept.pop(name, None)  # spelled out
    assert {key: found[key] for key in kept} == kept


def test_a_sweep_is_repeated_by_what_it_says():
    description = json.loads((KEPT / "scans" / "sweep.json").read_text())
    words = shlex.split(command_of(description))
    found = settled(sweep, words[2:])
    for key, value in description["options"].items():
        assert found[key.replace("-", "_")] == value, key
    with sweep.make_context("sweep", words[2:]) as context:
        assert context.params["seeds"] == "0"
        scan = dict(text.split("=") for text in context.params["scan"])
    assert scan == {"gamma": "0.01,0.001,0.0001", "threshold": "0,1e-06,1e-05"}
    recipes = {"grid": {"recipe": ["cema"]}, "scan": {}, "random": None, "seeds": [0]}
    assert "--epochs 15" in command_of(recipes | {"options": {"epochs": 15}})


ONCE, TWICE = {"epochs": 1}, {"epochs": 2, "options": {"command": "train"}, "optimizer": {}}


@pytest.mark.parametrize(
    "config",
    [
        *({}, {"options": None}, {"options": {"command": "fly"}}, {"options": {"seed": 1}}),
        TWICE | {"earlier": [ONCE]},  # a comparison, or the cells of a sweep
        TWICE | {"earlier": [ONCE | {"optimizer": {}, "repeatable": False}]},
    ],
)
def test_what_no_command_repeats(config):
    assert command_of(config) is None
    assert command_of(TWICE | {"mpi": {"ranks": 3}}) == "mpiexec -n 3 minibnn train"
