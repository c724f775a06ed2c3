"""``minibnn bench``: how fast it is on this machine."""

import click

from minibnn.cli.options import JSON, THREADS

SECTIONS = ("products", "optimizers", "rates", "startup")
GRADIENTS = ("float32", "int8")


@click.command(short_help="Measure how fast it is on this machine.")
@click.option("--quick", is_flag=True, help="Fewer runs and sizes: under half a minute.")
@click.option("--cold", is_flag=True, help="Also time compiling everything anew.")
@click.option(
    "--peers",
    is_flag=True,
    help="Also time Larq, TensorFlow and PyTorch at the same step, as far as they are installed.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(SECTIONS),
    help="Measure this part only; as often as you like.",
)
@click.option(
    "--roofline",
    is_flag=True,
    help="Instead: where the milliseconds of a training step go and what each pass would take at "
    "its limit, in Markdown.",
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
    type=click.Choice(GRADIENTS),
    help="Measure with gradients of this type only. Default: both; the roofline, float32.",
)
@THREADS
@JSON
def bench(quick, cold, peers, only, roofline, filters, batch_size, gradients, threads, as_json):
    """Measure products, optimizer steps, whole networks and the way to the first step.

    \b
    minibnn bench
    minibnn bench --quick --json
    minibnn bench --only products --threads 1

    Takes under two minutes once the kernels are compiled. Every number is a median of several
    runs; compiling is told by itself.
    """
    import json

    from minibnn.bench import run

    size = {"threads": threads, "filters": filters, "batch_size": batch_size}
    if roofline:
        _roofline(as_json, gradients or GRADIENTS[0], **size)
        return
    told = (lambda name, report: None) if as_json else _Teller()
    kinds = (gradients,) if gradients else GRADIENTS
    report = run(
        only or SECTIONS, quick=quick, cold=cold, peers=peers, gradients=kinds, told=told, **size
    )
    if as_json:
        click.echo(json.dumps(report, indent=2))


def _roofline(as_json, gradients, **size):
    import json

    from minibnn.bench.roofline import measure_roofline
    from minibnn.bench.tables import roofline_markdown

    found = measure_roofline(gradients=gradients, **size)
    click.echo(json.dumps(found, indent=2) if as_json else roofline_markdown(found))


class _Teller:
    """Prints each section's tables when it is done, and meanwhile what is being measured."""

    def __init__(self):
        import sys

        from rich.console import Console

        self.out = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
        self.status = Console(stderr=True).status("")
        self.last = None

    def __call__(self, name, report):
        from minibnn.bench import tables

        self.status.stop()
        if self.last is None:
            for line in tables.header(report):
                self.out.print(line)
        else:
            for shown in tables.section(self.last, report):
                self.out.print(shown)
        self.last = name
        if name is None:
            self.out.print(tables.footer(report))
        else:
            self.status.update(f"measuring {name}")
            self.status.start()
