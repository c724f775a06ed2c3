"""``minibnn info``: every kind of folder and file, in words and as JSON; all else in one line."""

import json
from pathlib import Path

import pytest

import minibnn as bnn
from minibnn.training.metrics import read_rows
from minibnn.training.sweep.table import read_summary

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "--model digits --filters 4 --dense-units 16"
BOP = "bop:gamma=cosine:0.01:0.0001,threshold=1e-06,rule=strict,average=convex,initial=0.0"


@pytest.fixture(autouse=True)
def at_home(here, trained, monkeypatch):
    monkeypatch.chdir(trained)


@pytest.fixture
def asked(works):
    """What info says: words by label, and the JSON."""

    def asked(path):
        head, _, rest = works("info", path).partition("\n\n")
        lines = [line.split(": ", 1) for line in rest.splitlines() if ": " in line]
        found = json.loads(works("info", path, "--json"))
        return head, {label: words.strip() for label, words in lines}, found

    return asked


def test_a_run(asked):
    head, words, found = asked("run")
    assert head == "run: run"
    assert found["kind"] == "run"
    assert words["optimizer"] == BOP
    assert words["images"] == "digits: 1,437 + 360 of 8x8x1, 10 classes"
    assert (words["seed"], words["batch size"], words["validation"]) == ("0", "200", "100")
    assert words["epochs"] == "2 of 2"
    assert found["epochs"] == {"done": 2, "of": 2}
    rows = read_rows("run/metrics.csv")
    best = max(rows, key=lambda row: row["validation_accuracy"])
    results = found["results"]
    assert results["best_accuracy"] == best["validation_accuracy"]
    assert results["test_accuracy"] == rows[-1]["test_accuracy"]
    assert words["measured on"] == "validation"
    assert words["best accuracy"] == f"{100 * best['validation_accuracy']:.2f} %"
    assert words["best epoch"] == str(best["epoch"])
    assert words["test accuracy"] == f"{100 * rows[-1]['test_accuracy']:.2f} %"
    network = found["network"]
    summary = bnn.load("run").summary()
    assert network["binary_weights"] == summary.total("bits")
    assert network["packed_bytes"] == summary.total("packed")
    assert words["binary weights"] == f"{summary.total('bits'):,}"
    assert words["network"] == "digits, 8x8x1 -> 10"
    size = Path("run/checkpoint.npz").stat().st_size
    assert found["files"]["checkpoint.npz"] == size
    assert f"checkpoint.npz ({size:,} bytes)" in words["files"]
    small = (
        "--epochs 2 --batch-size 200 --no-augment --validation 100 --real-optimizer adam:lr=0.01"
    )
    assert words["to repeat it"] == f"minibnn train {NETWORK} {small}"
    assert found["config"] == json.loads(Path("run/config.json").read_text())


def test_nothing_in_a_file_reaches_the_terminal_raw(works, tmp_path):
    packed = bnn.load("net.bnn.npz")
    packed.name = "\x1b[2Jgone\nnetwork: another"
    packed.save(tmp_path / "evil.npz")
    out = works("info", tmp_path / "evil.npz")
    assert all(line.isprintable() for line in out.splitlines())
    assert r"\x1b[2Jgone\nnetwork: another, 8x8x1 -> 10" in out
    config = json.loads(Path("run/config.json").read_text())
    config["network"]["name"] = config["data"]["name"] = "\x1b]0;title\x07"
    config["options"]["\x9b2J"] = config["minibnn"] = "\x9b2J"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    (tmp_path / "run/metrics.csv").write_bytes(Path("run/metrics.csv").read_bytes())
    out = works("info", tmp_path / "run")
    assert all(line.isprintable() for line in out.splitlines())
    assert r"\x1b]0;title\x07" in out


def test_a_comparison_and_a_folder_of_runs(asked, works):
    _, words, found = asked("both")
    assert found["kind"] == "comparison"
    assert words["optimizer bop"] == BOP
    assert [one["name"] for one in found["runs"]] == ["bop", "latent-sgd"]
    rows = [row for row in read_rows("both/metrics.csv") if row["name"] == "bop"]
    assert found["runs"][0]["results"]["last_accuracy"] == rows[-1]["test_accuracy"]
    small = "--epochs 2 --batch-size 200 --no-augment"
    assert found["command"] == f"minibnn compare {NETWORK} {small}"
    table = works("info", "both").split("\n\n")[-1].splitlines()
    assert [line.split()[0] for line in table] == ["run", "----------", "bop", "latent-sgd"]
    _, _, found = asked(Path.cwd())
    table = works("info", Path.cwd()).splitlines()
    assert [line.split()[5] for line in table[-3:]] == ["test", "test", "validation"]
    assert found["kind"] == "folder of runs"
    assert [one["name"] for one in found["runs"]] == ["both/bop", "both/latent-sgd", "run"]


def test_files(asked):
    size = Path("run/best.npz").stat().st_size
    _, words, found = asked("run/best.npz")
    best = max(row["validation_accuracy"] for row in read_rows("run/metrics.csv"))
    assert (found["kind"], found["bytes"]) == ("best network of a run", size)
    assert words["file"] == f"{size:,} bytes"
    assert found["results"]["best_accuracy"] == best
    assert words["optimizer"] == BOP
    _, words, found = asked("run/checkpoint.npz")
    assert (found["kind"], words["epochs"]) == ("checkpoint", "2 of 2")
    _, words, found = asked("net.npz")
    assert (found["kind"], words["network"]) == ("network", "digits, 8x8x1 -> 10")
    assert "optimizer" not in words
    _, words, found = asked("net.bnn.npz")
    assert (found["kind"], words["trained on"]) == ("packed network", "digits")
    assert found["network"]["packed_bytes"] == bnn.load("net.bnn.npz").summary().total("packed")
    assert words["binary weights"] == f"{bnn.load('net.npz').summary().total('bits'):,}"


def test_a_checkpoint_beside_another_run_is_told_alone(asked, tmp_path):
    """Its network is not that of the config.json there."""
    (tmp_path / "config.json").write_text(json.dumps({"network": {}, "seed": 7}))
    (tmp_path / "best.npz").write_bytes(Path("run/best.npz").read_bytes())
    _, words, _ = asked(tmp_path / "best.npz")
    assert "seed" not in words


@pytest.mark.parametrize("text", ["[]", "{", '{"optimizer": "adam"}'])
def test_a_file_beside_the_config_of_another_program(asked, works, tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "best.npz").write_bytes(Path("run/best.npz").read_bytes())
    asked(tmp_path / "best.npz")
    works("evaluate", tmp_path / "best.npz", "--dataset", "digits")


def test_onnx(asked, works, fails, tmp_path):
    pytest.importorskip("onnx")
    file = tmp_path / "net.onnx"
    works("export", "run", file, "--to", "onnx")
    _, words, found = asked(file)
    assert found["kind"] == "ONNX model"
    assert words["network"] == "digits"
    assert words["opset"] == "ai.onnx 13"
    for content in (b"", b"hello", file.read_bytes()[:1000]):
        file.write_bytes(content)
        fails(r"net\.onnx is no ONNX model", "info", file)


def test_a_preset(asked, works, tmp_path):
    out = tmp_path / "preset"
    small = ("--preset", "latent-scale", "--steps", "3", "--filters", "4", "--dense-units", "16")
    works("compare", *small, "--out", out)
    _, words, found = asked(out)
    assert (found["kind"], words["preset"]) == ("preset", "latent-scale, 3 steps")
    assert "recipe" not in words
    assert words["to repeat it"].startswith("minibnn compare --preset latent-scale --steps 3 ")


def test_a_sweep(asked):
    scans = ROOT / "examples" / "results" / "kept" / "scans"
    _, words, found = asked(scans)
    assert (found["kind"], words["gamma"]) == ("sweep", "0.01, 0.001, 0.0001")
    assert words["cells"] == "5 of 5"
    rows = read_summary(scans / "summary.csv")
    best = max(rows, key=lambda row: row["best_accuracy"])
    assert words["best"] == f"{100 * best['best_accuracy']:.2f} % in {best['cell']}"
    assert found["results"]["best"]["cell"] == best["cell"]
    assert words["to repeat it"].startswith("minibnn sweep --recipe bop-sec51 --scan gamma=0.01,")


def test_a_run_that_has_just_begun(asked, tmp_path):
    config = Path("run/config.json").read_text()
    (tmp_path / "config.json").write_text(config)
    _, words, found = asked(tmp_path)
    assert (words["epochs"], found["results"]) == ("0 of 2", None)


def test_what_it_is_not(fails, tmp_path):
    fails(r"telemetry\.npz is no run folder, checkpoint", "info", "run/telemetry.npz")
    whole = Path("run/checkpoint.npz").read_bytes()
    (tmp_path / "checkpoint.npz").write_bytes(whole[: len(whole) // 2])
    fails(r"checkpoint\.npz is cut off or damaged", "info", tmp_path / "checkpoint.npz")
    for text in ("[]", "{", '{"network": 3}', '{"options": 3, "network": {}}'):
        (tmp_path / "config.json").write_text(text)
        fails(r"config\.json is damaged", "info", tmp_path)
    (tmp_path / "sweep.json").write_text("{}")
    fails(r"sweep\.json is damaged", "info", tmp_path)
