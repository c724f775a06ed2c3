"""metrics.csv and the objects that hold its rows."""

import pytest
from small_runs import compare, fit

import minibnn as bnn
from minibnn.training import History
from minibnn.training.metrics import read_rows, write_rows

COLUMNS = (
    "epoch,name,train_loss,train_accuracy,test_loss,test_accuracy,flips,flip_ratio,seconds,"
    "flips:conv1/kernel,flips:conv2/kernel,flips:dense1/kernel,flips:dense2/kernel,"
    "pi:conv1/kernel,pi:conv2/kernel,pi:dense1/kernel,pi:dense2/kernel,"
    "never_flipped:conv1/kernel,never_flipped:conv2/kernel,"
    "never_flipped:dense1/kernel,never_flipped:dense2/kernel"
)


def test_columns_and_rows_are_there_while_the_run_goes_on(tmp_path):
    seen = []

    def look(run, row):
        seen.append(len(read_rows(tmp_path / "run/metrics.csv")))

    history = fit(tmp_path / "run", callbacks=[look])
    assert seen == [0, 1, 2]
    lines = (tmp_path / "run/metrics.csv").read_text().splitlines()
    assert lines[0] == COLUMNS
    assert len(lines) == 4
    assert read_rows(tmp_path / "run/metrics.csv") == history.rows
    for row in history.rows:
        assert row["flips"] == sum(v for c, v in row.items() if c.startswith("flips:"))
        assert 0 <= row["train_accuracy"] <= 1
        assert row["seconds"] > 0


def test_history(tmp_path):
    history = History("a", [{"epoch": e, "x": x, "y": None} for e, x in ((1, 2.0), (2, 5.0))])
    assert history["x"] == [2.0, 5.0]
    assert history.last["x"] == 5.0
    assert history.best("x")["epoch"] == 2
    assert history.best("y") == {}
    assert history.to_dict() == {"epoch": [1, 2], "x": [2.0, 5.0], "y": [None, None]}
    with pytest.raises(KeyError):
        history["z"]
    assert len(History("empty")) == 0
    assert History("empty").last == {}


def test_tables_can_be_read():
    history = fit()
    lines = str(history).splitlines()
    assert len(lines) == 2 + 3
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split()[:3] == ["epoch", "name", "train_loss"]
    result = compare(epochs=2)
    text = str(result)
    assert "of the binary weights of bop and latent-sgd agree" in text
    assert f"{100 * result['bop'].last['test_accuracy']:.2f} %" in text
    assert str(History("empty"))


def test_numbers_survive_the_file(tmp_path):
    rows = [
        {"epoch": 1, "name": "a", "train_loss": 0.1 + 0.2, "flips": 3, "seconds": 1e-300},
        {"epoch": 2, "name": "a", "train_loss": 1 / 3, "flips": 0, "seconds": 2.0, "unknown": 1},
    ]
    rows = [{"train_accuracy": 0.5, **row} for row in rows]
    write_rows(tmp_path / "m.csv", COLUMNS.split(","), rows)
    found = read_rows(tmp_path / "m.csv")
    for row, expected in zip(found, rows, strict=True):
        for key in ("epoch", "name", "train_loss", "flips", "seconds"):
            assert row[key] == expected[key]
            assert type(row[key]) is type(expected[key])
        assert row["test_loss"] is None


def test_a_broken_line_inside_is_reported(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(COLUMNS + "\n1,a,0.5\n")
    with pytest.raises(bnn.InputError, match="line 2: not a row of 21 values"):
        read_rows(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(bnn.InputError, match="not text"):
        read_rows(path)
    assert read_rows(tmp_path / "missing.csv") == []
