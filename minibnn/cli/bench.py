"""``minibnn bench``: how fast it is on this machine."""

import click

from minibnn.bench import clock
from minibnn.bench.run import SECTIONS, USUAL, run
from minibnn.cli.options import JSON, THREADS
from minibnn.errors import InputError


@click.command(short_help="Measure how fast it is on this machine.")
@click.option("--quick", is_flag=True, help="Fewer runs and sizes: under half a minute.")
@click.option("--cold", is_flag=True, help="Also time compiling everything anew.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(SECTIONS),
    help="Measure this part only; as often as you like. scaling, what more threads are worth, is "
    "measured only if it is asked for.",
)
@click.option(
    "--figure",
    metavar="FILE",
    help="With --only scaling: also draw it, to a file that ends in .png, .pdf or .svg.",
)
@click.option(
    "--filters",
    type=click.IntRange(1, 4096),
    default=128,
    help="Filters of the network's first convolution.",
)
@click.option("--batch-size", type=click.IntRange(1, 65536), default=50, help="Images per step.")
@click.option(
    "--gradients",
    type=click.Choice(clock.GRADIENTS),
    help="Measure with gradients of this type only. Default: both; scaling, int8.",
)
@THREADS
@JSON
def bench(quick, cold, only, figure, filters, batch_size, gradients, threads, as_json):
    """Measure products, training and inference, startup, and what more threads bring.

    \b
    minibnn bench
    minibnn bench --quick --json
    minibnn bench --only products --threads 1
    minibnn bench --only scaling --figure scaling.png

    Takes under two minutes once the kernels are compiled. Every number is a median of several
    runs; compiling is told by itself.
    """
    import json

    kinds = (gradients,) if gradients else clock.GRADIENTS
    effort = clock.QUICK if quick else clock.FULL
    setting = clock.Setting(threads, filters, batch_size, kinds, effort, cold)
    if figure is not None:
        from minibnn.training.plots import check_figure_path

        if "scaling" not in only:
            raise InputError("--figure belongs to --only scaling")
        check_figure_path(figure)
    report = run(setting, only or USUAL, (lambda text: None) if as_json else click.echo)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    if figure is not None:
        from minibnn.bench.scaling import draw_scaling

        draw_scaling(figure, report)
        if not as_json:
            click.echo(f"figure: {figure}")
