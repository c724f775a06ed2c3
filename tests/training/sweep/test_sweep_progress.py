"""How long a sweep is said to take, and what is printed meanwhile."""

import io

import pytest

from minibnn.training.metrics import History
from minibnn.training.sweep import progress
from minibnn.training.sweep.cells import Cell, Progress
from minibnn.training.sweep.progress import Forecast, Lines, Live, Silent, state, sweep_reporter


def cells(count, **options):
    return [Cell(f"c{i}", {}, 0, {"epochs": 10, **options}) for i in range(count)]


def went(seconds, epochs=10):
    """A Progress whose epochs took these seconds."""
    return Progress(History("c", [{"seconds": s} for s in seconds]), epochs)


def test_nothing_is_promised_before_the_first_epoch():
    forecast = Forecast(cells(2))
    forecast.update(["c0"], {"c0": went([])})
    assert forecast.remaining is None


def test_cells_go_on_as_they_went_and_others_like_them():
    forecast = Forecast(cells(4))
    forecast.update(["c0", "c1"], {"c0": went([9, 1, 1]), "c1": went([9, 2])})
    # c0 has 7 epochs of 1 s, c1 8 of 2 s (the first ones waited for the compiler), the two that
    # wait 10 of 1.5 s: workers are free after 7 and 16 s, then after 22 and 31
    assert forecast.remaining == pytest.approx(31)
    forecast.over("c0")
    forecast.update(["c1", "c2"], {"c1": went([9, 2]), "c2": went([1.5])})
    assert forecast.remaining == pytest.approx(16 + 10 * (2 + 1.5) / 2 - 2.5, abs=3)


def test_the_last_cell_alone_counts_in_full():
    forecast = Forecast(cells(3))
    forecast.update(["c0", "c1"], {"c0": went([1] * 9), "c1": went([1] * 9)})
    assert forecast.remaining == pytest.approx(1 + 10)
    forecast.over("c0")
    forecast.over("c1")
    forecast.update(["c2"], {"c2": went([1] * 4)})
    assert forecast.remaining == pytest.approx(6)
    forecast.over("c2")
    forecast.update([], {})
    assert forecast.remaining == 0


def test_cells_are_taken_for_those_of_their_size():
    small, large = cells(2, filters=8)[0], Cell("large", {}, 0, {"epochs": 10, "filters": 64})
    other = Cell("other", {}, 0, {"epochs": 10, "filters": 64, "optimizer": "cema"})
    forecast = Forecast([small, large, other])
    forecast.update(
        ["c0", "large"], {"c0": went([1] * 10), "large": went([5] * 10), "other": went([])}
    )
    assert forecast.remaining == pytest.approx(50)


def test_a_cell_that_was_over_before_any_look_counts():
    forecast = Forecast(cells(3))
    forecast.over("c0", went([2] * 10))
    forecast.update(["c1"], {"c1": went([])})
    assert forecast.remaining == pytest.approx(40)


def test_the_time_left_of_many_cells_is_found_at_once(monkeypatch):
    """The size of each cell is looked at once, not for every pair of cells."""
    sizes, size = [], progress._size
    monkeypatch.setattr(progress, "_size", lambda cell: sizes.append(cell) or size(cell))
    forecast = Forecast(cells(1000))
    for k in range(500):
        forecast.over(f"c{k}", went([1] * 10))
    forecast.update(["c500", "c501"], {"c500": went([]), "c501": went([])})
    assert forecast.remaining == pytest.approx(500 * 10 / 2)
    assert len(sizes) == 1000


def test_resumed_cells_count_what_is_left():
    forecast = Forecast(cells(1))
    forecast.update(["c0"], {"c0": went([1] * 5, epochs=20)})
    assert forecast.remaining == pytest.approx(15)


def test_state():
    assert state(3, 6, {"a": 1, "b": 2}, 250) == "3 of 6 cells done, 2 running, 4 min 10 s left"
    assert state(0, 6, {}, None) == "0 of 6 cells done, 0 running"


def test_lines(capsys, monkeypatch):
    lines = Lines()
    lines.begin(12, 3)
    lines.look({}, 60)
    lines.cell("gamma=1", "best test 90.00 %")
    lines.note("something")
    monkeypatch.setattr("minibnn.training.progress.time.monotonic", lambda: 1e9)
    lines.look({"a": None}, 60)
    assert capsys.readouterr().out.splitlines() == [
        "cell  4/12  gamma=1  best test 90.00 %",
        "note: something",
        "4 of 12 cells done, 1 running, 1 min 00 s left",
    ]


def test_live_shows_the_running_cells():
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    live = Live(console)
    live.begin(3, 0)
    live.look({"gamma=1": went([1, 1]), "gamma=2": went([])}, 75)
    live._shown.refresh()
    live.cell("gamma=1", "best [test] 90 %")
    live.look({"gamma=2": went([1])}, 10)
    live._shown.refresh()
    live.end()
    shown = console.file.getvalue()
    assert "epoch 3 of 10" in shown
    assert "0 of 3 cells done, 2 running, 1 min 15 s left" in shown
    assert "cell 1/3  gamma=1  best [test] 90 %" in shown
    assert shown.rstrip().rindex("1 of 3 cells done, 1 running") > shown.index("cell 1/3")


def test_which_reporter(monkeypatch):
    assert type(sweep_reporter(False)) is Silent
    assert type(sweep_reporter()) is Lines  # pytest's output is no terminal
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert type(sweep_reporter()) is Live
    own = Silent()
    assert sweep_reporter(own) is own
