"""``minibnn sweep``: a grid of runs, each cell an ordinary run folder."""

import contextlib
from pathlib import Path

import click

from minibnn.cli.start import HOW, TrainingCommand, folder_of, started
from minibnn.cli.train import change_settings, train
from minibnn.errors import InputError

_FILES = {"table": "summary.csv", "heat map": "heatmap.png", "curves": "curves.png"}
_MOST_CHECKED = 20  # networks built to see that they can be


@click.command(cls=TrainingCommand, short_help="Train a grid of settings.")
@click.option(
    "--grid",
    multiple=True,
    metavar="KEY=V1,V2,...",
    help="Try every combination of these values. A key is a setting of --optimizer (gamma), of "
    "--real-optimizer (real.lr) or an option below (batch-size). As often as you like.",
)
@click.option(
    "--scan",
    multiple=True,
    metavar="KEY=V1,V2,...",
    help="Try these values one key at a time, the other keys as --optimizer and the options have "
    "them. As often as you like.",
)
@click.option(
    "--random",
    type=int,
    help="Only N cells of the grid, drawn at random by --seed; a key may then have a range, "
    "KEY=log:LOW:HIGH or KEY=uniform:LOW:HIGH.",
)
@click.option(
    "--seeds",
    metavar="S1,S2,...",
    help="Train every cell with each of these seeds. Default: with --seed.",
)
@click.option(
    "--executor",
    type=click.Choice(["processes", "mpi", "dask"]),
    default="processes",
    help="Where the cells run: in processes on this machine, on MPI ranks (start it by mpiexec, "
    "see above) or on the workers of a Dask cluster.",
)
@click.option(
    "--jobs",
    type=int,
    help="Processes at a time; the cores are divided among them. Default: one per core.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Of the Dask cluster, such as tcp://host:8786, or its scheduler file.",
)
@click.pass_context
def sweep(ctx, grid, scan, random, seeds, executor, jobs, scheduler, changes, **options):
    """Train a network with every setting of a grid, as minibnn train would each of them.

    \b
    minibnn sweep --grid gamma=1e-2,1e-3,1e-4 --grid threshold=0,1e-6,1e-5 --epochs 5
    minibnn sweep --recipe bop-sec51 --width 0.25 --epochs 10 \\
        --scan gamma=1e-2,1e-3,1e-4 --scan threshold=0,1e-6,1e-5
    minibnn sweep --grid gamma=log:1e-5:1e-2 --grid batch-size=50,100 --random 20 --seeds 0,1,2
    mpiexec -n 5 python -m mpi4py.futures -m minibnn sweep --executor mpi --grid ...
    minibnn sweep --executor dask --scheduler tcp://host:8786 --grid ...

    Every cell is a run folder in --out, beside sweep.json, summary.csv and the figures. A second
    start of the same sweep trains what is missing. A cell that crashes or is killed is started once
    more from its checkpoint. Ctrl-C saves the cells that run and says how to go on. Processes share
    the cores to use; with mpi and dask each cell takes as many, by default 1.
    """
    how = {name: options.pop(name) for name in HOW}
    with _executor(executor, scheduler, jobs) as pool:
        from minibnn.training.sweep.run import run_plan

        plan = _plan(ctx, grid, scan, random, seeds, changes, options)
        dataset = plan.cells[0].options.get("dataset", "digits")
        with folder_of("sweep", how["out"], dataset) as out:
            _check_cells(plan.cells, out, how["force"])
            click.echo(f"sweep:   {len(plan.cells)} cells")
            click.echo(f"folder:  {out}")
            result = run_plan(plan, out, pool, jobs, how["threads"], how["force"])
    click.echo(f"\n{result}\n")
    for word, name in _FILES.items():
        if (result.folder / name).exists():
            click.echo(f"{word + ':':<9} {out}/{name}")
    if failed := result.failed:
        click.echo(f"{len(failed)} of {len(result.rows)} cells failed; a second start tries them")
        for row in failed:
            click.echo(f"  {row['cell']}: {row['error']} (see {out}/{row['cell']}/log.txt)")
        ctx.exit(1)


def _executor(name, scheduler, jobs):
    """A context manager giving the executor, None for processes of this machine."""
    from minibnn.training.distributed import refuse_ranks
    from minibnn.training.sweep import executors

    if name != "mpi":
        refuse_ranks(f"sweep --executor {name}")
    if scheduler is not None and name != "dask":
        raise InputError("--scheduler belongs to --executor dask")
    if jobs is not None and name != "processes":
        raise InputError(f"--jobs belongs to --executor processes; {name} has its own workers")
    if name == "mpi":
        return executors.mpi()
    return executors.dask(scheduler) if name == "dask" else contextlib.nullcontext()


def _plan(ctx, grid, scan, random, seeds, changes, options):
    """The Plan that was asked for, or that of the sweep to go on with."""
    from minibnn.training.sweep.folder import read_sweep
    from minibnn.training.sweep.grid import read_texts
    from minibnn.training.sweep.run import Plan

    if ctx.params["resume"]:
        if ctx.params["force"]:
            raise InputError("resume goes on with a sweep, force discards it: choose one")
        if ctx.params["out"] is None:
            raise InputError("--resume needs --out FOLDER, the sweep to go on with")
        for name in sorted(ctx.obj & {"grid", "scan", "random", "seeds", "seed", "changes"}):
            word = name.replace("changes", "set")
            raise InputError(f"--resume goes on with the sweep as it is: leave --{word} out")
        found = read_sweep(ctx.params["out"])
        given = {name.replace("_", "-"): x for name, x in options.items() if name in ctx.obj}
        for word in given.keys() & {*found["grid"], *found["scan"]}:
            raise InputError(f"--resume goes on with the sweep as it is: leave --{word} out")
        seed, random, seeds = found["seed"] or 0, found["random"], found["seeds"]
        return Plan(found["grid"], found["scan"], random, seed, seeds, found["options"] | given)
    grid, scan = read_texts(grid, "--grid"), read_texts(scan, "--scan")
    options |= change_settings(options, changes)
    if changes and {"recipe", "optimizer", "real-optimizer"} & {*grid, *scan}:
        raise InputError("--set changes one optimizer, and the sweep varies it: leave --set out")
    seed = options.pop("seed")
    if "recipe" in (*grid, *scan):  # each sets what was not given
        options = {name: x for name, x in options.items() if name in ctx.obj}
    options = {name: x for name, x in options.items() if x is not None}
    try:
        seeds = [seed] if seeds is None else [int(part) for part in seeds.split(",")]
    except ValueError:
        raise InputError(f"--seeds must be integers like 0,1,2, found {seeds!r}") from None
    return Plan(grid, scan, random, seed, seeds, options)


def _check_cells(cells, out, force):
    """InputError for what would fail in every cell's own process; has the data downloaded once."""
    from minibnn.optim import Split, parse_optimizer
    from minibnn.training.settings import Settings, training_data

    specs = [map(cell.options.get, ("optimizer", "real-optimizer")) for cell in cells]
    for both in dict.fromkeys(map(tuple, specs)):
        Split(*(text and parse_optimizer(text) for text in both))
    settled = {}
    for cell in cells:
        sizes = {k: v for k, v in cell.options.items() if k not in ("optimizer", "real-optimizer")}
        folder = Path(out) / cell.name
        if repr(sizes) in settled or (folder.exists() and not force):
            continue
        options = {name.replace("-", "_"): value for name, value in cell.options.items()}
        options |= {"out": str(folder), "force": force}
        settled[repr(sizes)] = train.make_context("train", [], default_map=options).params
    for options in list(settled.values())[:_MOST_CHECKED]:
        with started("train", options) as start:
            training_data(start.net, start.data, Settings(**start.arguments))


_left_out = {parameter.name for parameter in sweep.params} | {"mpi", "sync_batch_norm"}
sweep.params += [parameter for parameter in train.params if parameter.name not in _left_out]
