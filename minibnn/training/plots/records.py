"""What run folders hold, read for drawing."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from minibnn.errors import InputError, one_line
from minibnn.training.metrics import History, read_rows
from minibnn.training.run_folder import CONFIG, METRICS, TELEMETRY, compared, runs_in
from minibnn.training.telemetry import read_telemetry


@dataclass
class Record:
    """A run as it is on the disk; ``telemetry`` holds arrays by name, None without an epoch."""

    label: str
    folder: Path
    history: History
    telemetry: dict | None = None

    def layer(self, name):
        """Index of the binary layer ``name`` (a str) in the arrays, or None."""
        names = [] if self.telemetry is None else list(self.telemetry["layers"])
        return names.index(name) if name in names else None


def find_runs(paths):
    """Records of the runs in folders, in the order of ``paths``.

    A folder is that of a run, of a comparison, or one with run folders below it, such as a sweep's,
    of which those without an epoch are left out.
    """
    folders = []
    for path in map(Path, paths):
        runs = runs_in(path)
        if not (path / CONFIG).exists():
            runs = [run for run in runs if read_rows(run / METRICS)] or [path]
        folders += [run for run in runs if run.resolve() not in [f.resolve() for f in folders]]
    records = []
    for folder, label in zip(folders, short_names(folders), strict=True):
        rows = read_rows(folder / METRICS)
        if not rows:
            raise InputError(f"{folder} has no finished epoch to draw yet")
        file = folder / TELEMETRY
        arrays = read_telemetry(file) if file.exists() else None
        if arrays is not None and (not len(arrays["epoch"]) or not len(arrays["layers"])):
            arrays = None
        label = one_line(label)  # a folder's name may be no text
        records.append(Record(label, folder, History(label, rows), arrays))
    _add_agreement(records)
    return records


def _add_agreement(records):
    """Add the columns agreement:LABEL, which only the metrics.csv of a comparison knows."""
    for record in records:
        above, name = record.folder.parent, record.folder.name
        beside = [r for r in records if r.folder.parent == above and r is not record]
        with suppress(InputError):  # config.json above may be another program's
            beside = beside if beside and compared(above) else []
        if not beside:
            continue
        rows = {row["epoch"]: row for row in read_rows(above / METRICS) if row["name"] == name}
        for row in record.history:
            found = rows.get(row["epoch"], {})
            row |= {f"agreement:{r.label}": found.get(f"agreement:{r.folder.name}") for r in beside}


def short_names(folders):
    """As many last parts of each path as it takes to tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names
