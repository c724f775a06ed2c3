"""Rows, summary.csv and tables, from histories whose numbers are known."""

import csv

import pytest

from minibnn.errors import InputError
from minibnn.training.metrics import History
from minibnn.training.sweep import table
from minibnn.training.sweep.grid import Cell


def history(accuracies, part="test"):
    rows = [
        {
            "epoch": k, "name": "bop", "train_loss": 1.0, "train_accuracy": 0.5, "test_loss": None,
            "test_accuracy": None, "flips": 10 * k, "flip_ratio": 0.01 * k, "seconds": 1.5,
            f"{part}_accuracy": accuracy,
        }
        for k, accuracy in enumerate(accuracies, 1)
    ]  # fmt: skip
    return History("bop", rows)


def row(accuracies, seed=0, status="done", part="test", **settings):
    cell = Cell(f"{settings} {seed}", settings, seed, {})
    return table.row_of(cell, history(accuracies, part), status)


def test_a_row():
    found = row([0.5, 0.75, 0.625], seed=3, gamma=0.1)
    assert found == {
        "cell": "{'gamma': 0.1} 3", "gamma": 0.1, "seed": 3, "status": "done", "epochs": 3,
        "measured_on": "test", "best_accuracy": 0.75, "best_epoch": 2, "last_accuracy": 0.625,
        "test_accuracy": 0.625, "train_accuracy": 0.5, "flips": 60, "last_flip_ratio": 0.03,
        "seconds": 4.5, "error": None,
    }  # fmt: skip


def test_the_validation_part_goes_first():
    found = row([0.5, 0.25], part="validation")
    assert (found["measured_on"], found["best_accuracy"]) == ("validation", 0.5)
    assert found["last_accuracy"] == 0.25
    assert found["test_accuracy"] is None


def test_summary_keeps_numbers_in_full(tmp_path):
    rows = [row([1 / 3], gamma=0.1), row([], status="waiting", gamma=1, threshold=0)]
    table.write_summary(tmp_path / "summary.csv", rows)
    with open(tmp_path / "summary.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0])[:5] == ["cell", "gamma", "threshold", "seed", "status"]
    assert float(found[0]["best_accuracy"]) == 1 / 3
    assert found[0]["threshold"] == ""
    assert found[1]["best_accuracy"] == found[1]["flips"] == ""
    assert found[1]["status"] == "waiting"
    missing = {"threshold": None}
    assert table.read_summary(tmp_path / "summary.csv") == [rows[0] | missing, rows[1]]


def test_a_summary_that_is_none(tmp_path):
    path = tmp_path / "summary.csv"
    assert table.read_summary(path) == []
    table.write_summary(path, [row([0.5], gamma=0.1)])
    whole = path.read_text()
    texts = [whole.replace(f"{column},", "x,", 1) for column in ("cell", "status", "seconds")]
    for text in (*texts, "a,b\n1,2\n", "cell,seed,status\nx,0,done\n"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"is no summary\.csv"):
            table.read_summary(path)
    for text in (whole.replace(",done,", ",gone,"), whole.replace(",0.5,", ",half,")):
        path.write_text(text)
        with pytest.raises(InputError, match=r"summary\.csv, line 2: not a row"):
            table.read_summary(path)


def test_means_over_seeds():
    rows = [row([a], seed=k, gamma=g) for g in (1, 0.1) for k, a in enumerate((0.5, 0.75))]
    rows.append(row([0.9], seed=2, status="failed", gamma=1))
    (first, ones), (second, tenths) = table.over_seeds(rows)
    assert (first, second) == ({"gamma": 1}, {"gamma": 0.1})
    assert [r["seed"] for r in ones] == [0, 1] == [r["seed"] for r in tenths]
    assert table.mean_and_spread([0.5, 0.75]) == (0.625, pytest.approx(0.125 * 2**0.5))
    assert table.mean_and_spread([0.5]) == (0.5, None)
    cells, means = table.tables(rows)
    assert len(cells.lines) == 5
    assert means.lines[0] == ["1", "2", "62.50 % ± 17.68", "62.50 % ± 17.68"]
    assert len(table.tables(rows[:1])) == 1


def test_tables_are_readable():
    rows = [row([0.5, 0.25], gamma=0.1), row([0.75], seed=1, gamma=0.1)]
    rows.append(row([], status="failed", gamma=1))
    text = "\n\n".join(map(str, table.tables(rows)))
    head, _, first, *_ = text.splitlines()
    columns = "gamma seed status epochs measured_on best_accuracy best_epoch last_accuracy".split()
    assert head.split() == [*columns, "flips", "seconds"]
    assert first.split() == "0.1 0 done 2 test 50.00 % 1 25.00 % 30 3.0".split()
    assert "75.00 %" in text
    assert "62.50 % ± 17.68" in text
