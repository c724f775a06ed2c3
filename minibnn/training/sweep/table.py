"""What came out of a sweep: a row per cell, as summary.csv and as a table."""

import csv
import io
import statistics

from minibnn.errors import InputError
from minibnn.files.atomic import write_atomic
from minibnn.tables import Table
from minibnn.training.metrics import results_of
from minibnn.training.sweep.grid import text_of, value_of

STATUSES = ("done", "failed", "stopped", "waiting")
_NUMBERS = {
    **dict.fromkeys(("seed", "epochs", "best_epoch", "flips"), int),
    **dict.fromkeys(("best_accuracy", "last_accuracy", "test_accuracy", "train_accuracy"), float),
    **dict.fromkeys(("last_flip_ratio", "seconds"), float),
}


def row_of(cell, history, status, error=""):
    """The row of one cell."""
    return {
        "cell": cell.name,
        **cell.settings,
        "seed": cell.seed,
        "status": status,
        "epochs": len(history),
        **results_of(history),
        "error": error,
    }


def write_summary(path, rows):
    """Replace summary.csv; numbers in full, what is missing empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns_of(rows), lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if v is None else text_of(v) for k, v in row.items()})
    write_atomic(path, file.getvalue().encode())


def read_summary(path):
    """The rows of a summary.csv, as ``row_of`` gave them; InputError if missing or damaged."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            return [_typed(row, reader.fieldnames) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError(f"{path} is no summary of a sweep, or a damaged one") from None


def _typed(row, columns):
    if not row["cell"] or row["status"] not in STATUSES or None in row:
        raise ValueError(row)
    keys = columns[1 : columns.index("seed")]
    found = {key: value_of(row[key]) if row[key] else None for key in keys}
    found |= {name: kind(row[name]) if row[name] else None for name, kind in _NUMBERS.items()}
    return row | found | {"measured_on": row["measured_on"] or None}


def columns_of(rows):
    """All columns, keys of the sweep in the place they have in the rows."""
    first = list(rows[0])
    return ["cell", *keys_of(rows), *first[first.index("seed") :]]


def keys_of(rows):
    """The keys a sweep varied, as columns of its rows."""
    return list(
        dict.fromkeys(key for row in rows for key in list(row)[1 : list(row).index("seed")])
    )


def over_seeds(rows):
    """(settings, rows) of the cells that are done, those that differ only in their seed in one."""
    keys, groups = keys_of(rows), {}
    for row in rows:
        if row["best_accuracy"] is not None and row["status"] == "done":
            groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return [(dict(zip(keys, v, strict=True)), group) for v, group in groups.items()]


def mean_and_spread(values):
    """Mean and sample standard deviation; the latter None for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def measured_on(rows):
    """Which images the accuracies of the rows are of, "" if not all of the same."""
    parts = {row["measured_on"] for row in rows if row["measured_on"]} or {"test"}
    return parts.pop() if len(parts) == 1 else ""


def tables(rows):
    """The cells as a Table and, with several seeds, one of their means."""
    means = means_table(rows) if len({row["seed"] for row in rows}) > 1 else None
    return [cells_table(rows), *([means] if means and means.lines else [])]


def cells_table(rows):
    """The table people read: a line per cell."""
    keys, part = keys_of(rows), measured_on(rows)
    watched = [f"{which} {part}".rstrip() for which in ("best", "last")]
    lines = []
    for row in rows:
        best = _percent(row["best_accuracy"])
        lines.append(
            [
                *("-" if row.get(key) is None else text_of(row[key]) for key in keys),
                *(str(row["seed"]), row["status"], str(row["epochs"])),
                f"{best} (epoch {row['best_epoch']})" if row["best_epoch"] else best,
                _percent(row["last_accuracy"]),
                "-" if row["flips"] is None else f"{row['flips']:,}",
                "-" if row["seconds"] is None else f"{row['seconds']:.1f}",
            ]
        )
    return Table([*keys, "seed", "status", "epochs", *watched, "flips", "seconds"], lines)


def means_table(rows):
    """A line per setting: means over the seeds and their deviations."""
    lines = []
    for settings, group in over_seeds(rows):
        line = [*map(text_of, settings.values()), str(len(group))]
        for column in ("best_accuracy", "last_accuracy"):
            mean, spread = mean_and_spread([row[column] for row in group])
            line.append(_percent(mean) + (f" ± {100 * spread:.2f}" if spread is not None else ""))
        lines.append(line)
    return Table([*keys_of(rows), "seeds", "best, mean", "last, mean"], lines)


def _percent(value):
    return "-" if value is None else f"{100 * value:.2f} %"
