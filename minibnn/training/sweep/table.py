"""What came out of a sweep: a row per cell, as summary.csv and as a table."""

import statistics

from minibnn.errors import InputError
from minibnn.tables import Table
from minibnn.training.metrics import read_csv, results_of, table_of, write_rows
from minibnn.training.sweep.grid import text_of, value_of

STATUSES = ("done", "failed", "stopped", "waiting")
_NUMBERS = {
    **dict.fromkeys(("seed", "epochs", "best_epoch", "flips"), int),
    **dict.fromkeys(("best_accuracy", "last_accuracy", "test_accuracy", "train_accuracy"), float),
    **dict.fromkeys(("last_flip_ratio", "seconds"), float),
}
_TEXTS = ("cell", "status", "measured_on", "error")
_SHOWN = (
    *("seed", "status", "epochs", "measured_on", "best_accuracy", "best_epoch", "last_accuracy"),
    *("flips", "seconds"),
)


def row_of(cell, history, status, error=None):
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
    first = list(rows[0])
    columns = ["cell", *keys_of(rows), *first[first.index("seed") :]]
    write_rows(path, columns, rows)


def read_summary(path):
    """The rows of a summary.csv, as ``row_of`` gave them; none if there is no file."""
    rows = read_csv(path, ("cell",), _value)
    if rows and not rows[0].keys() >= {*_NUMBERS, *_TEXTS}:
        raise InputError(f"{path} is no {path.name}: columns are missing")
    return rows


def _value(column, text):
    if column == "status" and text not in STATUSES:
        raise ValueError(text)
    if text == "" and column != "cell":
        return None
    return text if column in _TEXTS else _NUMBERS.get(column, value_of)(text)


def keys_of(rows):
    """The keys a sweep varied, as columns of its rows."""
    columns = map(list, rows)
    return list(dict.fromkeys(key for own in columns for key in own[1 : own.index("seed")]))


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


def tables(rows):
    """The cells as a Table and, with several seeds, one of their means."""
    keys = keys_of(rows)
    words = [row | {k: text_of(row[k]) for k in keys if row.get(k) is not None} for row in rows]
    cells = table_of(words, dict.fromkeys((*keys, *_SHOWN)))
    groups = over_seeds(rows) if len({row["seed"] for row in rows}) > 1 else ()
    lines = []
    for settings, group in groups:
        line = [*map(text_of, settings.values()), str(len(group))]
        for column in ("best_accuracy", "last_accuracy"):
            mean, spread = mean_and_spread([100 * row[column] for row in group])
            line.append(f"{mean:.2f} %" + (f" ± {spread:.2f}" if spread is not None else ""))
        lines.append(line)
    means = Table([*keys, "seeds", "best, mean", "last, mean"], lines)
    return [cells, means] if lines else [cells]
