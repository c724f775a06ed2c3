"""``minibnn report``: one page about runs, to keep and to send."""

from functools import cache, partial
from pathlib import Path

import click

from minibnn.cli.options import DATA_DIR, THREADS, files, out_file
from minibnn.errors import InputError, printable


@click.command(short_help="Write one HTML page about runs.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=files)
@out_file(
    "The page, ending in .html. Default: report.html in the folder, of several folders in "
    "the current one."
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
    from minibnn import data
    from minibnn.files.paths import check_file
    from minibnn.ops.threads import compute_threads, thread_count
    from minibnn.training.metrics import results_of
    from minibnn.training.plots import find_runs
    from minibnn.training.report import MOST_DRAWN, Subject, write_report
    from minibnn.training.run_folder import read_config

    records = find_runs(runs)
    if len(records) > MOST_DRAWN:  # those of the best runs are drawn
        records.sort(key=lambda r: results_of(r.history)["best_accuracy"] or 0.0, reverse=True)
    place = (Path(runs[0]) if len(runs) == 1 else Path()) / "report.html"
    out = check_file(out or place, "a report", (".html", ".htm"))
    how = {"download": False, "progress": False, "workers": thread_count(threads)}
    load = cache(partial(data.load, **how))  # each data set once
    subjects = []
    with compute_threads(threads):
        for k, record in enumerate(records):
            found = "left out (--no-confusion)"
            if confusion and k < MOST_DRAWN:
                found = _confusion(record.folder, data_dir, load)
            config = read_config(record.folder, missing_ok=True) or {}
            subjects.append(Subject(record, config, found))
    title = title or ", ".join(dict.fromkeys(Path(run).resolve().name for run in runs))
    write_report(out, title, subjects, *_sweeps_and_commands(runs, subjects))
    click.echo(f"report: {out}")
    for subject in subjects[:MOST_DRAWN] if confusion else ():
        if isinstance(subject.confusion, str):
            click.echo(printable(f"{subject.record.folder}: no confusion, {subject.confusion}"))


def _confusion(folder, data_dir, load):
    """Measured on the test images of a run's network, or why it cannot be."""
    from minibnn.cli.trained import images_for, load_trained

    try:
        trained = load_trained(folder)
        return trained.measure(images_for(trained, folder, load, data_dir=data_dir))
    except InputError as error:
        return str(error)


def _sweeps_and_commands(runs, subjects):
    """(sweep.json, rows of summary.csv) of the sweeps, and commands that repeat all runs."""
    from minibnn.cli.info import command_of
    from minibnn.training.about import describing_a_run
    from minibnn.training.run_folder import read_config
    from minibnn.training.sweep.folder import SUMMARY, read_sweep
    from minibnn.training.sweep.table import read_summary

    sweeps, commands = [], []
    for run in map(Path, runs):
        if (sweep := read_sweep(run, missing_ok=True)) is not None:
            configs = [sweep]
            if rows := read_summary(run / SUMMARY):
                sweeps.append((sweep, rows))
        elif (config := read_config(run, missing_ok=True)) is not None:
            configs = [config]
        else:
            below = [s for s in subjects if run.resolve() in s.record.folder.resolve().parents]
            configs = [subject.config for subject in below]
        with describing_a_run(run):
            commands += map(command_of, configs)
    return sweeps, [*filter(None, dict.fromkeys(commands))]
