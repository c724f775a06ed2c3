"""``minibnn discover``: constants under which two step functions are the same, or how they part."""

import sys

import click

from minibnn.cli.options import names
from minibnn.errors import InputError

MODELS = names("minibnn.equivalences.models.MODELS")


@click.command(short_help="Find the constants under which two step functions are the same.")
@click.argument("a", metavar="A", shell_complete=MODELS)
@click.argument("b", metavar="B", shell_complete=MODELS)
@click.option(
    "--given",
    multiple=True,
    metavar="NAME",
    help="A free constant that may occur too, such as a scale; can be repeated.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the traces.")
@click.option("--explain", is_flag=True, help="Show the traces that candidates were dropped by.")
def discover(a, b, given, seed, explain):
    """Look for the constants of B under which it has the bits of A.

    A and B are names (sgd, sgd-decay, bop, inertia, schmitt-sgd, ...) or MODULE:FUNCTION, a Python
    step function f(w, g, state, *, constants). Candidates are monomials in A's constants; what
    survives all traces is a conjecture. If nothing does, the shortest gradients on which all
    candidates part are printed.

    \b
    minibnn discover sgd-decay bop
    minibnn discover sgd-decay sgd-decay --given C
    minibnn discover sgd bop --explain
    """
    from minibnn.equivalences.discover import discover

    sys.path.insert(0, "")  # where MODULE may be, as with python -m minibnn

    for name in given:
        if not name.isidentifier():
            raise InputError(f"--given must be the name of a constant, found {name!r}")
    found = discover(a, b, given, seed)
    click.echo(found)
    if explain:
        click.echo("\n" + found.explanation())
