"""``fit`` and ``lockstep``: training a network by one optimizer, or copies of it by several."""

import inspect
from collections.abc import Mapping
from contextlib import ExitStack

from minibnn.errors import InputError
from minibnn.ops.threads import compute_threads
from minibnn.training import plots
from minibnn.training.config import describe
from minibnn.training.distributed import ALONE, Ranks
from minibnn.training.errors import writing
from minibnn.training.keeper import Keeper
from minibnn.training.loop import Loop
from minibnn.training.measure import loss_function, output_names
from minibnn.training.metrics import History, Lockstep
from minibnn.training.progress import reporter
from minibnn.training.run import Run
from minibnn.training.settings import Settings, training_data


def _showing_settings(function):
    """Have help and completion show the fields of Settings in place of ``**settings``."""
    signature = inspect.signature(function)
    *own, _ = signature.parameters.values()
    fields = inspect.signature(Settings).parameters.values()
    fields = [field.replace(kind=inspect.Parameter.KEYWORD_ONLY) for field in fields]
    at = next(k for k, one in enumerate(own) if one.kind is inspect.Parameter.KEYWORD_ONLY)
    function.__signature__ = signature.replace(parameters=[*own[:at], *fields, *own[at:]])
    return function


@_showing_settings
def fit(
    net,
    optimizer,
    data,
    *,
    name: str | None = None,
    ranks: Ranks = ALONE,
    sync_batch_norm: bool = False,
    **settings,
) -> History:
    """Train ``net`` in place.

    ``optimizer`` is for all parameters: ``optim.Split`` gives binary and real ones an optimizer
    each. ``data`` is a Dataset. ``name`` is the run's in its metrics, by default that of the
    (binary) optimizer. The settings are:

    epochs: In all, those of a resumed run included.
    batch_size: The last partial batch of an epoch is dropped.
    seed: Of the order of the images, their augmentation and the choice of a validation part.
    out: The run folder; nothing is written without one.
    loss: "softmax_cross_entropy", "squared_hinge", or a function of your own: loss(logits, labels)
        returns (loss, dlogits), the mean over the batch and its gradient like logits (B, C).
    class_weight: How much an image of each class counts in training, as in Keras: a list, or a
        dict by the class's number, 1 for those left out. Of losses only train_loss is weighted.
    augment: None, or "paper": pad with 4 pixels, crop and mirror at random. Of images in folders a
        part of random area, shape and place, at random mirrored; with None the middle. "cutout"
        hides a square too, a quarter as wide as the image; not of images in folders.
    validation: Hold that many training images out; they are measured after each epoch, and the
        test images only after the last.
    callbacks: Called after each epoch, see ``training.callbacks``.
    checkpoint_every, checkpoint_minutes: Epochs from one checkpoint to the next, and minutes after
        which one is saved within an epoch. The last epoch and an interruption always save.
    tensorboard: Whether to write event files into the run folder (the extra ``tensorboard``).
    resume: Go on with the run in ``out``, bit for bit as if it had not been interrupted. All
        settings must be those of the run; only ``epochs`` may be raised, and with them the width
        of gradients changed, and the optimizers' numbers and schedules, which count from the start.
    force: Replace the run in ``out``.
    progress: None for a live bar or plain lines, False for silence, or a reporter of your own.
    threads: How many compute, by default MINIBNN_NUM_THREADS or all; results are the same.
    options: A dict that says how the run was started, kept in config.json as it is.

    With ``ranks``, ``training.Ranks.world()`` in a program started by mpiexec, every rank calls
    fit with the same arguments and computes its piece of each batch; rank 0 alone writes, reports
    and asks the callbacks. Results match one process up to rounding (exactly, for integer
    gradients) and the statistics of smaller batches, unless ``sync_batch_norm`` has batch
    normalisation use those of the whole batch: two more small messages per layer and step.

    Beside checkpoint.npz, the last state, best.npz keeps the network of the epoch with the highest
    validation accuracy (the first such) or, without a validation part, the highest test accuracy:
    the field's way, and optimistic, as the best of many looks at the test images.

    Raises InputError for what cannot be done; TrainingError if the loss or a gradient is not
    finite, saving failed, or ranks differ (the last checkpoint is kept); Interrupted after Ctrl-C,
    SIGTERM or a hang-up, once the batch is finished and everything saved.

    >>> from minibnn import data, optim, zoo
    >>> digits = data.load("digits").subset(train=100, test=50)
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> optimizer = optim.Split(binary=optim.Bop(gamma=0.01), real=optim.Adam(lr=0.01))
    >>> history = fit(net, optimizer, digits, epochs=2, batch_size=50, progress=False)
    >>> history["epoch"]
    [1, 2]
    """
    inner = getattr(optimizer, "binary", None) or getattr(optimizer, "real", None) or optimizer
    name = name or getattr(inner, "kind", "run")
    (run,) = _train({name: (net, optimizer)}, data, settings, ranks, sync_batch_norm)
    return run.history


@_showing_settings
def lockstep(
    net, optimizers: Mapping, data, *, run_options: dict | None = None, **settings
) -> Lockstep:
    """Train copies of ``net``, one per optimizer, side by side.

    Every batch is seen by all before the next is made. Each run is bit for bit what ``fit`` would
    make of it alone, and ``out/NAME/`` is its ordinary run folder. ``net`` and the ``optimizers``,
    a dict by name, are not changed. Names are made of letters, digits and ``. _ + -``.

    ``data``, the settings and the errors are those of ``fit``. ``run_options`` says for each name
    how the run would be started alone, to be kept in its own config.json.

    >>> from minibnn import data, optim, zoo
    >>> digits = data.load("digits").subset(train=100, test=50)
    >>> net = zoo.digits_net(filters=4, dense_units=8)
    >>> pair = {"bop": optim.Bop(gamma=0.01), "latent-sgd": optim.LatentSGD(lr=0.1)}
    >>> pair = {name: optim.Split(binary, optim.Adam()) for name, binary in pair.items()}
    >>> result = lockstep(net, pair, digits, epochs=2, batch_size=50, progress=False)
    >>> len(result.agreement("bop", "latent-sgd"))
    2
    """
    if not isinstance(optimizers, Mapping) or not optimizers:
        raise InputError(f"optimizers must be a dict by name, not empty, found {optimizers!r:.60}")
    pairs = {name: (net, optimizer) for name, optimizer in optimizers.items()}
    runs = _train(pairs, data, settings, run_options=run_options or {})
    return Lockstep({run.name: run.history for run in runs}, {run.name: run.net for run in runs})


def _train(pairs, data, settings, ranks=ALONE, sync_batch_norm=False, run_options=None):
    """The Runs of ``pairs`` (name: (network, optimizer)), trained; of copies with run_options."""
    comparing = run_options is not None
    with ranks.guard(), ExitStack() as stack:
        with ranks.together():
            settings = Settings(**settings)
            runs, parts, batches = _runs(pairs, comparing, data, settings, ranks, sync_batch_norm)
            report = reporter(settings.progress, ranks)
            stack.enter_context(compute_threads(settings.threads))
            configs = describe(runs, data, settings, run_options)
        ranks.check_same(configs[""] | {"options": None}, "settings and data")
        keeper = None
        with ranks.together():
            if settings.out is not None and ranks.first:
                keeper = Keeper(runs, settings, parts, configs, report)
                keeper.open(stack)
        for run in runs:
            run.share()
        loop = Loop(runs, batches, parts, settings, report, keeper)
        if loop.over:
            how = f"is finished: all {runs[0].epoch} epochs are done"
            if runs[0].stopped:
                how = f"was stopped by a callback in epoch {runs[0].epoch}"
            report.note(f"the run in {settings.out} {how}")
        else:
            if layers := configs[""].get("machine_dependent"):
                some = ", ".join(layers[:5]) + ", ..." * (len(layers) > 5)
                does = f"{some} compute with real numbers"
                report.note(f"last bits may differ between machines: {does}")
            loop.run()
        if keeper:
            figure = keeper.path / ("compare.png" if comparing else "curves.png")
            with writing(figure):
                plots.draw_curves(figure, {run.name: run.history for run in runs})
    return runs


def _runs(pairs, copied, data, settings, ranks, sync_batch_norm):
    """(the Runs, ready for their first batch; data with its validation part; Batches)."""
    net = next(iter(pairs.values()))[0]
    parts, batches = training_data(net, data, settings, ranks, sync_batch_norm)
    for _, optimizer in pairs.values():
        known = all(hasattr(optimizer, name) for name in ("bind", "prepare", "step", "copy"))
        if isinstance(optimizer, type) or not known:
            raise InputError(f"an optimizer must be one of minibnn.optim, found {optimizer!r:.60}")
    steps, outputs = len(batches), net.output_shape[-1]
    runs = []
    for name, pair in pairs.items():
        own, optimizer = (one.copy() for one in pair) if copied else pair
        optimizer.bind(steps, steps * settings.epochs)
        optimizer.prepare(own.parameters())
        own.classes = output_names(data.classes, outputs)
        own.image_form = data.image_form
        losses = loss_function(settings.loss), settings.training_loss(outputs)
        runs.append(Run(name, own, optimizer, losses[0], ranks, sync_batch_norm, losses[1]))
    return runs, parts, batches
