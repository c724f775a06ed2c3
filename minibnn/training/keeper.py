"""What training leaves on the disk: rows, checkpoints when they are due, and the best networks."""

import time
from operator import itemgetter
from pathlib import Path

from minibnn.errors import InputError
from minibnn.files.atomic import commit, stage, staged
from minibnn.training.config import adopted
from minibnn.training.errors import TrainingError, writing
from minibnn.training.metrics import columns_of_run, measured_on, read_rows, write_rows
from minibnn.training.run_folder import BEST, CHECKPOINT, CONFIG, METRICS, TELEMETRY, RunFolder
from minibnn.training.tensorboard import EventFile


class Keeper:
    """The run folder of runs that train together, and of a comparison one below it for each.

    All checkpoints, and the best networks up to them, are written and synced beside the old ones
    before the first is renamed. So after a crash at any moment the old state or the new one can be
    had, for all runs the same: ``_finish`` ends or discards what a crash left.
    """

    def __init__(self, runs, settings, data, configs, report):
        self.runs, self.settings, self.data = runs, settings, data
        self.configs, self.report, self.path = configs, report, Path(settings.out)
        self.all_folders = []
        for path in (self.path / name for name in configs):
            # Of a comparison killed early a run's folder may not be there to go on with.
            resume = settings.resume and (path == self.path or path.exists())
            self.all_folders.append(RunFolder(path, resume, settings.force))
        self.folders = self.all_folders[1:] or self.all_folders  # of the runs
        self.events = {}  # TensorBoard's files, by the names of runs
        self._best = {}  # path: bytes, of the best networks that no checkpoint knows of yet

    def open(self, stack):
        """Lock the folders until ``stack`` ends, and bring the runs to where they stand there."""
        asked = list(zip(self.all_folders, self.configs.values(), strict=True))
        for folder, config in asked:
            folder.check()
            adopted(folder.read_config(), config, folder.path)  # complain before one is made
        for folder in self.all_folders:
            stack.enter_context(folder)
        self._finish()
        self._take_up()
        for folder, config in asked:
            stands = self.runs[0].epoch, self.runs[0].step
            config, notes = adopted(folder.read_config(), config, folder.path, stands)
            folder.write_config(config)
            for note in notes if folder.path == self.path else ():
                self.report.note(note)
        self._write_rows()
        if self.settings.tensorboard:
            for run, folder in zip(self.runs, self.folders, strict=True):
                self.events[run.name] = EventFile(run, folder)
                stack.callback(self.events[run.name].close)
        self._saved = time.monotonic()

    def _finish(self):
        """Finish or discard a save that a crash cut short."""
        paths = [path for folder in self.folders for path in (folder.checkpoint, folder.best)]
        renaming = not staged(paths[0]).exists()  # so all were complete beside the old ones
        for path in paths:
            if renaming and staged(path).exists():
                commit(path)
        for folder in reversed(self.all_folders):
            for name in (BEST, CONFIG, METRICS, TELEMETRY, CHECKPOINT):
                staged(folder.path / name).unlink(missing_ok=True)

    def _take_up(self):
        """Bring the runs to where their folders stand, which must be one place."""
        first = self.runs[0]
        for run, folder in zip(self.runs, self.folders, strict=True):
            if folder.resume and folder.checkpoint.exists():
                run.restore(folder.checkpoint)
        for run in self.runs:
            if (run.position, run.stopped) != (first.position, first.stopped):
                words = f"stands after {first.position}, {run.name} after {run.position}"
                raise InputError(f"{self.path} cannot be resumed: {first.name} {words}")
        path = self.path / METRICS  # that of a comparison knows the agreement of its runs
        rows = [row for row in read_rows(path) if row["epoch"] <= first.epoch]
        for run, folder in zip(self.runs, self.folders, strict=True):
            own = [*read_rows(folder.metrics), *rows]  # the run may have gone on alone
            own = {row["epoch"]: row for row in own if row["name"] == run.name}
            run.history.rows[:] = (own[epoch] for epoch in sorted(own) if epoch <= run.epoch)
            run.telemetry.resume(folder.path / TELEMETRY, run.epoch)
            if len(run.history) < run.epoch:
                self.report.note(f"{path} lacks rows of the {run.epoch} epochs done so far")

    def _write_rows(self):
        """Replace all metrics.csv, of a comparison also the one that holds all rows."""
        columns = columns_of_run(self.runs[0].telemetry.layers, self.data)
        for run, folder in zip(self.runs, self.folders, strict=True):
            write_rows(folder.metrics, columns, run.history)
        if self.folders is not self.all_folders:
            agreement = [f"agreement:{run.name}" for run in self.runs]
            rows = sorted((r for run in self.runs for r in run.history), key=itemgetter("epoch"))
            write_rows(self.path / METRICS, columns + agreement, rows)

    def add_rows(self, rows):
        """Write an epoch's rows and telemetry, and note each network better than ever before.

        The next ``save`` writes those networks: an epoch that a crash takes back takes its
        best.npz with it, as a run that goes on in another way may not come by that network again.
        """
        with writing(self.path / METRICS):
            self._write_rows()
        column = f"{measured_on(rows)}_accuracy"
        for run, folder, row in zip(self.runs, self.folders, rows, strict=True):
            with writing(folder.path / TELEMETRY):
                run.telemetry.write(folder.path / TELEMETRY)
            if run.history.best(column) is row:
                self._best[folder.best] = run.encode_best({column: row[column]})
            if run.name in self.events:
                self.events[run.name].add(row)

    def due(self, epochs=None):
        """Whether it is time for a checkpoint: in an epoch, or after so many ``epochs``."""
        minutes = self.settings.checkpoint_minutes
        if minutes is not None and time.monotonic() - self._saved >= 60 * minutes:
            return True
        return epochs is not None and epochs % self.settings.checkpoint_every == 0

    def save(self):
        """Write every run's checkpoint and new best.npz; on failure the old ones stay."""
        paths = [folder.checkpoint for folder in self.folders]
        try:
            for run, path in zip(self.runs, paths, strict=True):
                stage(path, run.encode())
            for path, data in self._best.items():
                stage(path, data)
        except OSError as error:
            for other in (*self._best, *reversed(paths)):  # the first last: _finish goes by it
                staged(other).unlink(missing_ok=True)
            raise TrainingError(f"saving {path} failed: {error.strerror or error}") from error
        for path in (*paths, *self._best):
            commit(path)
        self._best.clear()
        self._saved = time.monotonic()

    def kept(self):
        """What there is to go back to, in words."""
        if not self.folders[0].checkpoint.exists():
            return f"there is no checkpoint in {self.path} yet"
        return f"the last checkpoint in {self.path} is kept"
