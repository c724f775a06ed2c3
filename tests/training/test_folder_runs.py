"""Training and evaluation on images that stay in their files."""

import json
import signal
import threading

import numpy as np
import pytest
from image_files import names, write_tree
from small_runs import BOP, StopAt, optimizer, without_seconds

import minibnn as bnn
from minibnn.training.config import describe_data
from minibnn.training.errors import Interrupted
from minibnn.training.run import Run

CLASSES = "abcdef"
FILES = names("train", CLASSES, 5) | names("val", CLASSES, 3)
BROKEN = {"train/b/1.jpg": b"?", "val/c/0.JPEG": b"?", "val/f/2.PNG": b"?"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """30 training and 18 test images of 6 classes, of which one and two are broken."""
    return write_tree(tmp_path_factory.mktemp("images"), FILES | BROKEN)


def open_folder(root, workers=2):
    return bnn.data.load("image-folder", root, image_size=12, workers=workers, progress=False)


def small_net(data):
    return bnn.zoo.digits_net(data.input_shape, len(data.classes), filters=4, dense_units=16)


class Quiet(StopAt):
    """A reporter that keeps notes and may stop the run."""

    def __init__(self, batches=0, signum=None):
        super().__init__(batches, signum)
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def fit(root, out=None, workers=2, **changes):
    data = open_folder(root, workers)
    settings = {"epochs": 3, "batch_size": 7, "seed": 1, "augment": "paper", "progress": Quiet()}
    net = small_net(data)
    history = bnn.fit(net, optimizer(BOP), data, out=out, **(settings | changes))
    return net, history


@pytest.mark.parametrize("batches", [2, 4, 10])  # 4 batches to an epoch
def test_a_run_stopped_in_mid_epoch_goes_on_as_if_it_had_not_been(tree, tmp_path, batches):
    before = threading.active_count()  # other packages' threads may have stayed
    net, history = fit(tree, tmp_path / "whole", workers=1)
    with pytest.raises(Interrupted):
        fit(tree, tmp_path / "cut", workers=3, progress=Quiet(batches, signal.SIGTERM))
    assert threading.active_count() == before
    resumed, rows = fit(tree, tmp_path / "cut", workers=2, resume=True)
    assert net.digest() == resumed.digest()
    assert without_seconds(rows.rows) == without_seconds(history.rows)


def test_metrics_have_top5_and_the_log_a_count_of_what_was_left_out(tree, tmp_path):
    report = Quiet()
    net, history = fit(tree, tmp_path / "run", progress=report)
    assert report.notes == ["images that cannot be read, left out: 3"]
    head, *lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert head.split(",")[:10][-2:] == ["seconds", "test_top5"]
    assert len(lines) == 3
    data = open_folder(tree)
    images = np.concatenate([x for x, _ in data.test_images.batches(18)])
    kept = np.concatenate([k for _, k in data.test_images.batches(18)])
    assert len(images) == 16
    scores, labels = net.predict(images), data.test_labels[kept]
    best = np.argsort(-scores, axis=1, kind="stable")
    top5 = np.mean([label in row[:5] for row, label in zip(best, labels, strict=True)])
    assert history.last["test_top5"] == top5 >= history.last["test_accuracy"]
    assert history.last["test_accuracy"] == np.mean(best[:, 0] == labels)
    assert "test_top5" in str(history) and f"{100 * top5:.2f} %" in str(history)
    for batch_size in (1, 5, 100):  # in pieces, and all at once from memory
        found = bnn.evaluate(net, data, batch_size=batch_size)
        assert (found.accuracy, found.top5) == (np.mean(best[:, 0] == labels), top5)
        assert found.count == 16
        in_memory = bnn.evaluate(net, images, labels)
        assert found.loss == pytest.approx(in_memory.loss, rel=1e-6)


def test_a_validation_part_is_split_off_by_rows(tree, tmp_path):
    net, history = fit(tree, tmp_path / "run", validation=6, epochs=2)
    assert history["test_accuracy"] == [None, history.last["test_accuracy"]]
    assert None not in history["validation_accuracy"] + history["validation_top5"]
    again, rows = fit(tree, tmp_path / "run", validation=6, epochs=2, resume=True)
    assert net.digest() == again.digest()
    for read, row in zip(rows.rows, history.rows, strict=True):  # read back from metrics.csv
        assert read == {"test_top5": None} | row


def test_few_classes_have_no_top5(tmp_path):
    root = write_tree(tmp_path / "few", names("train", "abcde", 3) | names("val", "abcde", 1))
    data = open_folder(root)
    assert not data.top5 and open_folder(write_tree(tmp_path / "six", FILES)).top5
    assert not bnn.data.load("digits").top5  # 10 classes, but in memory
    assert bnn.evaluate(small_net(data), data).top5 is None
    _, history = fit(root, tmp_path / "run", epochs=1)
    assert "test_top5" not in history.last
    assert "top5" not in (tmp_path / "run" / "metrics.csv").read_text()


def test_two_optimizers_see_the_same_images(tree):
    data = open_folder(tree)
    result = bnn.lockstep(
        small_net(data),
        {"a": optimizer(BOP), "b": optimizer(BOP)},
        data,
        epochs=1,
        batch_size=10,
        augment="paper",
        progress=Quiet(),
    )
    assert result["a"].last["agreement:b"] == 1
    alone, _ = fit(tree, epochs=1, batch_size=10, seed=0)
    assert result.nets["a"].digest() == alone.digest()


def test_another_folder_is_another_run(tree, tmp_path):
    fit(tree, tmp_path / "run", epochs=1)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["data"] == json.loads(json.dumps(describe_data(open_folder(tree))))
    assert config["data"]["name"] == "image-folder" and config["data"]["shape"] == [12, 12, 3]

    moved = write_tree(tmp_path / "moved", FILES | BROKEN)
    fit(moved, tmp_path / "run", resume=True, epochs=2)  # the same files elsewhere
    changed = write_tree(tmp_path / "changed", FILES | BROKEN | {"train/a/0.JPEG": b"other"})
    with pytest.raises(bnn.InputError, match=r"data\.crc32 was"):
        fit(changed, tmp_path / "run", resume=True, epochs=2)


def test_a_measured_loss_that_is_not_finite_is_told(tree):
    before = threading.active_count()
    data = open_folder(tree)
    run = Run("a", small_net(data), optimizer(BOP), lambda logits, labels: (np.inf, None))
    row = {"epoch": 1, "seconds": 0.0}
    with pytest.raises(bnn.training.TrainingError, match="the test loss is nan; all"):
        run.measure(row, "test", data, 7)
    assert threading.active_count() == before
