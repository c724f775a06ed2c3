"""Cells: names that a file system takes, and command lines that train understands."""

import json
import re

from minibnn.cli import cell as cell_process
from minibnn.cli.train import train
from minibnn.training.sweep.grid import Cell, make_cells, points
from minibnn.training.sweep.worker import Job

BOP = {"optimizer": "bop"}


def test_names_are_safe_short_and_different():
    texts = ["npz:../a b.npz", "npz:../a:b.npz", "NPZ:../A b.npz", "x" * 300, "x" * 299 + "y", "äö"]
    points = [{"dataset": text} for text in texts]
    cells = make_cells(points, [0, 1], {})
    names = [cell.name for cell in cells]
    assert len({name.casefold() for name in names}) == len(names) == 12
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9.+=,_-]{1,120}", name)
    assert names == [cell.name for cell in make_cells([{"dataset": t} for t in texts], [0, 1], {})]


def test_seeds_tell_long_names_apart():
    points = [{"dataset": "x" * 98 + end} for end in (":20", ":20%")]
    assert len({cell.name for cell in make_cells(points, [0, 1], {})}) == 4


def test_seeds_come_outermost():
    cells = make_cells([{"gamma": 1}, {"gamma": 0.5}], [0, 7], BOP)
    assert [(c.seed, c.settings["gamma"]) for c in cells] == [
        (0, 1), (0, 0.5), (7, 1), (7, 0.5),
    ]  # fmt: skip
    assert [(c.options["seed"], c.options["optimizer"]) for c in cells[1:3]] == [
        (0, "bop:gamma=0.5"), (7, "bop:gamma=1"),
    ]  # fmt: skip


def test_train_takes_the_options_of_a_cell(small, tmp_path, monkeypatch):
    settings = {"gamma": "step:0.001:0.1:50%", "augment": False, "width": 0.5, "bn_momentum": 0.9}
    (settings,), *_ = points({k: [v] for k, v in settings.items()}, {}, BOP | small)
    del small["filters"], small["dense-units"]
    (cell,) = make_cells([settings], [7], small)
    job = Job(cell.options, str(tmp_path / "c"), ".", {}, 1, "stop")
    found = {}
    monkeypatch.setattr(train, "callback", lambda **options: found.update(options))
    assert cell_process.train_cell(json.loads(job.text())) == 0
    assert found["optimizer"] == "bop:gamma=step:0.001:0.1:50%,threshold=1e-6"
    assert (found["augment"], found["width"], found["seed"]) == (False, 0.5, 7)
    assert found["bn_momentum"] == 0.9
    assert (found["epochs"], found["batch_size"]) == (2, 300)
    assert (found["out"], found["resume"]) == (str(tmp_path / "c"), True)


def test_an_option_that_train_does_not_have_is_refused(capsys):
    assert cell_process.train_cell({"filter": 3}) == 2
    assert "--filter" in capsys.readouterr().err


def test_a_cell_is_finished_by_its_checkpoint(small, tmp_path, after):
    """Rows of metrics.csv may be ahead of it."""
    cell = Cell("c", {}, 1, small | {"epochs": 3})
    assert not cell.finished(tmp_path)
    after(tmp_path / "c", 2)
    assert not cell.finished(tmp_path)
    assert len(cell.history(tmp_path)) == 2
    assert Cell("c", {}, 1, small).finished(tmp_path)
    assert Cell("c", {}, 1, {}).finished(tmp_path)  # as many epochs as it was started for
    (tmp_path / "c" / "checkpoint.npz").write_bytes(b"PK")
    assert not Cell("c", {}, 1, small).finished(tmp_path)
    (tmp_path / "c" / "metrics.csv").write_text("nonsense\n")
    assert len(cell.history(tmp_path)) == 0
