"""``minibnn compile``: kernels for this machine, ahead of the first run."""

import time

import click

from minibnn.cli.options import BOP, LATENT_SGD, REAL


@click.command(short_help="Compile the kernels of a network ahead.")
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("digits", "binarynet"),
    help="Network, as for train; as often as you like.",
)
@click.option(
    "--gradients",
    "widths",
    multiple=True,
    default=("float32", "int8"),
    help="Type of the gradients, as for train; as often as you like.",
)
@click.option(
    "--optimizer",
    "optimizers",
    multiple=True,
    default=(BOP, LATENT_SGD),
    help="Optimizer of the binary weights, as for train; as often as you like.",
)
def compile(models, widths, optimizers):
    """Put compiled kernels on disk, for a container's image or before a measurement.

    Kernels are kept in the folder NUMBA_CACHE_DIR, or else in the user's cache, for this kind of
    CPU; another kind compiles its own.
    """
    from minibnn import optim, zoo
    from minibnn.errors import InputError, one_of
    from minibnn.ops.kernels.compile import cache_folder
    from minibnn.training.compiling import compile_kernels

    for model in models:
        one_of(model, "--model", zoo.MODELS)
    splits = [optim.Split(*map(optim.parse_optimizer, (text, REAL))) for text in optimizers]
    if (folder := cache_folder()) is None:
        raise InputError("kernels cannot be kept: set NUMBA_CACHE_DIR to a folder to write to")
    for model in models:
        for width in widths:
            start = time.monotonic()
            net = zoo.MODELS[model](seed=0, gradients=width)
            compile_kernels(net, splits, net.input_shape)
            click.echo(f"{model}, {width} gradients: {time.monotonic() - start:.0f} s")
    files = [file for file in folder.rglob("*.nb?") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    click.echo(f"kernels are in {folder}: {len(files)} files, {size / 1e6:.1f} MB")
