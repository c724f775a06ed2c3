"""Cells: names that a file system takes, and command lines that train understands."""

import re

from minibnn.cli.train import train
from minibnn.training.sweep.cells import Cell, cell_name, make_cells
from minibnn.training.sweep.keys import apply


def test_names_tell_the_settings():
    assert cell_name({"gamma": "0.001", "batch-size": "50", "seed": "2"}) == (
        "gamma=0.001_batch-size=50_seed=2"
    )


def test_names_are_safe_short_and_different():
    texts = ["npz:../a b.npz", "npz:../a:b.npz", "NPZ:../A b.npz", "x" * 300, "x" * 299 + "y", "äö"]
    points = [{"dataset": text} for text in texts]
    cells = make_cells(points, [0, 1], dict)
    names = [cell.name for cell in cells]
    assert len({name.casefold() for name in names}) == len(names) == 12
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9.+=,_-]{1,120}", name)
    assert names == [
        cell.name for cell in make_cells([{"dataset": t} for t in texts], [0, 1], dict)
    ]


def test_seeds_come_outermost():
    cells = make_cells([{"gamma": "1"}, {"gamma": "0.5"}], [0, 7], dict)
    assert [(c.seed, c.settings["gamma"]) for c in cells] == [
        (0, "1"), (0, "0.5"), (7, "1"), (7, "0.5"),
    ]  # fmt: skip


def test_train_reads_the_arguments_of_a_cell(small, tmp_path):
    settings = {"gamma": "step:0.001:0.1:50%", "augment": "no", "width": "0.5"}
    del small["filters"], small["dense-units"]
    cell = Cell("c", settings, 7, apply(settings, small))
    with train.make_context("train", cell.arguments(tmp_path)) as context:
        found = context.params
    assert found["optimizer"] == "bop:gamma=step:0.001:0.1:50%,threshold=1e-6"
    assert (found["augment"], found["width"], found["seed"]) == (False, 0.5, 7)
    assert (found["epochs"], found["batch_size"]) == (2, 300)
    assert (found["out"], found["resume"]) == (str(tmp_path), True)


def test_a_cell_is_finished_by_its_checkpoint(small, tmp_path, after):
    """Rows of metrics.csv may be ahead of it."""
    cell = Cell("c", {}, 1, small | {"epochs": 3})
    assert not cell.finished(tmp_path)
    after(tmp_path / "c", 2)
    assert not cell.finished(tmp_path)
    assert len(cell.progress(tmp_path).history) == 2
    assert Cell("c", {}, 1, small).finished(tmp_path)
    assert Cell("c", {}, 1, {}).finished(tmp_path)  # as many epochs as it was started for
    (tmp_path / "c" / "checkpoint.npz").write_bytes(b"PK")
    assert not Cell("c", {}, 1, small).finished(tmp_path)
    (tmp_path / "c" / "metrics.csv").write_text("nonsense\n")
    assert len(cell.progress(tmp_path).history) == 0
