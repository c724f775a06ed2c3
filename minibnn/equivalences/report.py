"""What ``verify`` found: rows, and the tables made of them."""

from dataclasses import dataclass, field
from textwrap import wrap

from minibnn.equivalences.case import text
from minibnn.tables import Shown, Table

PASSED, FAILED, SKIPPED, NOTE = "holds", "FAILS", "not run", "note"


@dataclass(frozen=True)
class Row:
    """One statement, or one rule for somebody else's step function.

    ``broken`` of the ``counterexamples`` broke as they must. ``why`` says which rule is broken and
    where, ``case`` is the smallest case found in which it fails, ``paste`` Python that shows it.
    """

    id: str
    statement: str
    exactness: str = ""
    cases: int = 0
    ties: int = 0
    broken: int = 0
    counterexamples: int = 0
    verdict: str = PASSED
    why: str = ""
    case: dict | None = field(default=None, repr=False)
    paste: str = field(default="", repr=False)
    seconds: float = 0.0


@dataclass(frozen=True)
class Report(Shown):
    """Rows of a verification; ``str`` is the table, failures below it."""

    rows: tuple
    seed: int
    seconds: float

    @property
    def ok(self):
        """Whether nothing fails and everything ran."""
        return all(row.verdict in (PASSED, NOTE) for row in self.rows)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __getitem__(self, id):
        return {row.id: row for row in self.rows}[id]

    @property
    def failed(self):
        """Ids of the rows that fail."""
        return [row.id for row in self.rows if row.verdict == FAILED]

    def to_dict(self):
        """Plain numbers and texts, as JSON can hold them."""
        rows = [vars(row) | {"case": row.case and repr(row.case)} for row in self.rows]
        return {"ok": self.ok, "seed": self.seed, "seconds": round(self.seconds, 3), "rows": rows}

    def tables(self):
        """The rows, as a list of one Table."""
        against = any(row.counterexamples for row in self.rows)
        head = ["id", "statement", "class", "cases", "ties"]
        head += ["counterexamples"] * against + ["verdict", "seconds"]
        lines = []
        for row in self.rows:
            cells = [row.id, row.statement, row.exactness]
            cells += [f"{row.cases:,}" if row.cases else "-", f"{row.ties:,}" if row.ties else "-"]
            if against:
                cells.append(f"{row.broken}/{row.counterexamples}" if row.counterexamples else "-")
            lines.append([*cells, row.verdict, f"{row.seconds:.1f}"])
        return [Table(head, lines, left=3)]

    def __str__(self):
        lines = [str(*self.tables())]
        for row in self.rows:
            if row.verdict == FAILED:
                lines += ["", f"{row.id} fails: {row.why}"]
                if row.paste:
                    lines += ["Smallest case found, to paste into Python:", "", row.paste]
            elif row.why:
                lines += ["", f"{row.id}: {row.why}"]
        held = sum(row.verdict == PASSED for row in self.rows)
        counts = f"{held} of {len(self.rows)} hold"
        counts += f", {len(self.failed)} fail" * bool(self.failed)
        return "\n".join([*lines, "", f"{counts}; seed {self.seed}, {self.seconds:.1f} s"])


def explanation(entry):
    """An ``entry`` in words, with a small trajectory as a table."""
    lines = [f"{entry.id}  {entry.title}", "", *wrapped("statement", entry.statement)]
    for name, words in entry.fields.items():
        lines += wrapped({"if": "holds if"}.get(name, name), words)
    rows = entry.shown().rows
    head = list(rows[0])
    table = Table(head, [[text(row.get(name, "")) for name in head] for row in rows], left=0)
    lines += ["", "A small case:", "", *("  " + line for line in str(table).splitlines())]
    lines += ["", "It breaks, as it must, where a precondition is dropped:"]
    for example in entry.counterexamples:
        lines += wrapped("  -", f"{example.words}. Then: {entry.broken_by(example)}")
    return "\n".join(lines)


def wrapped(name, words):
    indent = " " * 11 if not name.startswith(" ") else " " * 4
    return wrap(words, 96, initial_indent=f"{name:<{len(indent)}}", subsequent_indent=indent)
