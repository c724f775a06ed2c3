"""``lockstep``: several optimizers from one initial network, on one stream of batches."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import numpy as np

from minibnn.errors import InputError
from minibnn.ops.threads import compute_threads
from minibnn.training import plots
from minibnn.training.callbacks import check_callbacks
from minibnn.training.keeper import Keeper
from minibnn.training.loop import train
from minibnn.training.metrics import Lockstep, MetricsFile
from minibnn.training.progress import reporter
from minibnn.training.run_folder import RunFolder
from minibnn.training.settings import Settings, Task, check_folder, check_optimizer
from minibnn.training.start import adopt_config, check_config, finished_note, open_run
from minibnn.training.tensorboard import event_files


def lockstep(
    net,
    optimizers,
    data,
    *,
    epochs,
    batch_size=100,
    seed=0,
    out=None,
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
    run_options=None,
):
    """Train copies of ``net``, one per optimizer, side by side.

    Every batch is seen by all before the next is made. Each run is bit for bit what ``fit`` would
    make of it alone, and ``out/NAME/`` is its ordinary run folder.

    Parameters
    ----------
    net : network
        The common start; it is not changed.
    optimizers : dict of str to optimizer
        Copied too. Names are made of letters, digits and ``. _ + -``.
    data, epochs, batch_size, seed, out, loss, class_weight, augment, validation : as in ``fit``
    callbacks, checkpoint_every, checkpoint_minutes, tensorboard : as in ``fit``
    resume, force, progress, threads, options : as in ``fit``
    run_options : dict of str to dict, optional
        For each run, how it would be started alone, kept in its own config.json.

    Returns
    -------
    Lockstep

    Raises
    ------
    InputError, TrainingError, Interrupted
        As ``fit``.

    Examples
    --------
    >>> from minibnn import data, optim, zoo
    >>> digits = data.load("digits").subset(train=100, test=50)
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> pair = {"bop": optim.Bop(gamma=0.01), "latent-sgd": optim.LatentSGD(lr=0.1)}
    >>> pair = {name: optim.Split(binary, optim.Adam()) for name, binary in pair.items()}
    >>> result = lockstep(net, pair, digits, epochs=2, batch_size=50, progress=False)
    >>> len(result.agreement("bop", "latent-sgd"))
    2
    """
    if not isinstance(optimizers, Mapping):
        raise InputError(f"optimizers must be a dict by name, found {optimizers!r:.60}")
    if not optimizers:
        raise InputError("lockstep needs at least one optimizer, found none")
    check_folder(out, resume, force)
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
    events = event_files(tensorboard, out)
    task = Task(net, data, settings)
    callbacks = check_callbacks(callbacks)
    for optimizer in optimizers.values():
        check_optimizer(optimizer)
    runs = [task.run(name, net.copy(), o.copy()) for name, o in optimizers.items()]
    result = Lockstep({run.name: run.history for run in runs}, {run.name: run.net for run in runs})
    report = reporter(progress)
    how = {
        "epochs": settings.epochs,
        "report": report,
        "callbacks": callbacks,
        "between_epochs": partial(add_agreement, runs),
    }
    with compute_threads(threads), ExitStack() as stack:
        if out is None:
            train(runs, task.batches, task.data, **how)
            return result
        configs = {run.name: run.optimizer.config() for run in runs}
        config = task.describe("lockstep", options, optimizers=configs)
        folders = _enter(stack, RunFolder(out, resume, force), runs, config)
        keeper = _open(folders, runs, task, config, run_options or {}, report)
        keeper.events = events
        finished = finished_note(runs[0], settings, folders[0], report)
        if not finished:
            train(runs, task.batches, task.data, keeper=keeper, **how)
        picture = folders[0].path / "compare.png"
        if not finished or not picture.exists():
            plots.draw_curves(picture, result.histories)
    return result


def add_agreement(runs, rows):
    """Into each run's row, the share of its binary weights that equal those of each other run."""
    for run, row in zip(runs, rows, strict=True):
        for other in runs:
            if other is not run:
                row[f"agreement:{other.name}"] = agreement(run.net, other.net)


def agreement(a, b):
    """Share of binary weights that are equal in two networks of one architecture; None of none."""
    equal = total = 0
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        if p.binary:
            equal += int(np.count_nonzero(p.value == q.value))
            total += p.size
    return equal / total if total else None


def _enter(stack, common, runs, config):
    """The locked folders: the common one, then one per run below it; of ``config``'s run."""
    below = [
        RunFolder(common.path / run.name, common.resume and common.path.exists(), common.force)
        for run in runs
    ]
    common.check()
    check_config(common, config)
    for folder in below:
        if common.resume:
            folder.path.mkdir(exist_ok=True)  # a run killed early may not have made it
        folder.check()
    return [stack.enter_context(folder) for folder in (common, *below)]


def _open(folders, runs, task, config, run_options, report):
    """Bring all runs to where their folders stand, the same place; returns their Keeper."""
    common, *below = folders
    settings = task.settings
    keeper = Keeper(
        runs, common.path, below, [], settings.checkpoint_every, settings.checkpoint_minutes
    )
    keeper.settle()
    adopt_config(common, config, report)
    for run, folder in zip(runs, below, strict=True):
        own, optimizer = run_options.get(run.name), config["optimizers"][run.name]
        adopt_config(folder, task.describe("fit", own, name=run.name, optimizer=optimizer))
        keeper.files.append(open_run(folder, run, task.data, report))
    for run in runs:
        if (run.epoch, run.step, run.stopped) != (runs[0].epoch, runs[0].step, runs[0].stopped):
            raise InputError(
                f"{common.path} cannot be resumed: {runs[0].name} stands after {runs[0].position}, "
                f"{run.name} after {run.position}"
            )
    columns = runs[0].columns(task.data.validation_images is not None, task.data.top5)
    columns += [f"agreement:{run.name}" for run in runs]
    keeper.files.append(MetricsFile(common.metrics, columns))
    rows = keeper.files[-1].cut(runs[0].epoch)
    for run in runs:
        run.history.rows[:] = [row for row in rows if row["name"] == run.name]
    return keeper
