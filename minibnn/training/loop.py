"""The loop behind fit and lockstep: epochs, batches, measuring, saving and stopping."""

from contextlib import closing

from minibnn.training.atomic import commit, stage, staged
from minibnn.training.callbacks import call
from minibnn.training.errors import Interrupted, TrainingError
from minibnn.training.interrupt import StopRequest
from minibnn.training.run_folder import TELEMETRY


def train(
    runs,
    batches,
    data,
    *,
    epochs,
    report,
    keeper=None,
    callbacks=(),
    checkpoint_every=1,
    between_epochs=None,
):
    """Bring every run to the end, on one stream of batches.

    Parameters
    ----------
    runs : list of Run
        All at the same position.
    batches : data.Batches
    data : Dataset
        Measured after each epoch: its test pictures or, if it has them, its validation pictures;
        then the test pictures only at the very end.
    epochs : int
    report : reporter
    keeper : Keeper, optional
        Writes rows and checkpoints.
    between_epochs : callable (rows), optional
        May add to the rows of an epoch before they are written.

    Raises
    ------
    TrainingError, Interrupted
    """
    held_out = data.validation_images is not None
    measured = len(data.validation_labels if held_out else data.test_labels)
    steps, batch_size = batches.steps_per_epoch, batches.batch_size
    first = runs[0]
    report.begin(epochs, first.epoch, steps, first.step, batch_size, measured)
    with StopRequest() as stop:
        try:
            while first.epoch < epochs and not first.stopped:
                with closing(batches.epoch(first.epoch, start=first.step)) as stream:
                    for x, labels in stream:
                        for run in runs:
                            run.train_step(x, labels)
                        report.step()
                        if stop.signum:
                            _save_and_stop(stop, keeper)
                report.evaluating()
                rows = [run.end_epoch() for run in runs]
                part = "validation" if held_out else "test"
                _measure(runs, rows, data, part, batch_size)
                if between_epochs:
                    between_epochs(rows)
                for run, row in zip(runs, rows, strict=True):
                    run.history.rows.append(row)
                answers = [call(callbacks, run, row) for run, row in zip(runs, rows, strict=True)]
                for run in runs:
                    run.stopped = all(answers)
                over = first.stopped or first.epoch == epochs
                if over and held_out:
                    _measure(runs, rows, data, "test", batch_size)
                report.epoch(rows)
                if keeper:
                    keeper.add_rows(rows)
                    if over or stop.signum or first.epoch % checkpoint_every == 0:
                        keeper.save()
                if stop.signum and not over:
                    _save_and_stop(stop, keeper, saved=True)
        except TrainingError as error:
            raise TrainingError(f"{error}; {keeper.kept()}" if keeper else str(error)) from error
        finally:
            report.end()


def _measure(runs, rows, data, part, batch_size):
    images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
    for run, row in zip(runs, rows, strict=True):
        run.measure(row, part, images, labels, batch_size)


def _save_and_stop(stop, keeper, saved=False):
    if keeper is None:
        raise Interrupted(f"stopped by {stop.name}; there is no run folder to save to", stop.signum)
    if not saved:
        keeper.save()
    run = keeper.runs[0]
    raise Interrupted(
        f"stopped by {stop.name} after {run.position}; saved in {keeper.path}",
        stop.signum,
        keeper.path,
    )


class Keeper:
    """Writes the rows and checkpoints of runs that train together.

    All checkpoints are written and synced beside the old ones before the first is renamed. So
    after a crash at any moment the old state or the new one can be had, for all runs the same:
    ``settle`` finishes or discards what a crash left.

    Parameters
    ----------
    runs : list of Run
    path : path
        What to tell a person to resume.
    folders : list of RunFolder
        One per run.
    files : list of MetricsFile
        One per run, then perhaps one for all rows.
    """

    def __init__(self, runs, path, folders, files):
        self.runs, self.path, self.folders, self.files = runs, path, folders, files

    def add_rows(self, rows):
        own, common = self.files[: len(rows)], self.files[len(rows) :]
        for file, row in zip(own, rows, strict=True):
            file.append([row])
        for file in common:
            file.append(rows)
        for run, folder in zip(self.runs, self.folders, strict=True):
            run.telemetry.write(folder.path / TELEMETRY)

    def save(self):
        """Write every run's checkpoint; on failure the old ones stay."""
        paths = [folder.checkpoint for folder in self.folders]
        try:
            for run, path in zip(self.runs, paths, strict=True):
                stage(path, run.encode())
        except OSError as error:
            for path in paths:
                staged(path).unlink(missing_ok=True)
            raise TrainingError(f"saving {path} failed: {error.strerror or error}") from error
        for path in paths:
            commit(path)

    def kept(self):
        """What there is to go back to, in words."""
        if not self.folders[0].checkpoint.exists():
            return f"there is no checkpoint in {self.path} yet"
        return f"the last checkpoint in {self.path} is kept"

    def settle(self):
        """Finish or discard a save that a crash cut short."""
        paths = [folder.checkpoint for folder in self.folders]
        renaming = not staged(paths[0]).exists()  # so all were complete beside the old ones
        for path in paths:
            if renaming and staged(path).exists():
                commit(path)
            staged(path).unlink(missing_ok=True)
