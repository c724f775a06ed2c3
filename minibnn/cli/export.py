"""``minibnn export``: a trained network in a file for inference."""

from pathlib import Path

import click

from minibnn.errors import InputError


@click.command(short_help="Write a trained network for inference.")
@click.argument("run", metavar="RUN")
@click.argument("file", metavar="FILE")
@click.option(
    "--to",
    "form",
    required=True,
    metavar="FORM",
    help="packed: bits and integer thresholds, 32 times smaller than floats, for minibnn evaluate "
    "and predict (by habit NAME.bnn.npz).",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
def export(run, file, form, force):
    """Write the network of RUN, a run folder or a file in one, to FILE.

    It computes the same outputs there, bit for bit.

    \b
    minibnn export runs/train-digits-1 --to packed digits.bnn.npz
    """
    if form not in FORMS:
        raise InputError(f"--to must be one of {', '.join(FORMS)}, found {form!r}")
    file = Path(file)
    if file.is_dir():
        raise InputError(f"FILE must be a file, and {file} is a folder")
    if file.exists() and not force:
        raise InputError(f"{file} exists already; replace it (--force) or name another file")
    if not file.parent.is_dir():
        raise InputError(f"{file}: the folder {file.parent} does not exist")
    from minibnn.cli.trained import load_trained

    trained = load_trained(run)
    if not hasattr(trained.network, "layers"):
        raise InputError(f"{run} is packed already: name the run it comes from")
    about = FORMS[form](trained, file)
    click.echo(f"{file}: {about}")


def _packed(trained, file):
    from minibnn.deploy import pack

    packed = pack(trained.network, trained.classes, trained.pictures)
    packed.save(file)
    weights = sum(p.size for p in trained.network.parameters() if p.binary)
    return f"{file.stat().st_size:,} bytes, {weights:,} binary weights"


FORMS = {"packed": _packed}  # name -> function (Trained, Path), which writes and says what
