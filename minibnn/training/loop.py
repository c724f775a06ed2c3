"""The loop behind fit and lockstep: epochs, batches, measuring, saving and stopping."""

from contextlib import ExitStack, closing

from minibnn.data.folder import FolderImages
from minibnn.training.callbacks import call
from minibnn.training.config import machine_note
from minibnn.training.errors import Interrupted, TrainingError
from minibnn.training.interrupt import SIGNALS, StopRequest


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
        All at the same position, and of the same ranks. Every rank calls this; what is written,
        asked of callbacks or shown is rank 0's, and the others get neither keeper nor report.
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
    ranks = first.ranks
    piece = {"rank": ranks.rank, "ranks": ranks.size}
    if note := machine_note(first.net, data):
        report.note(note)
    report.begin(epochs, first.epoch, steps, first.step, batch_size, measured)
    with StopRequest() as stop, ExitStack() as stack:
        for run in runs:
            stack.enter_context(run.exchange)
        try:
            while first.epoch < epochs and not first.stopped:
                with closing(batches.epoch(first.epoch, first.step, **piece)) as stream:
                    for x, labels in stream:
                        for run in runs:
                            run.train_step(x, labels)
                        # A signal may reach one rank only, at any moment: they stop at one step.
                        # All have just exchanged gradients, so none waits here for another.
                        due = keeper is not None and keeper.due()
                        asked, due = ranks.most(stop.signum or 0, due)
                        if asked:  # before anything is written to a terminal that hung up
                            _save_and_stop(asked, keeper, ranks)
                        report.step()
                        if due:
                            _save(keeper, ranks)
                report.evaluating()
                rows = [run.end_epoch() for run in runs]
                part = "validation" if held_out else "test"
                _measure(runs, rows, data, part, batch_size)
                if between_epochs:
                    between_epochs(rows)
                for run, row in zip(runs, rows, strict=True):
                    run.history.rows.append(row)
                if ranks.size > 1:
                    _share_unreadable(data, ranks)
                with ranks.together():
                    own = callbacks if ranks.first else ()
                    answers = [call(own, run, row) for run, row in zip(runs, rows, strict=True)]
                over = ranks.from_first(all(answers))
                for run in runs:
                    run.stopped = over
                over = first.stopped or first.epoch == epochs
                if over and held_out:
                    _measure(runs, rows, data, "test", batch_size)
                (asked,) = ranks.most(stop.signum or 0)
                with ranks.together():
                    if keeper:
                        keeper.add_rows(rows)
                        keeper.keep_best(rows, part)
                        if over or asked or keeper.due(first.epoch):
                            keeper.save()
                report.epoch(rows)
                if asked and not over:
                    _save_and_stop(asked, keeper, ranks, saved=True)
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


def _save(keeper, ranks):
    with ranks.together():
        if keeper:
            keeper.save()


def _save_and_stop(signum, keeper, ranks, saved=False):
    if not saved:
        _save(keeper, ranks)
    name = SIGNALS[signum]
    if keeper is None:
        raise Interrupted(f"stopped by {name}; there is no run folder to save to", signum)
    run = keeper.runs[0]
    raise Interrupted(
        f"stopped by {name} after {run.position}; saved in {keeper.path}", signum, keeper.path
    )


def _share_unreadable(data, ranks):
    """Every rank learns which pictures the others could not decode; rank 0 tells the new ones."""
    for images in (data.train_images, data.test_images):
        if isinstance(images, FolderImages):
            problems, listing = images.problems, images.listing
            for found in ranks.gather(problems.told):
                new = found.keys() - problems.told.keys()
                new = [name for name in listing.names if name in new] if new else []
                problems.found |= {name: found[name] for name in new}
                problems.report(listing, new)
