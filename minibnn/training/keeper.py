"""What training leaves on the disk: rows, checkpoints when they are due, and the best network."""

import time

from minibnn.files.atomic import commit, stage, staged
from minibnn.training import checkpoint
from minibnn.training.errors import TrainingError
from minibnn.training.run_folder import BEST, CHECKPOINT, CONFIG, METRICS, TELEMETRY


class Keeper:
    """Writes the rows and checkpoints of runs that train together.

    All checkpoints, and the best networks up to them, are written and synced beside the old ones
    before the first is renamed. So after a crash at any moment the old state or the new one can be
    had, for all runs the same: ``settle`` finishes or discards what a crash left.

    Parameters
    ----------
    runs : list of Run
    path : path
        What to tell a person to resume.
    folders : list of RunFolder
        One per run.
    files : list of MetricsFile
        One per run, then perhaps one for all rows.
    every : int
        Epochs from one checkpoint to the next.
    minutes : float, optional
        After that much time since the last one, a checkpoint in the middle of an epoch too.
    events : EventFiles, optional
        Get the rows as well.
    """

    def __init__(self, runs, path, folders, files, every=1, minutes=None, events=None):
        self.runs, self.path, self.folders, self.files = runs, path, folders, files
        self.every, self.minutes, self.events = every, minutes, events
        self._best = {}  # path: bytes, of the best networks that no checkpoint knows of yet
        self._saved = time.monotonic()

    def add_rows(self, rows):
        own, common = self.files[: len(rows)], self.files[len(rows) :]
        for file, row in zip(own, rows, strict=True):
            file.append([row])
        for file in common:
            file.append(rows)
        for run, folder in zip(self.runs, self.folders, strict=True):
            run.telemetry.write(folder.path / TELEMETRY)
        if self.events:
            self.events.add(self.runs, self.folders, rows)

    def close(self):
        """Close what is open; call it when no more rows come."""
        if self.events:
            self.events.close()

    def keep_best(self, rows, part):
        """Note the network of every run whose accuracy on ``part`` is higher than ever before.

        The next ``save`` writes it: an epoch that a crash takes back takes its best.npz with it,
        as a run that goes on in another way may not come by that network again.
        """
        column = f"{part}_accuracy"
        for run, row, folder in zip(self.runs, rows, self.folders, strict=True):
            if run.history.best(column) is row:
                self._best[folder.best] = encode_best(run, {column: row[column]})

    def due(self, epochs=None):
        """Whether it is time for a checkpoint: in an epoch, or after so many ``epochs``."""
        if self.minutes is not None and time.monotonic() - self._saved >= 60 * self.minutes:
            return True
        return epochs is not None and epochs % self.every == 0

    def save(self):
        """Write every run's checkpoint and new best.npz; on failure the old ones stay."""
        paths = [folder.checkpoint for folder in self.folders]
        try:
            for run, path in zip(self.runs, paths, strict=True):
                stage(path, run.encode())
            for path, data in self._best.items():
                stage(path, data)
        except OSError as error:
            for other in (*self._best, *reversed(paths)):  # the first one last: settle goes by it
                staged(other).unlink(missing_ok=True)
            raise _failed(path, error) from error
        for path in (*paths, *self._best):
            commit(path)
        self._best.clear()
        self._saved = time.monotonic()

    def kept(self):
        """What there is to go back to, in words."""
        if not self.folders[0].checkpoint.exists():
            return f"there is no checkpoint in {self.path} yet"
        return f"the last checkpoint in {self.path} is kept"

    def settle(self):
        """Finish or discard a save that a crash cut short."""
        paths = [path for folder in self.folders for path in (folder.checkpoint, folder.best)]
        renaming = not staged(paths[0]).exists()  # so all were complete beside the old ones
        for path in paths:
            if renaming and staged(path).exists():
                commit(path)
        for folder in reversed(self.folders):
            for name in (BEST, CONFIG, METRICS, TELEMETRY, CHECKPOINT):
                staged(folder.path / name).unlink(missing_ok=True)


def encode_best(run, measured):
    """The bytes of best.npz: the network alone, with its epoch and what was measured."""
    arrays = {f"network/{name}": array for name, array in run.net.state_dict().items()}
    meta = {"network": run.net.config(), "epoch": run.epoch, "best": measured}
    return checkpoint.encode(meta, arrays)


def _failed(path, error):
    return TrainingError(f"saving {path} failed: {error.strerror or error}")
