"""``fit``: train one network by one optimizer."""

from minibnn.training import plots
from minibnn.training.callbacks import check_callbacks
from minibnn.training.keeper import Keeper
from minibnn.training.loop import train
from minibnn.training.progress import reporter
from minibnn.training.run_folder import RunFolder
from minibnn.training.settings import Settings, Task
from minibnn.training.start import adopt_config, finished_note, open_run
from minibnn.training.tensorboard import event_files
from minibnn.training.threads import compute_threads


def fit(
    net,
    optimizer,
    data,
    *,
    epochs,
    batch_size=100,
    seed=0,
    out=None,
    name=None,
    loss="softmax_cross_entropy",
    augment=None,
    validation=0,
    callbacks=(),
    checkpoint_every=1,
    checkpoint_minutes=None,
    tensorboard=False,
    resume=False,
    force=False,
    progress=None,
    threads=None,
    options=None,
):
    """Train ``net`` in place.

    Parameters
    ----------
    net : network
    optimizer : optimizer
        For all parameters; ``optim.Split`` gives binary and real ones an optimizer each.
    data : Dataset
    epochs : int
        In all, those of a resumed run included.
    batch_size : int
        The last partial batch of an epoch is dropped.
    seed : int
        Of the order of the pictures, their augmentation and the choice of a validation part.
    out : path, optional
        The run folder; nothing is written without one.
    name : str, optional
        The run's name in its metrics; by default the (binary) optimizer's.
    loss : "softmax_cross_entropy" or "squared_hinge"
    augment : None or "paper"
        "paper": pad with 4 pixels, random crop, random horizontal flip.
    validation : int
        Hold that many training pictures out; they are then measured after each epoch, and the
        test pictures only after the last.
    callbacks : sequence
        Called after each epoch, see ``training.callbacks``.
    checkpoint_every : int
        Epochs from one checkpoint to the next. The last epoch and an interruption always save.
    checkpoint_minutes : float, optional
        After that many minutes without one, a checkpoint in the middle of an epoch too.
    tensorboard : bool
        Write event files into the run folder, see ``training.tensorboard``; the extra
        ``tensorboard`` must be installed.
    resume : bool
        Go on with the run in ``out``: bit for bit as if it had not been interrupted. All settings
        must be those of the run; only ``epochs`` may be raised.
    force : bool
        Replace the run in ``out``.
    progress : None, False or a reporter
        A live bar or plain lines by default; False is silent.
    threads : int, optional
        How many threads compute; the results do not depend on it. By default the environment
        variable MINIBNN_NUM_THREADS, else all.
    options : dict, optional
        How the run was started, kept in config.json as it is.

    Returns
    -------
    History

    Raises
    ------
    InputError
        What is asked for cannot be done.
    TrainingError
        Loss or gradient became NaN or infinite, or saving failed; the last checkpoint is kept.
    Interrupted
        Ctrl-C, SIGTERM or a hang-up; the batch was finished and everything saved.

    Notes
    -----
    Beside checkpoint.npz, the last state, best.npz keeps the network as it was after the epoch
    with the highest validation accuracy (the first such) or, without a validation part, the
    highest test accuracy. The latter is how the field's code chooses, and optimistic: a figure so
    found is the best of many looks at the test pictures. ``bnn.load("RUN/best.npz")`` reads it.
    """
    settings = Settings(
        epochs, batch_size, seed, loss, augment, validation, checkpoint_every, checkpoint_minutes
    )
    events = event_files(tensorboard, out)
    task = Task(net, data, settings)
    callbacks = check_callbacks(callbacks)
    run = task.run(name or default_name(optimizer), net, optimizer)
    report = reporter(progress)
    with compute_threads(threads):
        if out is None:
            train([run], task.batches, task.data, epochs=epochs, report=report, callbacks=callbacks)
            return run.history
        config = task.describe("fit", options, name=run.name, optimizer=optimizer.config())
        with RunFolder(out, resume, force) as folder:
            keeper = Keeper(
                [run], folder.path, [folder], [], checkpoint_every, checkpoint_minutes, events
            )
            keeper.settle()
            adopt_config(folder, config, report)
            keeper.files.append(open_run(folder, run, task.data, report))
            finished = finished_note(run, settings, folder, report)
            if not finished:
                train(
                    [run],
                    task.batches,
                    task.data,
                    epochs=epochs,
                    report=report,
                    keeper=keeper,
                    callbacks=callbacks,
                )
            picture = folder.path / "curves.png"
            if not finished or not picture.exists():
                plots.draw_curves(picture, {run.name: run.history})
    return run.history


def default_name(optimizer):
    """The command-line name of the optimizer, of a Split that of its binary part."""
    inner = getattr(optimizer, "binary", None) or getattr(optimizer, "real", None) or optimizer
    return inner.kind
