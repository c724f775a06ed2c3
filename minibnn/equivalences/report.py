"""What ``verify`` found: rows, and the tables made of them."""

from dataclasses import dataclass, field

from minibnn.tables import Shown, Table

PASSED, FAILED, SKIPPED, NOTE = "holds", "FAILS", "not run", "note"


@dataclass(frozen=True)
class Row:
    """One statement, or one rule for somebody else's step function.

    Attributes
    ----------
    id, statement, exactness : str
    cases, ties : int
        Cases tried, and ties met in them.
    broken, counterexamples : int
        Counterexamples that broke as they must, of how many.
    verdict : str
        "holds", "FAILS", "not run" (an earlier rule is broken) or "note".
    why : str
        Which rule is broken, and where.
    case : dict or None
        The smallest case found in which it fails.
    paste : str
        Lines of Python that show the failure.
    seconds : float
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
    """Rows of a verification; ``str`` is the table, failures below it.

    Parameters
    ----------
    rows : tuple of Row
    seed : int
    generator : str
        What drew the cases, in words.
    seconds : float
    """

    rows: tuple
    seed: int
    generator: str
    seconds: float

    @property
    def ok(self):
        """Whether nothing fails and everything ran."""
        return all(row.verdict in (PASSED, NOTE) for row in self.rows)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        """The rows, one per entry."""
        return iter(self.rows)

    def __getitem__(self, id):
        """The row with this id."""
        for row in self.rows:
            if row.id == id:
                return row
        raise KeyError(id)

    @property
    def failed(self):
        """Ids of the rows that fail."""
        return [row.id for row in self.rows if row.verdict == FAILED]

    def to_dict(self):
        """Plain numbers and texts, as JSON can hold them.

        Returns
        -------
        dict
        """
        rows = [vars(row) | {"case": row.case and repr(row.case)} for row in self.rows]
        return {
            "ok": self.ok,
            "seed": self.seed,
            "generator": self.generator,
            "seconds": round(self.seconds, 3),
            "rows": rows,
        }

    def tables(self):
        """The rows.

        Returns
        -------
        list of Table
        """
        return [verdicts(self.rows)]

    def __str__(self):
        """The table, failures below it with what shows them."""
        lines = [str(verdicts(self.rows))]
        for row in self.rows:
            if row.verdict == FAILED:
                lines += ["", f"{row.id} fails: {row.why}"]
                if row.paste:
                    lines += ["Smallest case found, to paste into Python:", "", row.paste]
            elif row.why:
                lines += ["", f"{row.id}: {row.why}"]
        held, failed = (sum(row.verdict == v for row in self.rows) for v in (PASSED, FAILED))
        lines += [
            "",
            f"{held} of {len(self.rows)} hold" + f", {failed} fail" * bool(failed) + f"; seed "
            f"{self.seed}, cases from {self.generator}, {self.seconds:.1f} s",
        ]
        return "\n".join(lines)


def verdicts(rows):
    """The Table of a report's rows."""
    against = any(row.counterexamples for row in rows)
    head = ["id", "statement", "class", "cases", "ties"]
    head += ["counterexamples"] * against + ["verdict", "seconds"]
    lines = []
    for row in rows:
        cells = [row.id, row.statement, row.exactness]
        cells += [f"{row.cases:,}" if row.cases else "-", f"{row.ties:,}" if row.ties else "-"]
        if against:
            cells.append(f"{row.broken}/{row.counterexamples}" if row.counterexamples else "-")
        lines.append([*cells, row.verdict, f"{row.seconds:.1f}"])
    return Table(head, lines, left=3)


def explanation(entry):
    """An entry in words, with a small trajectory as a table.

    Parameters
    ----------
    entry : Entry

    Returns
    -------
    str
    """
    lines = [f"{entry.id}  {entry.title}", ""]
    for name, words in (
        ("statement", entry.statement),
        ("holds if", entry.preconditions),
        ("class", entry.exactness),
        ("why", entry.proof),
        ("source", entry.source),
    ):
        lines += wrapped(name, words)
    lines += ["", "A small case:", f"  {entry.example!r}", ""]
    rows = entry.check(entry.example).rows
    head = list(rows[0])
    trajectory = Table(head, [[row[name] for name in head] for row in rows], left=0)
    lines += ["  " + line for line in str(trajectory).splitlines()]
    lines += ["", "It breaks, as it must, where a precondition is dropped:"]
    for example in entry.counterexamples:
        lines += wrapped("  -", f"{example.words}. Then: {entry.breaks(example)}")
    return "\n".join(lines)


def wrapped(name, words, width=96):
    from textwrap import wrap

    indent = " " * 11 if not name.startswith(" ") else " " * 4
    return wrap(words, width, initial_indent=f"{name:<{len(indent)}}", subsequent_indent=indent)
