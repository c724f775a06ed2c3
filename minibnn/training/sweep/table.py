"""What came out of a sweep: a row per cell, as summary.csv and as a table."""

import csv
import io
import statistics

from minibnn.errors import InputError
from minibnn.files.atomic import write_atomic
from minibnn.tables import Table

STATUSES = ("done", "failed", "stopped", "waiting")
_REALS = (
    "best_accuracy",
    "last_accuracy",
    "test_accuracy",
    "train_accuracy",
    "last_flip_ratio",
    "seconds",
)


def row_of(cell, progress, status, error=""):
    """The row of one cell.

    Accuracies are shares from 0 to 1, best and last on the pictures watched while training:
    the validation part if there is one, else the test pictures. ``flips`` is of the whole run,
    ``seconds`` the wall time of its epochs.
    """
    history = progress.history
    part = "validation" if history.last.get("validation_accuracy") is not None else "test"
    best = history.best(f"{part}_accuracy")
    rows = history.rows
    return {
        "cell": cell.name,
        **cell.settings,
        "seed": cell.seed,
        "status": status,
        "epochs": len(rows),
        "measured_on": part if rows else None,
        "best_accuracy": best.get(f"{part}_accuracy"),
        "best_epoch": best.get("epoch"),
        "last_accuracy": history.last.get(f"{part}_accuracy"),
        "test_accuracy": history.last.get("test_accuracy"),
        "train_accuracy": history.last.get("train_accuracy"),
        "flips": sum(row["flips"] for row in rows) if rows else None,
        "last_flip_ratio": history.last.get("flip_ratio"),
        "seconds": sum(row["seconds"] or 0 for row in rows) if rows else None,
        "error": error,
    }


def write_summary(path, rows):
    """Replace summary.csv; numbers in full, what is missing empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns_of(rows), lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if v is None else _exact(v) for k, v in row.items()})
    write_atomic(path, file.getvalue().encode())


def read_summary(path):
    """The rows of a summary.csv, as ``row_of`` gave them.

    Raises InputError if it is missing or damaged.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [_typed(row) for row in csv.DictReader(file, strict=True)]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(f"{path} is no summary of a sweep, or a damaged one") from None


def _typed(row):
    if not row["cell"] or row["status"] not in STATUSES or None in row:
        raise ValueError(row)
    numbers = {name: int for name in ("seed", "epochs", "best_epoch", "flips")}
    numbers |= dict.fromkeys(_REALS, float)
    found = {name: kind(row[name]) if row[name] else None for name, kind in numbers.items()}
    return row | found | {"measured_on": row["measured_on"] or None}


def columns_of(rows):
    """All columns, keys of the sweep in the place they have in the rows."""
    first = list(rows[0])
    seed = first.index("seed")
    keys = dict.fromkeys(key for row in rows for key in list(row)[1 : list(row).index("seed")])
    return ["cell", *keys, *first[seed:]]


def _exact(value):
    return repr(float(value)) if isinstance(value, float) else value


def keys_of(rows):
    """The keys a sweep varied, as columns of its rows."""
    columns = columns_of(rows)
    return columns[1 : columns.index("seed")]


def over_seeds(rows):
    """The rows that are done, those that differ only in their seed together.

    Returns
    -------
    list of (settings, rows)
    """
    keys, groups = keys_of(rows), {}
    for row in rows:
        if row["best_accuracy"] is not None and row["status"] == "done":
            groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return [(dict(zip(keys, v, strict=True)), group) for v, group in groups.items()]


def mean_and_spread(values):
    """Mean and sample standard deviation; the latter None for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def measured_on(rows):
    """Which pictures the accuracies of the rows are of, "" if not all of the same."""
    parts = {row["measured_on"] for row in rows if row["measured_on"]} or {"test"}
    return parts.pop() if len(parts) == 1 else ""


def short_columns(rows):
    """Head and cells of the table people read."""
    keys = keys_of(rows)
    part = measured_on(rows)
    watched = [f"{which} {part}".rstrip() for which in ("best", "last")]
    head = [*keys, "seed", "status", "epochs", *watched, "flips", "seconds"]
    lines = []
    for row in rows:
        line = [str(row.get(key, "-")) for key in keys]
        line += [str(row["seed"]), row["status"], str(row["epochs"])]
        best = _percent(row["best_accuracy"])
        line.append(f"{best} (epoch {row['best_epoch']})" if row["best_epoch"] else best)
        line.append(_percent(row["last_accuracy"]))
        line.append("-" if row["flips"] is None else f"{row['flips']:,}")
        line.append("-" if row["seconds"] is None else f"{row['seconds']:.1f}")
        lines.append(line)
    return head, lines


def seed_columns(rows):
    """Head and cells of a table of means over the seeds, or None with one seed only."""
    if len({row["seed"] for row in rows}) < 2:
        return None
    lines = []
    for settings, group in over_seeds(rows):
        line = [str(settings[key]) for key in keys_of(rows)] + [str(len(group))]
        for column in ("best_accuracy", "last_accuracy"):
            mean, spread = mean_and_spread([row[column] for row in group])
            line.append(_percent(mean) + (f" ± {100 * spread:.2f}" if spread is not None else ""))
        lines.append(line)
    return [*keys_of(rows), "seeds", "best, mean", "last, mean"], lines


def tables(rows):
    """The cells as a Table and, with several seeds, one of their means."""
    columns = [short_columns(rows), seed_columns(rows)]
    return [Table(*found) for found in columns if found is not None and found[1]]


def rich_tables(rows):
    """The same for rich, the best cell and those that failed made visible."""
    from rich import table as rich

    best = max((row["best_accuracy"] or 0 for row in rows), default=0)
    shown = []
    for found in tables(rows):
        table = rich.Table(*found.head, box=None, header_style="bold")
        for column in table.columns:
            column.justify = "right"
        for k, line in enumerate(found.lines):
            style = None
            if not shown:
                top = rows[k]["best_accuracy"] == best > 0
                style = "red" if rows[k]["status"] == "failed" else "bold" if top else None
            table.add_row(*line, style=style)
        shown.append(table)
    return shown


def _percent(value):
    return "-" if value is None else f"{100 * value:.2f} %"
