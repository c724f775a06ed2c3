"""Event files for TensorBoard, written through tensorboardX (the extra ``tensorboard``).

Each start of a run adds one file to the run folder, from its first epoch on: per epoch one event,
whose step is the epoch's number. Scalars are the columns of metrics.csv, the part after the colon
or the word before the underscore last: ``loss/train``, ``accuracy/test``, ``pi/conv1/kernel``.
Histograms are those of ``telemetry.npz`` on an axis of decimal logarithms, ``log10 inertia/LAYER``:
TensorBoard's own axis is linear, on which inertia would be one bar.

A start after a crash begins with TensorBoard's mark that later steps of earlier files are void, so
that epochs done again do not appear twice.
"""

import contextlib
import time

import numpy as np

from minibnn.errors import InputError
from minibnn.training.errors import TrainingError
from minibnn.training.run_folder import EVENTS
from minibnn.training.telemetry import BINS_PER_DECADE, EDGES

_PARTS = ("train", "validation", "test")


class EventFiles:
    """The event files of runs that train together, one per run and start."""

    def __init__(self):
        self._writers = {}  # by the run's name

    def add(self, runs, folders, rows):
        """Write an event per run into its RunFolder: the epoch whose rows these are.

        The first call also writes the epochs before, if there is no event file in the folder yet.

        Raises TrainingError if writing fails.
        """
        for run, folder, row in zip(runs, folders, rows, strict=True):
            try:
                if run.name not in self._writers:
                    self._open(run, folder)
                writer = self._writers[run.name]
                writer.write(event_of(run, row).SerializeToString())
                writer.flush()  # and synced to the disk
            except OSError as error:
                why = error.strerror or error
                raise TrainingError(f"writing events in {folder.path} failed: {why}") from error

    def close(self):
        """Close the files."""
        for writer in self._writers.values():
            with contextlib.suppress(OSError):  # a full disk was told when it was met
                writer.close()
        self._writers = {}

    def _open(self, run, folder):
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import RecordWriter

        before, now = len(list(folder.path.glob(EVENTS))), time.time()
        # TensorBoard reads files by name: the second of the start, then how many came before.
        name = EVENTS.replace("*", f"{int(now):010d}.{before:04d}")
        # Not tensorboardX's SummaryWriter, whose thread would keep errors and events to itself.
        self._writers[run.name] = writer = RecordWriter(str(folder.path / name))
        late = run.history.rows[:-1] if not before else []
        first = late[0]["epoch"] if late else run.epoch
        start = SessionLog(status=SessionLog.START)
        for event in (
            Event(file_version="brain.Event:2", wall_time=now),
            Event(step=first, session_log=start, wall_time=now),
            *(event_of(run, row) for row in late),
        ):
            writer.write(event.SerializeToString())


def check_installed():
    """Raise InputError, naming the extra, unless tensorboardX is there."""
    try:
        import tensorboardX.record_writer  # noqa: F401
    except ImportError:
        raise InputError(
            "TensorBoard's event files need the package tensorboardX: "
            'pip install "minibnn[tensorboard]"'
        ) from None


def event_of(run, row):
    """The event of one epoch: every number of its row, and the histograms of its telemetry."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.summary import histogram_raw, scalar

    values = []
    for column, value in row.items():
        if value is not None and column not in ("epoch", "name"):
            values += scalar(tag(column), float(value)).value
    telemetry = {int(found["epoch"]): found for found in run.telemetry.rows}.get(row["epoch"])
    if telemetry is not None and run.telemetry.symbol:
        what = run.telemetry.symbol
        for k, name in enumerate(run.telemetry.layers):
            whole = histogram_raw(f"log10 inertia/{name}", **_log_histogram(telemetry, k))
            unit = " / threshold" if telemetry["threshold"][k] > 0 else ""
            whole.value[0].metadata.plugin_data.plugin_name = "histograms"
            whole.value[0].metadata.summary_description = f"log10({what}{unit})"
            values += whole.value
    return Event(step=row["epoch"], summary=Summary(value=values), wall_time=time.time())


def tag(column):
    """The name of a column of metrics.csv in TensorBoard, which groups by what is before a slash.

    >>> tag("test_accuracy"), tag("flips:conv1/kernel"), tag("flip_ratio")
    ('accuracy/test', 'flips/conv1/kernel', 'flip_ratio')
    """
    part, _, what = column.partition("_")
    return f"{what}/{part}" if part in _PARTS else column.replace(":", "/")


def _log_histogram(telemetry, layer):
    """Arguments of histogram_raw: bins of log10(inertia / unit), the empty ones at the ends cut.

    The first bin holds zeros too and the last one is open; each is drawn as wide as the others.
    """
    step = 1 / BINS_PER_DECADE
    with np.errstate(divide="ignore"):
        edges = np.log10(EDGES)
    edges[0], edges[-1] = edges[1] - step, edges[-2] + step
    counts = telemetry["histogram"][layer]
    used = np.flatnonzero(counts)
    first, last = used[0], used[-1]
    counts, edges = counts[first : last + 1], edges[first : last + 2]
    middles = (edges[1:] + edges[:-1]) / 2
    return {
        "min": edges[0],
        "max": edges[-1],
        "num": counts.sum(),
        "sum": counts @ middles,
        "sum_squares": counts @ middles**2,
        "bucket_limits": edges[1:].tolist(),
        "bucket_counts": counts.astype(float).tolist(),
    }
