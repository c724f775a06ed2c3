"""``minibnn compare``: several optimizers, one initial network, one stream of batches."""

from itertools import chain, count

import click

from minibnn.cli.options import BOP, LATENT_SGD, REAL, names, training_options
from minibnn.cli.presets import run_preset
from minibnn.cli.start import TrainingCommand, started
from minibnn.errors import InputError


@click.command(cls=TrainingCommand, short_help="Train one network by several optimizers.")
@click.option(
    "--recipe",
    multiple=True,
    metavar="NAME",
    shell_complete=names("minibnn.zoo.RECIPES"),
    help="Compare recipes (minibnn recipes lists them): each one's optimizers, with its schedules "
    "in proportion to --epochs; all else is as in the first.",
)
@click.option(
    "--optimizer",
    multiple=True,
    default=(BOP, LATENT_SGD),
    metavar="[NAME=]SPEC",
    shell_complete=names("minibnn.optim.parse.BINARY"),
    help="For the binary weights, as often as you like: a name and its settings, such as "
    "bop:gamma=1e-3,threshold=1e-6 or slow=latent-adam:lr=1e-4, or recipe:bop-sec51,gamma=1e-2, "
    "a recipe's with its real optimizer and perhaps other settings.",
)
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=names("minibnn.equivalences.networks.PRESETS"),
    help="Show an equivalence instead: sgd-decay-is-bop, latent-scale, loss-scale, hysteresis, "
    "inertia, adamw, lion, signum, bayesbinn, mirror or integers. Two optimizers and a control, "
    "all signs compared after every step.",
)
@click.option(
    "--steps", type=click.IntRange(1), help="Steps of a --preset. Default: 200, on cifar10 100."
)
@training_options
@click.pass_context
def compare(ctx, preset, steps, **options):
    """Train copies of one binarized network by several optimizers, on the same batches.

    Shows loss, accuracy and flips of each, and how many of their binary weights agree.

    \b
    minibnn compare
    minibnn compare --optimizer fast=bop:gamma=1e-2 --optimizer slow=bop:gamma=1e-4
    minibnn compare --dataset cifar10 --epochs 2
    minibnn compare --recipe bop-sec51 --recipe bop-sec52 --width 0.25 --epochs 30
    minibnn compare --preset sgd-decay-is-bop

    Ctrl-C finishes the batch, saves, and says how to go on.
    """
    from minibnn import optim
    from minibnn.training import lockstep
    from minibnn.training.distributed import refuse_ranks

    refuse_ranks("compare")
    if preset is not None:
        return run_preset(ctx, preset, steps, options)
    if steps is not None:
        raise InputError("--steps belongs to --preset; without one, choose --epochs")
    specs, real = name_specs(options["optimizer"]), options["real_optimizer"]
    texts = {name: read_spec(spec, real) for name, spec in specs.items()}
    parse = optim.parse_optimizer
    optimizers = {name: optim.Split(*map(parse, both)) for name, both in texts.items()}
    with started("compare", options) as start:
        start.announce()
        run_options = {  # those of minibnn train for each run alone
            name: start.options
            | {"command": "train", "recipe": None, "name": name}
            | {"optimizer": binary, "real_optimizer": real}
            for name, (binary, real) in texts.items()
        }
        result = lockstep(
            start.net, optimizers, start.data, run_options=run_options, **start.arguments
        )
    click.echo(f"\n{result}")
    for name, net in result.nets.items():
        click.echo(f"digest: {net.digest()} {name}")
    click.echo(f"figure: {start.out}/compare.png")


def name_specs(specs):
    """``{name: spec}`` of ``[NAME=]SPEC``; without a name it is the optimizer's, numbered if taken.

    >>> name_specs(["bop:gamma=1e-2", "bop:gamma=1e-3", "slow=bop:gamma=1e-4"])
    {'bop': 'bop:gamma=1e-2', 'bop-2': 'bop:gamma=1e-3', 'slow': 'bop:gamma=1e-4'}
    """
    named = {}
    for text in specs:
        head, equals, rest = text.partition("=")
        if equals and ":" not in head:
            name, spec = head.strip(), rest
            if name in named:
                raise InputError(f"--optimizer: two are named {name!r}, give each its own name")
        else:
            kind, _, rest = text.partition(":")
            kind = (rest.partition(",")[0] if kind.strip() == "recipe" else kind).strip()
            numbered = chain([kind], (f"{kind}-{number}" for number in count(2)))
            name, spec = next(name for name in numbered if name not in named), text
        named[name] = spec
    return named


def read_spec(spec, real=None):
    """The texts of a binary and a real optimizer; ``real``, if given, goes before a recipe's.

    >>> read_spec("recipe:latent-adam-default,lr=1e-3")
    ('latent-adam:lr=1e-3', 'adam:lr=5e-3')
    """
    kind, _, rest = spec.partition(":")
    if kind.strip() != "recipe":
        return spec, real or REAL
    from minibnn.optim import change_arguments, read_arguments
    from minibnn.zoo.recipes import recipe

    name, _, changes = rest.partition(",")
    chosen = recipe(name.strip())
    binary = change_arguments(chosen.optimizer, read_arguments(changes))
    return binary, real or chosen.real_optimizer
