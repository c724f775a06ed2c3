"""Messages: one line, whatever comes into them."""

import pickle

import pytest

from minibnn.errors import LONGEST, InputError, one_line, printable, say
from minibnn.training import TrainingError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is, ±1 é", "as it is, ±1 é"),
        ("my  cats", "my  cats"),  # the name of a file, to be pasted
        (" a\n  b\r\nc\td ", "a b c d"),
        ("\x1b[31mred\x07\x00", "\\x1b[31mred\\x07\\x00"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\udcff", "\\udcff"),
        ("\U000e0001", "\\U000e0001"),
        (7, "7"),
    ],
)
def test_one_line(text, expected):
    for line in (one_line(text), str(InputError(text)), str(TrainingError(text))):
        assert line == expected
        assert line.isprintable()


def test_printable_keeps_spaces_and_length():
    assert printable("  " + "é" * 5000) == "  " + "é" * 5000
    assert printable("  a\n\x1b[2J") == "  a\\n\\x1b[2J"


def test_the_middle_of_a_long_text_is_left_out():
    text = "begin" + "9" * 5000 + "end"
    line = one_line(text)
    assert line.startswith("begin") and line.endswith("end") and " [...] " in line
    assert len(line) < LONGEST
    assert one_line(text[:LONGEST]) == text[:LONGEST]


def test_errors_survive_a_process():
    error = pickle.loads(pickle.dumps(InputError("a\nb")))
    assert type(error) is InputError and str(error) == "a b"


def test_a_line_is_written_in_one_piece(monkeypatch):
    """Or those of processes that share standard error run into each other."""
    written = []
    monkeypatch.setattr("sys.stderr.write", written.append)
    say("two\nlines")
    assert [text for text in written if text] == ["minibnn: two lines\n"]
