"""What a person sees: plain lines, a live bar, and times that can be believed."""

import io
import re

import pytest
from small_runs import compare, fit

from minibnn.training.progress import Lines, Live, Pace, Silent, reporter


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_pace_leaves_the_compiler_out_and_counts_the_measuring():
    clock = Clock()
    pace = Pace(epochs=3, steps=10, batch_size=50, measured=300, clock=clock)
    assert pace.rate is None
    assert pace.remaining is None
    assert str(pace) == ""
    clock.now += 30  # the first batch compiles
    pace.end_step()
    assert pace.remaining is None
    for _ in range(4):
        clock.now += 2
        pace.end_step()
    assert pace.rate == 25
    # 25 steps of 2 s, and 3 measurements of 6 batches at a third of a step
    assert pace.remaining == pytest.approx(25 * 2 + 3 * 6 * 2 / 3)
    for _ in range(5):
        clock.now += 2
        pace.end_step()
    clock.now += 7
    pace.end_epoch()
    assert pace.remaining == pytest.approx(20 * 2 + 2 * 6 * 2 / 3)  # as fast as before it
    assert str(pace) == "25 images/s, 0:00:48 left"


def test_pace_follows_a_change():
    clock = Clock()
    pace = Pace(epochs=1, steps=3000, batch_size=1, measured=0, clock=clock)
    for seconds in [1] * 300 + [3] * 1000:
        clock.now += seconds
        pace.end_step()
    assert 2.9 < 1 / pace.rate <= 3


def test_a_resumed_run_counts_what_is_left():
    clock = Clock()
    pace = Pace(epochs=4, steps=10, batch_size=50, measured=0, epoch=2, step=6, clock=clock)
    for _ in range(2):
        clock.now += 1
        pace.end_step()
    assert pace.remaining == 12


def test_plain_lines(capsys):
    fit(progress=None, epochs=2)
    first, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"epoch 1/2  loss .* images/s, .* left", first)
    assert "left" not in last
    assert (first + last).isprintable()
    compare(progress=None, epochs=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["bop", "latent-sgd"]


def test_a_long_epoch_says_something(capsys, monkeypatch):
    monkeypatch.setattr("minibnn.training.progress._QUIET_SECONDS", -1)
    fit(progress=None, epochs=1)
    assert "batch 10 of 10: " in capsys.readouterr().out


def test_live_bar(monkeypatch, capsys):
    from rich.console import Console

    screen = io.StringIO()
    live = Live()
    live._console = Console(file=screen, force_terminal=True, width=120, highlight=False)
    fit(progress=live, epochs=2)
    text = screen.getvalue()
    assert all(words in text for words in ("epoch 1/2  loss", "epoch 2/2  loss", "batches"))
    assert text.rstrip().endswith("\x1b[2K")  # the bar is gone


def test_false_is_silent(capsys):
    fit(epochs=1)
    assert capsys.readouterr() == ("", "")


def test_notes_are_not_lost_in_silence():
    with pytest.warns(UserWarning, match="look here"):
        Silent().note("look here")


@pytest.mark.parametrize("term, kind", [("xterm", Live), ("dumb", Lines), ("unknown", Lines)])
def test_a_terminal_gets_the_bar_if_it_can_show_one(term, kind, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", term)
    assert type(reporter()) is kind
