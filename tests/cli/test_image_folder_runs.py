"""``--dataset image-folder`` on the command line: a run, its resume, and what is made of it."""

import json
from pathlib import Path

import pytest
from image_files import names, write_tree

from minibnn.errors import InputError
from minibnn.training.metrics import read_rows

FILES = names("train", "abcdef", 4) | names("val", "abcdef", 2) | {"train/e/2.PNG": b"<html>"}
OPTIONS = (
    *("--dataset", "image-folder", "--data-dir", "data", "--image-size", 12),
    *("--model", "digits", "--filters", 4, "--dense-units", 16, "--batch-size", 8),
)


@pytest.fixture(autouse=True)
def images(here):
    write_tree(here / "data", FILES)


def test_a_run_says_what_it_left_out_and_can_be_resumed(run, fails):
    code, out, err = run("train", *OPTIONS, "--epochs", 2)
    assert code == 0
    assert err == "minibnn: data/train/e/2.PNG: not an image of a known format; left out\n"
    assert "24 + 12 images 12x12x3 float32, 6 classes" in out
    assert "note: images that cannot be read, left out: 1" in out
    folder = Path("runs/train-image-folder-1")
    config = json.loads((folder / "config.json").read_text())
    assert config["augment"] == "paper"
    assert config["options"]["image_size"] == 12
    (last,) = read_rows(folder / "metrics.csv")[1:]
    assert f"(top 5 {100 * last['test_top5']:.1f} %)" in out

    code, out, _ = run("train", "--resume", "--out", folder, "--epochs", 3)
    assert code == 0 and "epoch 3/3" in out
    another = "holds another run: data.shape.0 was 12, now 16"
    fails(another, "train", "--resume", "--out", folder, "--image-size", 16)
    fails("images in files have no augment cutout", "train", *OPTIONS, "--cutout")


def test_a_broken_image_is_left_out_of_what_is_measured(run, here, monkeypatch):
    (here / "data/val/b/1.jpg").write_bytes(b"<html>")
    assert run("train", *OPTIONS, "--epochs", 1, "--out", "run")[0] == 0
    (row,) = read_rows(here / "run/metrics.csv")
    code, out, err = run("evaluate", "run", "--batch-size", "5")
    left_out = "minibnn: data/val/b/1.jpg: not an image of a known format; left out\n"
    assert (code, err) == (0, left_out)
    assert "left out:  1, which cannot be read\n" in out
    assert f" {100 * row['test_accuracy']:.2f} % " in out
    assert run("report", "run")[0] == 0
    assert ">11</td>" in (here / "run/report.html").read_text()
    sizes = []  # of a report's batches: those of training

    def measured(net, data, *, batch_size, **_):
        sizes.append(batch_size)
        raise InputError("enough")

    monkeypatch.setattr("minibnn.training.measure.measure", measured)
    assert run("report", "run")[0] == 0
    assert sizes == [8]


def test_a_folder_of_other_classes_is_not_measured(run, works, fails, here):
    run("train", *OPTIONS, "--epochs", 1, "--out", "run")
    write_tree(here / "two", names("train", "ab", 2) | names("val", "ab", 2))
    works("export", "run", "packed.npz", "--to", "packed")
    for network in ("run", "packed.npz"):  # the first ones, which have the same numbers
        works("evaluate", network, "--data-dir", "two")
    write_tree(here / "others", names("train", "ac", 2) | names("val", "ac", 2))
    words = "class 1 of the network is b, that of the images c"
    fails(words, "evaluate", "run", "--data-dir", "others")


def test_the_threads_asked_for_decode(run, fails, monkeypatch):
    run("train", *OPTIONS, "--epochs", 1, "--out", "run")
    monkeypatch.delenv("MINIBNN_NUM_THREADS", raising=False)
    asked = []

    def load(data_dir, image_size, workers, progress, test_share):
        asked.append(workers)
        raise OSError("enough")

    monkeypatch.setattr("minibnn.data.sources.load_image_folder", load)
    for extra in (("--threads", 1), ()):
        fails("enough", "train", *OPTIONS, *extra)
        fails("enough", "evaluate", "run", *extra)
    assert asked == [1, 1, None, None]
