"""Tables: aligned text, and HTML that holds the very same cells."""

from html.parser import HTMLParser

import pytest

from minibnn.tables import Rows, Shown, Table


class Cells(HTMLParser):
    """Reads what ``_repr_html_`` gives: cells by row, how each is set, what else is said.

    Every element must be closed in its turn.
    """

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.rows, self.sides, self.words, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.sides.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.sides[-1].append(dict(attributes)["style"].removeprefix("text-align:"))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "tr" in self._open:
            self.rows[-1][-1] += data
        elif data.strip():
            self.words.append(data)


TABLE = Table(
    ["name", "of", "n"],
    [["a", "x", "1"], ["long", "y", "10,000"]],
    left=2,
    title="Two",
    foot=[["all", "", "10,001"]],
    notes=["That is all."],
)


def test_text():
    assert str(TABLE).splitlines() == [
        "Two",
        "name  of       n",
        "----  --  ------",
        "a     x        1",
        "long  y   10,000",
        "----  --  ------",
        "all       10,001",
        "That is all.",
    ]
    assert str(Table(["a", "bb"], [["xxx", "1"]])) == "a    bb\n---  --\nxxx   1"
    assert str(Table(["a", "bb"], [])) == "a  bb\n-  --"


def test_a_terminal_obeys_no_cell():
    nasty = "  \x1b[2J\n"
    table = Table([nasty, "n"], [[nasty, "1"]], title=nasty, foot=[[nasty, "1"]], notes=[nasty])
    told = r"  \x1b[2J\n"
    assert str(table).splitlines() == [
        told,
        f"{told}  n",
        f"{'-' * len(told)}  -",
        f"{told}  1",
        f"{'-' * len(told)}  -",
        f"{told}  1",
        told,
    ]


def test_html_has_the_same_cells():
    found = Cells(TABLE.html())
    assert found.rows == [TABLE.head, *TABLE.lines, *TABLE.foot]
    assert all(sides == ["left", "left", "right"] for sides in found.sides)
    assert found.words == ["Two", "That is all."]


def test_nothing_in_a_cell_is_markup():
    nasty = "<script>alert('&amp;')</script>\"x\""
    html = Table([nasty], [[nasty]], title=nasty, foot=[[nasty]], notes=[nasty]).html()
    assert "<script" not in html
    found = Cells(html)
    assert found.rows == [[nasty]] * 3
    assert found.words == [nasty] * 2


def test_a_line_of_another_length_is_refused():
    with pytest.raises(ValueError):
        str(Table(["a", "b"], [["1"]]))


def test_shown():
    class Two(Shown):
        def tables(self):
            return [TABLE, Table(["a"], [["1"]])]

    assert str(Two()) == f"{TABLE}\n\na\n-\n1"
    assert Cells(Two()._repr_html_()).rows[-2:] == [["a"], ["1"]]


def test_columns_of_rows():
    rows = Rows()
    rows.rows = [{"a": 1, "b": 2}, {"c": 3, "a": 4}]
    assert rows.to_dict() == {"a": [1, 4], "b": [2, None], "c": [None, 3]}
    rows.rows = []
    assert rows.to_dict() == {}
