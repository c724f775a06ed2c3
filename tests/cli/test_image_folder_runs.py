"""``--dataset image-folder`` on the command line: a run, its resume, and what it refuses."""

import json
from pathlib import Path

import pytest
from image_files import names, write_tree

from minibnn.cli import main
from minibnn.errors import InputError
from minibnn.training.metrics import read_rows

FILES = names("train", "abcdef", 4) | names("val", "abcdef", 2) | {"train/e/2.PNG": b"<html>"}
OPTIONS = ("--dataset", "image-folder", "--image-size", 12, "--model", "digits")
SMALL = ("--filters", 4, "--dense-units", 16, "--batch-size", 8)


@pytest.fixture(autouse=True)
def images(here):
    write_tree(here / "data", FILES)


@pytest.fixture
def run(run):
    """Run ``minibnn train``."""
    return lambda *arguments: run("train", *arguments)


def test_a_run_says_what_it_left_out_and_can_be_resumed(run):
    code, out, err = run(*OPTIONS, *SMALL, "--data-dir", "data", "--epochs", 2)
    assert code == 0
    assert err == "minibnn: data/train/e/2.PNG: not an image; left out\n"
    assert "24 + 12 images 12x12x3 float32, 6 classes" in out
    assert "note: images that cannot be read, left out: 1" in out
    folder = Path("runs/train-image-folder-1")
    config = json.loads((folder / "config.json").read_text())
    assert config["augment"] == "paper"
    assert config["options"]["image_size"] == 12
    (last,) = read_rows(folder / "metrics.csv")[1:]
    assert f"(top 5 {100 * last['test_top5']:.1f} %)" in out

    code, out, _ = run("--resume", "--out", folder, "--epochs", 3)
    assert code == 0 and "epoch 3/3" in out
    code, _, err = run("--resume", "--out", folder, "--epochs", 3, "--image-size", 16)
    assert code == 2 and err.count("\n") == 1
    assert "holds another run: data.shape.0 was 12, now 16" in err


def test_a_broken_image_is_left_out_of_what_is_measured(run, here, capsys):
    (here / "data/val/b/1.jpg").write_bytes(b"<html>")
    sizes = (*SMALL[:-1], 5)
    assert run(*OPTIONS, *sizes, "--data-dir", "data", "--epochs", 1, "--out", "run")[0] == 0
    (row,) = read_rows(here / "run/metrics.csv")
    assert main(["evaluate", "run", "--batch-size", "5"]) == 0
    out, err = capsys.readouterr()
    assert err == "minibnn: data/val/b/1.jpg: not an image; left out\n"
    assert "left out:  1, which cannot be read\n" in out
    assert f" {100 * row['test_accuracy']:.2f} % " in out
    assert main(["report", "run"]) == 0
    assert ">11</td>" in (here / "run/report.html").read_text()


def test_a_report_measures_in_the_batches_of_training(run, here, monkeypatch):
    assert run(*OPTIONS, *SMALL, "--data-dir", "data", "--epochs", 1, "--out", "run")[0] == 0
    sizes = []

    def measured(net, data, *, batch_size, **_):
        sizes.append(batch_size)
        raise InputError("enough")

    monkeypatch.setattr("minibnn.training.measure.measure", measured)
    assert main(["report", "run"]) == 0
    assert sizes == [8]


def test_the_threads_asked_for_decode(run, monkeypatch):
    monkeypatch.delenv("MINIBNN_NUM_THREADS", raising=False)
    asked = []

    def load(data_dir, image_size, workers, progress, test_share):
        asked.append(workers)
        raise OSError("enough")

    monkeypatch.setattr("minibnn.data.sources.load_image_folder", load)
    for extra in (("--threads", 1), ()):
        assert run(*OPTIONS, "--data-dir", "data", *extra)[0] == 2
    assert asked == [1, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "image-folder needs a folder with train/ and val/: name it by --data-dir"),
        (("--data-dir", "nowhere"), "nowhere: expected a folder with train/ and val/, found no"),
        (("--data-dir", "data/train"), "data/train: expected folders train/ and val/, found no"),
        (("--data-dir", "data", "--image-size", 0), "image size must be an integer from 1"),
    ],
)
def test_bad_input_is_one_line_and_2(run, here, arguments, message):
    code, out, err = run("--dataset", "image-folder", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("minibnn: ") and message in err and err.count("\n") == 1
    assert not (here / "runs").exists()


def test_an_image_size_without_a_folder_of_images_is_refused(run):
    code, _, err = run("--image-size", 12)
    assert code == 2 and "for image-folder only, not for 'digits'" in err
