"""What results show in Jupyter: the HTML holds what the rows hold, whatever they are called."""

from pathlib import Path

import numpy as np
import pytest
from test_tables import Cells

import minibnn as bnn
from minibnn.equivalences.report import Report, Row
from minibnn.training import Evaluation, History, Lockstep, SweepResult
from minibnn.training.measure import Measured

NASTY = "<b>&\"'"


def history(name, epochs=3, seed=0):
    random = np.random.default_rng(seed)
    columns = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    return History(
        name,
        [
            {"epoch": e + 1, "name": name, "flips": 1000 * e, "flip_ratio": 0.5**e, "seconds": 2.0}
            | {column: random.random() for column in columns}
            | {"pi:conv1/kernel": -9.0}
            for e in range(epochs)
        ],
    )


def html(shown):
    return Cells(shown._repr_html_())


def test_history():
    found = history(NASTY)
    head, *lines = html(found).rows
    assert [line[head.index("name")] for line in lines] == [NASTY] * 3
    for row, line in zip(found, lines, strict=True):
        assert line[head.index("test_accuracy")] == f"{100 * row['test_accuracy']:.2f} %"
        assert line[head.index("flips")] == f"{row['flips']:,}"
        assert line[head.index("train_loss")] == f"{row['train_loss']:.4f}"
    assert list(found) == found.rows
    assert found.to_dict()["test_accuracy"] == [row["test_accuracy"] for row in found]


def test_lockstep():
    both = {name: history(name, seed=k) for k, name in enumerate((NASTY, "b"))}
    for row, share in zip(both[NASTY].rows, (0.9, 0.8, 0.75), strict=True):
        row["agreement:b"] = share
    assert len(Lockstep(both | {"c": History("c")}, {}).rows) == 6  # one whose rows were lost
    found = Lockstep(both, {})
    cells = html(found)
    head, *lines = cells.rows
    assert [line[0] for line in lines] == [NASTY, "b"]
    for one, line in zip(both.values(), lines, strict=True):
        found_in = dict(zip(head, line, strict=True))
        best = one.best()
        assert found_in["test_accuracy"] == f"{100 * one.last['test_accuracy']:.2f} %"
        assert found_in["best_accuracy"] == f"{100 * best['test_accuracy']:.2f} %"
        assert found_in["best_epoch"] == str(best["epoch"])
    assert cells.words == [f"75.0 % of the binary weights of {NASTY} and b agree"]
    assert list(found) == found.rows
    assert [row["name"] for row in found][:2] == [NASTY, "b"]
    assert found.to_dict()["b"]["flips"] == [0, 1000, 2000]


def test_network_summaries():
    net = bnn.zoo.digits_net(filters=4, dense_units=16)
    found = net.summary()
    head, *lines, total = html(found).rows
    assert head[:4] == ["layer", "kind", "output", "1-bit"]
    for row, line in zip(found, lines, strict=True):
        assert line[:3] == [row["layer"], row["kind"], "x".join(map(str, row["output"]))]
        assert line[3] == (f"{row['bits']:,}" if row["bits"] else "-")
    assert total[3] == f"{found.total('bits'):,}"
    columns = found.to_dict()
    assert columns["layer"] == [row["layer"] for row in found]
    assert columns["packed"] == [row["packed"] for row in found]
    assert len(found) == len(net.layers)


def test_evaluation_and_confusion():
    found = Measured(Evaluation(0.25, 0.5, 8), np.array([[0, 1], [2, 3]]), 2.0, (NASTY, "b"))
    head, line, *matrix = html(found).rows
    assert (head, line) == (
        ["loss", "accuracy", "top 5", "images"],
        ["0.2500", "50.00 %", "-", "8"],
    )
    assert matrix == [
        ["class \\ answer", NASTY, "b", "right"],
        [NASTY, ".", "1", "0.0 %"],
        ["b", "2", "3", "60.0 %"],
    ]
    assert found.to_dict()["confusion"] == [[0, 1], [2, 3]]
    assert html(found.evaluation).rows == [head, line]
    assert found.evaluation.to_dict() == {"loss": 0.25, "accuracy": 0.5, "count": 8, "top5": None}


def test_a_class_without_images_has_no_share():
    found = Measured(Evaluation(0.25, 0.5, 4), np.array([[0, 0], [1, 3]]), 2.0, ("a", "b"))
    assert [line[-1] for line in html(found).rows[-2:]] == ["-", "75.0 %"]


def test_sweep():
    rows = [
        {"cell": f"c{k}", "gamma": NASTY, "seed": k, "status": "done", "epochs": 2}
        | {"measured_on": "test", "best_accuracy": k / 4, "best_epoch": 1, "last_accuracy": 0.1}
        | {"flips": 1000, "seconds": 2.0}
        for k in range(2)
    ]
    found = SweepResult(rows, Path("x"))
    head, *lines = html(found).rows
    assert head[:3] == ["gamma", "seed", "status"]
    assert [line[:2] for line in lines[:2]] == [[NASTY, "0"], [NASTY, "1"]]
    assert lines[1][head.index("best_accuracy")] == "25.00 %"
    assert lines[-1] == [NASTY, "2", "12.50 % ± 17.68", "10.00 % ± 0.00"]
    assert list(found) == rows
    assert len(found) == 2
    assert found.to_dict()["seed"] == [0, 1]


def test_verification():
    found = Report((Row("E1", NASTY, "bits", 5, verdict="FAILS", why="so"),), 0, 1.0)
    assert html(found).rows == [
        ["id", "statement", "class", "cases", "ties", "verdict", "seconds"],
        ["E1", NASTY, "bits", "5", "-", "FAILS", "0.0"],
    ]
    assert list(found) == list(found.rows)
    assert "E1 fails: so" in str(found)


@pytest.mark.parametrize("empty", [History("a"), Lockstep({"a": History("a")}, {})])
def test_nothing_measured_yet(empty):
    assert html(empty).rows
    assert list(empty) == []
    assert str(empty)
