"""``minibnn train``: one network, one optimizer."""

import click

from minibnn.cli.options import BOP, Start, settle_options, shared_options


@click.command(short_help="Train one network.")
@click.option(
    "--optimizer",
    default=BOP,
    show_default=True,
    metavar="SPEC",
    help="For the binary weights: a name and its settings, such as "
    "bop:gamma=step:1e-4:0.1:100ep,threshold=1e-8 or latent-adam:lr=1e-3.",
)
@shared_options
@click.pass_context
def train(ctx, **options):
    """Train one binarized network and keep everything in a run folder.

    \b
    minibnn train
    minibnn train --dataset cifar10 --filters 32 --dense-units 256 --epochs 8
    minibnn train --resume --out runs/train-cifar10-1 --epochs 20

    Ctrl-C finishes the batch, saves, and says how to go on.
    """
    kept, how = settle_options(ctx, options)

    from minibnn import optim
    from minibnn.training import fit

    binary, real = (optim.parse_optimizer(kept[o]) for o in ("optimizer", "real_optimizer"))
    optimizer = optim.Split(binary=binary, real=real)
    with Start("train", kept, how) as start:
        start.announce()
        history = fit(start.net, optimizer, start.data, **start.arguments)
    click.echo()
    click.echo(summary(history))
    click.echo(f"picture: {start.out}/curves.png")


def summary(history):
    """The last and the best epoch, in a line each."""
    from minibnn.training.metrics import row_text

    part = "validation" if history.last.get("validation_accuracy") is not None else "test"
    best = history.best(f"{part}_accuracy")
    return (
        f"epoch {history.last['epoch']}: {row_text(history.last)}\n"
        f"best {part} accuracy: {100 * best[f'{part}_accuracy']:.2f} % in epoch {best['epoch']}"
    )
