"""Tables of texts: aligned for a terminal, HTML for notebooks and reports, the same cells in both.

A result that people look at is ``Shown``: it gives its tables, ``print`` and Jupyter show them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from minibnn.errors import printable


@dataclass(frozen=True)
class Table:
    """A head, lines below it, and what stands around them; every cell is a text.

    As text every cell stays in its line, and what a terminal would obey becomes its escape.
    """

    head: Sequence[str]
    lines: Sequence[Sequence[str]]  # each as long as the head
    left: int = 1  # the first columns, which hold words, are set to the left, others to the right
    title: str = ""
    foot: Sequence[Sequence[str]] = ()  # below a rule, such as totals
    notes: Sequence[str] = ()  # sentences below the table

    def __str__(self):
        head, *rows = [[*map(printable, row)] for row in (self.head, *self.lines, *self.foot)]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        rule = ["-" * width for width in widths]
        lines, foot = rows[: len(self.lines)], rows[len(self.lines) :]
        rows = [head, rule, *lines, *([rule, *foot] if foot else ())]
        around = [self.title] if self.title else []
        ways = ["<" if k < self.left else ">" for k in range(len(widths))]
        line = "  ".join(f"{{:{way}{width}}}" for way, width in zip(ways, widths, strict=True))
        text = [line.format(*row).rstrip() for row in rows]
        return "\n".join([*map(printable, around), *text, *map(printable, self.notes)])

    def html(self):
        """The table as HTML that needs nothing around it; a wide one scrolls in its own box."""
        parts = ['<div style="overflow-x:auto"><table>']
        if self.title:
            parts.append(f'<caption style="text-align:left">{escape(self.title)}</caption>')
        parts.append(f"<thead>{self._row(self.head, 'th')}</thead>")
        parts.append(f"<tbody>{''.join(self._row(line, 'td') for line in self.lines)}</tbody>")
        if self.foot:
            parts.append(f"<tfoot>{''.join(self._row(line, 'td') for line in self.foot)}</tfoot>")
        parts.append("</table></div>")
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        return "\n".join(parts)

    def _row(self, cells, kind):
        texts = (
            f'<{kind} style="text-align:{"left" if k < self.left else "right"}">'
            f"{escape(cell)}</{kind}>"
            for k, cell in enumerate(cells)
        )
        return f"<tr>{''.join(texts)}</tr>"


class Shown:
    """What shows itself as tables: ``print`` in a terminal, HTML in Jupyter.

    A subclass has a method ``tables``, which returns a list of Table.
    """

    def tables(self):
        """The tables, in the order in which they are read."""
        raise NotImplementedError

    def __str__(self):
        return "\n\n".join(map(str, self.tables()))

    def _repr_html_(self):
        return html_of(self.tables())


class Rows(Shown):
    """A Shown whose ``rows``, which are dicts, can be iterated over and counted."""

    rows: Sequence[dict]

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def total(self, column):
        """Sum of a column of numbers."""
        return sum(row[column] for row in self.rows)

    def to_dict(self):
        """The rows' columns as lists, None where a row has no such entry."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: [row.get(name) for row in self.rows] for name in names}


def html_of(tables):
    """Several tables one below the other, as HTML."""
    return "\n".join(table.html() for table in tables)
