"""Event files for TensorBoard, written through tensorboardX (the extra ``tensorboard``).

Each start of a run adds one file to the run folder: per epoch one event, whose step is the epoch's
number. Scalars are the columns of metrics.csv (``loss/train``, ``pi/conv1/kernel``), histograms
those of telemetry.npz. TensorBoard's axis of histograms is linear, on which inertia would be one
bar: so they are of its decimal logarithm.
"""

import contextlib
import time

import numpy as np

from minibnn.training.errors import writing
from minibnn.training.run_folder import EVENTS
from minibnn.training.telemetry import BINS_PER_DECADE, EDGES

_PARTS = ("train", "validation", "test")
# The decimal logarithm of the bins' edges; the open bins are as wide as the others.
_EDGES = np.log10(EDGES[1:-1])
_EDGES = np.array([_EDGES[0] - 1 / BINS_PER_DECADE, *_EDGES, _EDGES[-1] + 1 / BINS_PER_DECADE])


class EventFile:
    """The event file of a run in its folder, one more for each start; opened with the first row."""

    def __init__(self, run, folder):
        self.run, self.path, self._writer = run, folder.path, None

    def add(self, row):
        """Write the event of an epoch; first those before it, if no event file has them."""
        with writing(f"events in {self.path}"):
            if self._writer is None:
                self._open()
            self._write(event_of(self.run, row))
            self._writer.flush()  # and synced to the disk

    def close(self):
        if self._writer is not None:
            with contextlib.suppress(OSError):  # a full disk was told when it was met
                self._writer.close()

    def _open(self):
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import RecordWriter

        before, now = len(list(self.path.glob(EVENTS))), time.time()
        # TensorBoard reads files by name: the second of the start, then how many came before.
        name = EVENTS.replace("*", f"{int(now):010d}.{before:04d}")
        # Not tensorboardX's SummaryWriter, whose thread would keep errors and events to itself.
        self._writer = RecordWriter(str(self.path / name))
        self._write(Event(file_version="brain.Event:2", wall_time=now))
        late = [] if before else self.run.history.rows[:-1]
        # Later steps of earlier files are void: epochs done again after a crash appear once.
        first = late[0]["epoch"] if late else self.run.epoch
        start = SessionLog(status=SessionLog.START)
        self._write(Event(step=first, session_log=start, wall_time=now))
        for row in late:
            self._write(event_of(self.run, row))

    def _write(self, event):
        self._writer.write(event.SerializeToString())


def event_of(run, row):
    """The event of one epoch: every number of its row, and the histograms of its telemetry."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.summary import make_histogram, scalar

    values = []
    for column, value in row.items():
        if value is not None and column not in ("epoch", "name"):
            values += scalar(tag(column), float(value)).value
    telemetry = {int(found["epoch"]): found for found in run.telemetry.rows}.get(row["epoch"])
    if telemetry is not None and run.telemetry.symbol:
        for k, name in enumerate(run.telemetry.layers):
            middles = np.repeat((_EDGES[1:] + _EDGES[:-1]) / 2, telemetry["histogram"][k])
            one = Summary.Value(tag=f"log10 inertia/{name}", histo=make_histogram(middles, _EDGES))
            unit = " / threshold" if telemetry["threshold"][k] > 0 else ""
            one.metadata.plugin_data.plugin_name = "histograms"
            one.metadata.summary_description = f"log10({run.telemetry.symbol}{unit})"
            values.append(one)
    return Event(step=row["epoch"], summary=Summary(value=values), wall_time=time.time())


def tag(column):
    """A column of metrics.csv in TensorBoard, which groups by what is before a slash."""
    part, _, what = column.partition("_")
    return f"{what}/{part}" if part in _PARTS else column.replace(":", "/")
