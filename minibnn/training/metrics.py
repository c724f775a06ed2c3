"""What a run measured, one row per epoch: in memory (History, Lockstep) and in metrics.csv."""

import csv
import io
from itertools import combinations
from pathlib import Path

from minibnn.errors import InputError
from minibnn.files.atomic import write_atomic
from minibnn.tables import Rows, Table

COLUMNS = (
    *("epoch", "name", "train_loss", "train_accuracy", "test_loss", "test_accuracy"),
    *("flips", "flip_ratio", "seconds"),
)
VALIDATION_COLUMNS = ("validation_loss", "validation_accuracy")
TOP5_COLUMNS = ("test_top5", "validation_top5")  # where the data set's ``top5`` says so
LAYER_COLUMNS = ("flips", "pi", "never_flipped")  # each followed by :LAYER, see telemetry.py
_ALWAYS = ("epoch", "train_loss", "train_accuracy", "flips", "seconds")  # measured in every epoch


def columns_of_run(layers, data):
    """Columns of a run's metrics.csv, with those of a validation part and of top 5 if any."""
    validation = data.validation_labels is not None
    extra = [*VALIDATION_COLUMNS] if validation else []
    extra += TOP5_COLUMNS[: 1 + validation] if data.top5 else ()
    return [*COLUMNS, *extra, *(f"{what}:{name}" for what in LAYER_COLUMNS for name in layers)]


def measured_on(rows):
    """The part that is measured after every epoch: "validation" if there is one, else "test"."""
    return "validation" if _measured(rows, "validation_accuracy") else "test"


class History(Rows):
    """The epochs of one run: iterate over its rows, print it, or let Jupyter show it.

    ``rows`` are dicts, one per epoch, oldest first, with the columns of metrics.csv. Epochs count
    from 1, accuracies are from 0 to 1, ``flip_ratio`` is the mean share of binary weights that
    flip in a step, ``seconds`` are those of its steps and of measuring. What was not measured is
    None. ``name`` is the run's, usually its optimizer's.
    """

    def __init__(self, name: str, rows=()):
        self.name = name
        self.rows = list(rows)

    def __getitem__(self, column):
        """The values of one column, one per epoch."""
        if not any(column in row for row in self.rows):
            raise KeyError(column)
        return [row.get(column) for row in self.rows]

    @property
    def last(self):
        """The row of the last epoch; an empty dict before the first."""
        return self.rows[-1] if self.rows else {}

    def best(self, column: str = "test_accuracy"):
        """The row with the highest value of a column (the first such), or {}."""
        rows = [row for row in self.rows if row.get(column) is not None]
        return max(rows, key=lambda row: row[column], default={})

    def tables(self):
        """One Table: a line per epoch, without the columns of single layers."""
        return [table_of(self.rows, (*COLUMNS, *VALIDATION_COLUMNS, *TOP5_COLUMNS))]

    def __repr__(self):
        return f"<History of {self.name}: {len(self)} epochs>"


def results_of(history):
    """How a run has come out so far, by name; flips and seconds are of all epochs.

    Best and last accuracy are of the validation part if there is one, else of the test images.
    """
    part, last = measured_on(history), history.last
    best = history.best(f"{part}_accuracy")
    return {
        "measured_on": part if last else None,
        "best_accuracy": best.get(f"{part}_accuracy"),
        "best_epoch": best.get("epoch"),
        "last_accuracy": last.get(f"{part}_accuracy"),
        "test_accuracy": last.get("test_accuracy"),
        "train_accuracy": last.get("train_accuracy"),
        "flips": sum(row["flips"] for row in history) if last else None,
        "last_flip_ratio": last.get("flip_ratio"),
        "seconds": sum(row["seconds"] for row in history) if last else None,
    }


class Lockstep(Rows):
    """What a lockstep run measured: iterate over its rows, print it, or let Jupyter show it.

    ``histories`` and ``nets``, the trained networks, are dicts by the names of the optimizers, in
    the order given. Besides a run's own columns, ``agreement:OTHER`` is the share of binary
    weights that are equal in its network and OTHER's.
    """

    def __init__(self, histories: dict, nets: dict):
        self.histories, self.nets = histories, nets
        rows = [row for history in histories.values() for row in history]
        self.rows = sorted(rows, key=lambda row: row["epoch"])  # by epoch and optimizer

    def __getitem__(self, name):
        return self.histories[name]

    def agreement(self, a: str, b: str):
        """Share of equal binary weights of two networks, a list with a number per epoch."""
        return self[a][f"agreement:{b}"]

    def to_dict(self):
        """The columns of every run as lists, agreement included: ``{name: columns}``."""
        return {name: history.to_dict() for name, history in self.histories.items()}

    def tables(self):
        """One Table: what came out of each optimizer, with the agreement of each pair."""
        notes = [
            f"{100 * self.agreement(a, b)[-1]:.1f} % of the binary weights of {a} and {b} agree"
            for a, b in compared_pairs(self.histories)
        ]
        return [closing_table(self.histories, notes)]

    def __repr__(self):
        epochs = max((len(history) for history in self.histories.values()), default=0)
        return f"<Lockstep of {', '.join(self.histories)}: {epochs} epochs>"


def compared_pairs(histories):
    """The names of each two runs whose agreement was measured."""
    pairs = combinations(histories, 2)
    return [(a, b) for a, b in pairs if histories[a].last.get(f"agreement:{b}") is not None]


def closing_table(histories, notes=(), first="optimizer"):
    """A Table of the last and the best epoch of each of ``histories``, a dict by name."""
    rows = [
        {first: name, "epochs": len(history), **history.last, **results_of(history)}
        for name, history in histories.items()
    ]
    part = ["measured_on"] if any(row["measured_on"] == "validation" for row in rows) else []
    columns = [first, "epochs", *COLUMNS[2:6], *part, "best_accuracy", "best_epoch"]
    return table_of(rows, [*columns, "flips", "seconds"], notes=notes)


def table_of(rows, columns, **more):
    """A Table of rows, which are dicts: those of the columns in which anything was measured."""
    columns = [column for column in columns if _measured(rows, column)]
    return Table(columns, [[cell_text(c, row.get(c)) for c in columns] for row in rows], **more)


def row_text(row):
    """One epoch in a line's worth of words, without its number and name."""
    parts = [f"loss {row['train_loss']:.4f}, accuracy {100 * row['train_accuracy']:.1f} %"]
    for part in ("validation", "test"):
        if row.get(f"{part}_accuracy") is not None:
            text = f"{part} {100 * row[f'{part}_accuracy']:.1f} %"
            if row.get(f"{part}_top5") is not None:
                text += f" (top 5 {100 * row[f'{part}_top5']:.1f} %)"
            parts.append(text)
    return " | ".join([*parts, f"flips {row['flips']:,}", f"{row['seconds']:.1f} s"])


def cell_text(column, value):
    """A value as people read it, by the column of metrics.csv or summary.csv that it stands in."""
    if value is None:
        return "-"
    if "accuracy" in column or "top5" in column:
        return f"{100 * value:.2f} %"
    if isinstance(value, float):
        form = ".2e" if "ratio" in column else ".1f" if column == "seconds" else ".4f"
        return format(value, form)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _measured(rows, column):
    return any(row.get(column) is not None for row in rows)


def write_rows(path, columns, rows):
    """Replace a CSV file: these columns of each row, numbers in full, what is missing empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, file.getvalue().encode(errors="backslashreplace"))


def read_rows(path):
    """The rows of a metrics.csv as dicts, numbers as they were written; none without a file."""
    return read_csv(path, COLUMNS, _value)


def read_csv(path, first, value):
    """The rows of a CSV file as dicts of ``value(column, text)``; none if there is no file.

    InputError for a file that cannot be read, whose columns do not begin with ``first``, or for
    whose texts ``value`` raises ValueError.
    """
    wrong = f"{path} is no {Path(path).name}"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head, *lines = [*csv.reader(file, strict=True)] or [first]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{wrong}: it is not text") from None
    except csv.Error as error:
        raise InputError(f"{wrong}: {error}") from None
    if tuple(head[: len(first)]) != tuple(first):
        raise InputError(f"{wrong}: its columns begin {','.join(head[:3])!r}")
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            rows.append({c: value(c, cell) for c, cell in zip(head, line, strict=True)})
        except ValueError:
            raise InputError(f"{path}, line {number}: not a row of {len(head)} values") from None
    return rows


def _value(column, text):
    if column == "name":
        return text
    if text == "" and column not in _ALWAYS:
        return None
    return int(text) if column in ("epoch", "flips") or column.startswith("flips:") else float(text)
