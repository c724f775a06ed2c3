"""``fit``: train one network by one optimizer."""

from contextlib import ExitStack

from minibnn.ops.threads import compute_threads
from minibnn.training import plots
from minibnn.training.callbacks import check_callbacks
from minibnn.training.config import flat
from minibnn.training.distributed import ALONE
from minibnn.training.keeper import Keeper
from minibnn.training.loop import train
from minibnn.training.progress import Lines, Mute, reporter
from minibnn.training.run_folder import RunFolder
from minibnn.training.settings import Settings, Task, check_folder, check_optimizer
from minibnn.training.start import adopt_config, finished_note, open_run
from minibnn.training.tensorboard import event_files


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
    class_weight=None,
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
    ranks=ALONE,
    sync_batch_norm=False,
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
    loss : "softmax_cross_entropy", "squared_hinge", or callable (logits, labels)
        One of your own returns (loss, dlogits): the mean over the batch, and its gradient like
        logits (B, C). config.json keeps its name, to be resumed with the same.
    class_weight : list of float, or dict of int to float, optional
        How much a picture of each class counts in training, as in Keras: the loss is the mean of
        weight times loss. Those a dict leaves out count 1. What is measured is not weighted.
    augment : None or "paper"
        "paper": pad with 4 pixels, random crop, random horizontal flip. Of pictures in folders a
        part of random area, shape and place, at random mirrored; with None the middle.
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
    ranks : Ranks, optional
        ``training.Ranks.world()`` in a program started by mpiexec: every rank calls fit with the
        same arguments and computes its piece of each batch; rank 0 alone writes, reports and asks
        the callbacks. All end with the same network and history. The results depend on the number
        of ranks, by rounding (but for integer gradients) and by the statistics of smaller batches
        (but for ``sync_batch_norm``), and on nothing else.
    sync_batch_norm : bool
        Batch normalisation by the statistics of the whole batch, at the price of two small
        messages per layer and step; otherwise each rank normalises by those of its piece.

    Returns
    -------
    History

    Raises
    ------
    InputError
        What is asked for cannot be done.
    TrainingError
        Loss or gradient became NaN or infinite, saving failed, or ranks differ; the last
        checkpoint is kept.
    Interrupted
        Ctrl-C, SIGTERM or a hang-up; the batch was finished and everything saved.

    Notes
    -----
    Beside checkpoint.npz, the last state, best.npz keeps the network as it was after the epoch
    with the highest validation accuracy (the first such) or, without a validation part, the
    highest test accuracy. The latter is how the field's code chooses, and optimistic: a figure so
    found is the best of many looks at the test pictures. ``bnn.load("RUN/best.npz")`` reads it.

    Examples
    --------
    >>> from minibnn import data, optim, zoo
    >>> digits = data.load("digits").subset(train=100, test=50)
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> optimizer = optim.Split(binary=optim.Bop(gamma=0.01), real=optim.Adam(lr=0.01))
    >>> history = fit(net, optimizer, digits, epochs=2, batch_size=50, progress=False)
    >>> history["epoch"]
    [1, 2]
    """
    with ranks.guard(), ExitStack() as stack:
        with ranks.together():
            settings = Settings(
                epochs,
                batch_size,
                seed,
                loss,
                augment,
                validation,
                checkpoint_every,
                checkpoint_minutes,
                class_weight,
            )
            check_folder(out, resume, force)
            check_optimizer(optimizer)
            out = out if ranks.first else None
            events = event_files(tensorboard and ranks.first, out)
            task = Task(net, data, settings, ranks, sync_batch_norm)
            callbacks = check_callbacks(callbacks)
            run = task.run(name or default_name(optimizer), net, optimizer)
            config = task.describe("fit", options, name=run.name, optimizer=optimizer.config())
            if ranks.size > 1 and progress in (None, True):
                progress = Lines()  # Open MPI gives rank 0 a terminal though nobody may see it
            report = reporter(progress) if ranks.first else Mute()
            stack.enter_context(compute_threads(threads))
        ranks.check_same(flat(config | {"options": None}), "settings and data")
        folder = keeper = None
        finished = False
        with ranks.together():
            if out is not None:
                folder = stack.enter_context(RunFolder(out, resume, force))
                keeper = Keeper(
                    [run], folder.path, [folder], [], checkpoint_every, checkpoint_minutes, events
                )
                keeper.settle()
                adopt_config(folder, config, report)
                keeper.files.append(open_run(folder, run, task.data, report))
                finished = finished_note(run, settings, folder, report)
        run.share()
        if not ranks.from_first(finished):
            train(
                [run],
                task.batches,
                task.data,
                epochs=epochs,
                report=report,
                keeper=keeper,
                callbacks=callbacks,
            )
        if folder is not None:
            picture = folder.path / "curves.png"
            if not finished or not picture.exists():
                plots.draw_curves(picture, {run.name: run.history})
    return run.history


def default_name(optimizer):
    """The command-line name of the optimizer, of a Split that of its binary part."""
    inner = getattr(optimizer, "binary", None) or getattr(optimizer, "real", None) or optimizer
    return inner.kind
