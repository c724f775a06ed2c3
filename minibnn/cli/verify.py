"""``minibnn verify``: the catalogue of equivalences, run on this machine."""

import json
import sys

import click

from minibnn.cli.options import JSON, names
from minibnn.errors import InputError

STATEMENTS = names("minibnn.equivalences.CATALOGUE")


@click.command(short_help="Check when optimizers are the same algorithm.")
@click.argument("ids", nargs=-1, metavar="[ids ...]", shell_complete=STATEMENTS)
@click.option("--examples", default=200, help="Cases to try for each statement.")
@click.option("--seed", default=0, help="Of the cases.")
@click.option(
    "--backend",
    type=click.Choice(["reference", "numba"]),
    default="reference",
    help="Which of the library's own computations are checked: reference (NumPy) or numba (the "
    "compiled ones, which compile first).",
)
@JSON
@click.option(
    "--explain",
    metavar="ID",
    shell_complete=STATEMENTS,
    help="Instead of running: one statement in words, a small trajectory, and how it breaks.",
)
@click.pass_context
def verify(ctx, ids, examples, seed, backend, as_json, explain):
    """Run the catalogue of statements on when two binary optimizers are the same.

    Every statement is tried on many small cases, ties included, and every counterexample must
    break it. Exits with 1 if a statement fails, and prints the smallest case in which it does.

    \b
    minibnn verify
    minibnn verify E1 E4 --examples 1000
    minibnn verify --explain E4
    """
    from minibnn import equivalences
    from minibnn.ops.backend import using

    if explain is not None:
        if ids:
            raise InputError(f"--explain takes one statement, found {' '.join(ids)} beside it")
        click.echo(equivalences.explanation(*equivalences.chosen([explain])))
        return

    def progress(row):
        if not as_json and sys.stderr.isatty():
            click.echo(f"\r{row.id:<4} {row.verdict:<8}\r", nl=False, err=True)

    report = equivalences.verify(
        list(ids) or None, examples=examples, seed=seed, backend=backend, progress=progress
    )
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        click.echo(report)
        using(backend)(tell_measured)(ids)
    if not report.ok:
        ctx.exit(1)


def tell_measured(ids):
    """Print what E12 and E14 state, as measured on the optimizers themselves."""
    from minibnn.equivalences.second_order import flip_storm, storage_table
    from minibnn.tables import Table

    wanted = {id.upper() for id in ids} or {"E12", "E14"}
    if "E12" in wanted:
        head = ["E12: optimizer", "bytes of state per weight", "reals", "kept beside them"]
        lines = [
            [name, f"{size:g}", str(reals), "1 bit" if bit else "-"]
            for name, size, reals, bit in storage_table()
        ]
        click.echo(f"\n{Table(head, lines)}")
    if "E14" in wanted:
        head = ["E14: size of gradients", "Bop2ndOrder flips at step 1", "Bop flips at step 1"]
        lines = [[f"{size:g}", *(f"{100 * x:.1f} %" for x in two)] for size, *two in flip_storm()]
        click.echo(f"\n{Table(head, lines)}")
