"""``minibnn train``: one network, one optimizer."""

import contextlib
import os

import click

from minibnn.cli.options import BOP, names, training_options
from minibnn.cli.start import TrainingCommand, started
from minibnn.errors import InputError


@click.command(cls=TrainingCommand, short_help="Train one network.")
@click.option(
    "--recipe",
    metavar="NAME",
    shell_complete=names("minibnn.zoo.RECIPES"),
    help="Train as somebody published it: data set, network, optimizers, schedules, batch, epochs "
    "and augmentation, each of which another option may change. minibnn recipes lists them.",
)
@click.option(
    "--optimizer",
    default=BOP,
    metavar="SPEC",
    shell_complete=names("minibnn.optim.parse.BINARY"),
    help="For the binary weights: a name (bop, latent-sgd, bop2nd, ...; an unknown one lists "
    "all) and its settings, such as bop:gamma=step:1e-4:0.1:100ep,threshold=1e-8 or "
    "latent-adam:lr=1e-3.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one setting of --optimizer or of the recipe's, such as gamma=1e-2; real.lr=1e-3 "
    "is one of --real-optimizer.",
)
@click.option(
    "--mpi/--no-mpi",
    default=None,
    help="Train on all processes that mpiexec started, each with its piece of every batch. "
    'Default: if there are several. Needs the extra: pip install "minibnn[mpi]".',
)
@click.option(
    "--sync-batch-norm",
    is_flag=True,
    help="With MPI: normalise by the statistics of the whole batch, as one process would, not of "
    "each process' piece of it.",
)
@training_options
def train(changes, mpi, **options):
    """Train one binarized network and keep everything in a run folder.

    \b
    minibnn train
    minibnn train --dataset cifar10 --filters 32 --dense-units 256 --epochs 8
    minibnn train --recipe bop-sec51 --width 0.25 --epochs 20
    minibnn train --recipe bop-sec52 --set threshold=1e-7
    minibnn train --dataset image-folder --data-dir FOLDER --image-size 64 --batch-size 32
    mpiexec -n 4 minibnn train --dataset cifar10 --batch-size 100 --sync-batch-norm
    minibnn train --resume --out runs/train-cifar10-1 --epochs 20

    Ctrl-C finishes the batch, saves, and says how to go on. checkpoint.npz is where the run stands,
    best.npz the network of its best epoch: by validation accuracy or, without --validation, by
    test accuracy, as the field's code does, which is optimistic.
    """
    from minibnn import optim
    from minibnn.training import Ranks, fit

    ranks = Ranks() if mpi is False else Ranks.world(required=mpi)
    with ranks.guard(), contextlib.ExitStack() as stack:
        with ranks.together():
            options |= change_settings(options, changes)
            options.setdefault("name", options["recipe"])
            texts = options["optimizer"], options["real_optimizer"]
            optimizer = optim.Split(*map(optim.parse_optimizer, texts))
        if ranks.size > 1 and not (options["threads"] or os.environ.get("MINIBNN_NUM_THREADS")):
            options["threads"] = ranks.threads()
        for turn in (True, False):  # rank 0 first: it may have to download the data
            with ranks.together():
                if ranks.first is turn:
                    start = stack.enter_context(started("train", options, ranks))
        if ranks.first:
            start.announce(ranks.size)
        history = fit(
            start.net,
            optimizer,
            start.data,
            name=options["name"],
            ranks=ranks,
            sync_batch_norm=options["sync_batch_norm"],
            **start.arguments,
        )
        if ranks.first:
            click.echo(f"\n{summary(history, start.out)}")
            click.echo(f"digest: {start.net.digest()}")
            click.echo(f"figure: {start.out}/curves.png")


def change_settings(options, changes):
    """The options optimizer and real_optimizer after ``--set NAME=VALUE``, as a dict.

    >>> change_settings({"optimizer": "bop:gamma=1e-3", "real_optimizer": "adam"}, ["gamma=1"])
    {'optimizer': 'bop:gamma=1', 'real_optimizer': 'adam'}
    """
    from minibnn.optim import change_arguments

    wanted = {"optimizer": {}, "real_optimizer": {}}
    for text in changes:
        name, _, value = (piece.strip() for piece in text.partition("="))
        if not (name and value):
            raise InputError(f"--set must be NAME=VALUE, such as gamma=1e-3, found {text!r}")
        new = wanted["real_optimizer" if name.startswith("real.") else "optimizer"]
        if name.removeprefix("real.") in new:
            raise InputError(f"--set: {name} is given twice")
        new[name.removeprefix("real.")] = value
    changed = {name: change_arguments(options[name], new) for name, new in wanted.items() if new}
    return {name: options[name] for name in wanted} | changed


def summary(history, out):
    """The last and the best epoch, in a line each, as far as metrics.csv in ``out`` has them."""
    from minibnn.training.metrics import measured_on, row_text

    part = measured_on(history)
    best = history.best(f"{part}_accuracy")
    if not best:
        return f"{out}/metrics.csv does not tell the {part} accuracy of any epoch"
    return (
        f"epoch {history.last['epoch']}: {row_text(history.last)}\n"
        f"best {part} accuracy: {100 * best[f'{part}_accuracy']:.2f} % in epoch {best['epoch']}, "
        f"kept in {out}/best.npz"
    )
