"""``minibnn report``: one page about runs, to keep and to send."""

from functools import cache
from pathlib import Path

import click

from minibnn.cli.completion import files
from minibnn.cli.options import DATA_DIR, THREADS
from minibnn.errors import InputError, printable


@click.command(short_help="Write one HTML page about runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=files)
@click.option(
    "--out",
    metavar="FILE",
    shell_complete=files,
    help="The page, ending in .html. Default: report.html in the folder, of several folders in "
    "the current one.",
)
@click.option("--title", metavar="TEXT", help="Above the page. Default: the folders' names.")
@click.option(
    "--confusion/--no-confusion",
    default=True,
    help="Have the networks look at their test images. Default: if the images are here; "
    "nothing is downloaded.",
)
@DATA_DIR
@THREADS
def report(runs, out, title, confusion, data_dir, threads):
    """Write all about one run, or several side by side, as one HTML page.

    RUN is a run folder, that of a comparison or of a sweep, or a folder with run folders below it.

    The page holds results, curves, flips and inertia of every layer, how many weights of two
    networks agree, which classes are taken for which, all settings and the command that repeats
    the run. It is one file that loads nothing and runs no script; it is light or dark as the
    reader's system is.

    \b
    minibnn report runs/train-digits-1
    minibnn report runs/compare-cifar10-1 --out comparison.html
    minibnn report runs/bop runs/latent-adam --title "Bop and Adam"
    """
    from minibnn.ops.threads import compute_threads, thread_count
    from minibnn.training.report import check_report_path, write_report

    thread_count(threads)
    if out is not None:
        check_report_path(out)
    from minibnn.training.plots import find_runs
    from minibnn.training.report import MOST_DRAWN, Subject
    from minibnn.training.run_folder import read_config

    records = _best_first(find_runs(runs), MOST_DRAWN)
    out = check_report_path(out or (Path(runs[0]) if len(runs) == 1 else Path()) / "report.html")
    load = _loader(data_dir)
    subjects = []
    with compute_threads(threads):
        for k, record in enumerate(records):
            found = "left out (--no-confusion)"
            if confusion and k < MOST_DRAWN:
                found = _confusion(record.folder, load)
            config = read_config(record.folder, missing_ok=True) or {}
            subjects.append(Subject(record, config, found))
    title = title or ", ".join(dict.fromkeys(Path(run).resolve().name for run in runs))
    write_report(out, title, subjects, *_sweeps_and_commands(runs, subjects))
    click.echo(f"report: {out}")
    for subject in subjects[:MOST_DRAWN] if confusion else ():
        if isinstance(subject.confusion, str):
            click.echo(printable(f"{subject.record.folder}: no confusion, {subject.confusion}"))


def _best_first(records, most):
    """The records as they are or, where not all can be drawn, those of the best runs first."""
    if len(records) <= most:
        return records

    def accuracy(record):
        rows = record.history.rows
        part = "test" if rows[-1].get("validation_accuracy") is None else "validation"
        return record.history.best(f"{part}_accuracy").get(f"{part}_accuracy") or 0.0

    return sorted(records, key=accuracy, reverse=True)


def _loader(own_dir):
    """``data.load`` that reads every data set once and downloads none."""
    from minibnn import data

    @cache
    def load(name, data_dir, **options):
        data_dir = own_dir or data_dir
        return data.load(name, data_dir, download=False, progress=False, **options)

    return load


def _confusion(folder, load):
    """Measured on the test images of a run's network, or why it cannot be."""
    from minibnn.cli.trained import images_for, load_trained

    try:
        trained = load_trained(folder)
        return trained.measure(images_for(trained, folder, load=load))
    except InputError as error:
        return str(error)


def _sweeps_and_commands(runs, subjects):
    """Of the folders given: (sweep.json, rows of summary.csv) of sweeps, and what repeats each.

    Of a folder that is no run itself these are the commands of the runs below it.
    """
    from minibnn.cli.again import command_of, sweep_command_of
    from minibnn.training.run_folder import read_config
    from minibnn.training.sweep.folder import SUMMARY, read_sweep
    from minibnn.training.sweep.table import read_summary

    sweeps, commands = [], []
    for run in map(Path, runs):
        if (sweep := read_sweep(run, missing_ok=True)) is not None:
            commands.append(sweep_command_of(sweep))
            if rows := read_summary(run / SUMMARY):
                sweeps.append((sweep, rows))
        elif (config := read_config(run, missing_ok=True)) is not None:
            commands.append(command_of(config))
        else:
            below = [s for s in subjects if run.resolve() in s.record.folder.resolve().parents]
            commands += [command_of(subject.config) for subject in below]
    return sweeps, [command for command in dict.fromkeys(commands) if command is not None]
