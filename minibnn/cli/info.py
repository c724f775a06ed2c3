"""``minibnn info``: what a folder or a file is, how it was trained, how good and how big it is."""

import json

import click

from minibnn.cli.completion import files
from minibnn.cli.options import JSON
from minibnn.errors import printable


@click.command(short_help="Tell what a run or a network file is.")
@click.argument("path", metavar="RUN|FILE", shell_complete=files)
@JSON
def info(path, as_json):
    """Tell what RUN or FILE is, how it was trained, how good and how big it is.

    RUN is the folder of a run, a comparison or a sweep, or one with run folders below it; FILE is
    a checkpoint.npz or best.npz, what net.save or "minibnn export" wrote.

    \b
    minibnn info runs/train-digits-1
    minibnn info digits.bnn.npz
    minibnn info runs/train-digits-1 --json
    """
    from minibnn.cli.again import command_of, sweep_command_of
    from minibnn.training.about import about

    found = about(path)
    config = found.pop("config", None)
    if config is not None:
        again = sweep_command_of if found["kind"] == "sweep" else command_of
        found["command"] = again(config)
    if as_json:
        click.echo(json.dumps(found | ({"config": config} if config else {}), indent=2))
        return
    click.echo(text(found))


def text(found):
    """What ``about`` found, in lines of a label and words."""
    rows = dict(found.get("settings") or {}) | _result_rows(found) | _size_rows(found)
    if command := found.get("command"):
        rows["to repeat it"] = command
    rows = {printable(label): printable(words) for label, words in rows.items()}
    width = max(map(len, rows), default=0) + 1
    parts = [printable(f"{found['path']}: {found['kind']}")]
    if rows:
        parts.append("\n".join(f"{label + ':':<{width}} {words}" for label, words in rows.items()))
    if runs := found.get("runs"):
        parts.append(str(_table(runs)))
    return "\n\n".join(parts)


def _result_rows(found):
    rows = {}
    for what in ("epochs", "cells"):
        if done := found.get(what):
            of = f" of {done['of']}" if done.get("of") else ""
            rows[what] = f"{done['done']}{of} done"
    results = found.get("results") or {}
    if best := results.get("best"):  # of a sweep
        rows["best"] = f"{_percent(best['best_accuracy'])} in {best['cell']}"
    part = results.get("measured_on")
    if results.get("best_accuracy") is not None:
        words = f"{_percent(results['best_accuracy'])} in epoch {results['best_epoch']}"
        rows[f"best {part} accuracy"] = words
    shares = {f"last {part} accuracy": "last_accuracy", "training accuracy": "train_accuracy"}
    if part == "validation":
        shares["test accuracy"] = "test_accuracy"
    for label, name in shares.items():
        if results.get(name) is not None:
            rows[label] = _percent(results[name])
    if results.get("seconds") is not None:
        rows["seconds"] = f"{results['seconds']:.1f}"
    return rows


def _size_rows(found):
    rows = {}
    if "digest" in found:
        rows["digest"] = found["digest"]
    if network := found.get("network"):
        shapes = ("x".join(map(str, network[key])) for key in ("input_shape", "output_shape"))
        rows["network"] = f"{network['name']}, {' -> '.join(shapes)}"
        rows["binary weights"] = f"{network['binary_weights']:,}"
        if "real_numbers" in network:
            rows["real numbers"] = f"{network['real_numbers']:,}"
        sizes = f"{network['packed_bytes']:,} bytes packed"
        if "float32_bytes" in network:
            sizes += f", {network['float32_bytes']:,} as float32"
        rows["size"] = sizes
        if "binary_macs" in network:
            binary, real = (f"{network[f'{k}_macs']:,}" for k in ("binary", "real"))
            rows["multiply-adds"] = f"{binary} on bits and {real} others per image"
    if "bytes" in found:
        rows["file"] = f"{found['bytes']:,} bytes"
    if files := found.get("files"):
        rows["files"] = ", ".join(f"{name} ({size:,} bytes)" for name, size in files.items())
    return rows


def _table(runs):
    from minibnn.tables import Table
    from minibnn.training.sweep.table import measured_on

    lines = []
    for run in runs:
        results, epochs = run["results"] or {}, run["epochs"]
        best = _percent(results.get("best_accuracy"))
        if results.get("best_epoch"):
            best += f" (epoch {results['best_epoch']})"
        lines.append(
            [
                run["name"],
                run["optimizer"] or "-",
                f"{epochs['done']}/{epochs['of'] or '-'}",
                best,
                _percent(results.get("last_accuracy")),
            ]
        )
    part = measured_on([run["results"] for run in runs if run["results"]])
    watched = [f"{which} {part}".rstrip() for which in ("best", "last")]
    return Table(["run", "optimizer", "epochs", *watched], lines, left=2)


def _percent(share):
    return "-" if share is None else f"{100 * share:.2f} %"
