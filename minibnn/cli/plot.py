"""``minibnn plot``: a figure of runs, laid over each other."""

from pathlib import Path

import click

from minibnn.cli.options import files, out_file
from minibnn.errors import printable


@click.command(short_help="Draw runs: accuracy, loss, flips and inertia.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=files)
@out_file(
    "The figure, ending in .png, .pdf or .svg. Default: plot.png in the folder, of several "
    "folders in the current one."
)
@click.option("--title", metavar="TEXT", help="Above the figure.")
def plot(runs, out, title):
    """Draw one run, or several laid over each other.

    RUN is a run folder, that of a comparison, or a folder with run folders below it. A run that
    is still going on is drawn as far as it has come.

    The figure shows accuracy, loss and flips by epoch, of runs that were compared also how many of
    their weights agree. Of every binary layer it shows pi_t, the paper's measure of how many
    weights flip in a step (Eq. 7, of an epoch's mean step), the share of weights that never
    flipped, and how far the weights stand from flipping at the last epoch: |m| against the
    threshold, of latent weights their inertia |latent|. The outermost bins hold all that lies
    beyond.

    \b
    minibnn plot runs/train-digits-1
    minibnn plot runs/compare-cifar10-1 --out figure.pdf
    minibnn plot runs/bop runs/latent-adam --title "Bop and Adam"
    """
    from minibnn.training.plots import check_figure_path, draw_runs, find_runs

    records = find_runs(runs)
    out = check_figure_path(out or (Path(runs[0]) if len(runs) == 1 else Path()) / "plot.png")
    draw_runs(out, records, title)
    click.echo(f"figure: {out}")
    for record in records:
        if record.telemetry is None:
            words = "has no telemetry: only its metrics are drawn"
            click.echo(printable(f"{record.folder} {words}"))
