"""The loop behind fit and lockstep: epochs, batches, measuring, saving and stopping."""

from contextlib import closing

from minibnn.training.callbacks import call
from minibnn.training.errors import Interrupted, TrainingError
from minibnn.training.interrupt import StopRequest


def train(
    runs,
    batches,
    data,
    *,
    epochs,
    report,
    keeper=None,
    callbacks=(),
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
                        if stop.signum:  # before anything is written to a terminal that hung up
                            _save_and_stop(stop, keeper)
                        report.step()
                        if keeper and keeper.due():
                            keeper.save()
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
                    keeper.keep_best(rows, part)
                    if over or stop.signum or keeper.due(first.epoch):
                        keeper.save()
                if stop.signum and not over:
                    _save_and_stop(stop, keeper, saved=True)
            if data.unreadable:
                report.note(f"pictures that cannot be read, left out: {len(data.unreadable)}")
        except TrainingError as error:
            raise TrainingError(f"{error}; {keeper.kept()}" if keeper else str(error)) from error
        finally:
            report.end()
            if keeper:
                keeper.close()


def _measure(runs, rows, data, part, batch_size):
    images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
    for run, row in zip(runs, rows, strict=True):
        run.measure(row, part, images, labels, batch_size, data.top5)


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
