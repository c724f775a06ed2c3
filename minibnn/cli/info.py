"""``minibnn info``: what a folder or a file is, how it was trained, how good and how big it is."""

import json
import shlex

import click

from minibnn.cli.options import JSON, files
from minibnn.errors import printable


@click.command(short_help="Tell what a run or a network file is.")
@click.argument("path", metavar="RUN|FILE", shell_complete=files)
@JSON
def info(path, as_json):
    """Tell what RUN or FILE is, how it was trained, how good and how big it is.

    RUN is the folder of a run, a comparison or a sweep, or one with run folders below it; FILE is
    a checkpoint.npz or best.npz, what net.save wrote, or a packed or ONNX network.

    \b
    minibnn info runs/train-digits-1
    minibnn info digits.bnn.npz
    minibnn info runs/train-digits-1 --json
    """
    from minibnn.training.about import about, describing_a_run

    found = about(path)
    if "config" in found:
        with describing_a_run(path):
            found["command"] = command_of(found["config"])
    click.echo(json.dumps(found, indent=2) if as_json else text(found))


def text(found):
    """What ``about`` found, in lines of a label and words, and its runs as a table."""
    from minibnn.training.metrics import table_of

    rows = {printable(label): printable(words) for label, words in _rows(found).items()}
    width = max(map(len, rows), default=0) + 1
    lines = (f"{label + ':':<{width}} {words}" for label, words in rows.items())
    parts = [printable(f"{found['path']}: {found['kind']}"), "\n".join(lines)]
    if "runs" in found:
        columns = ("run", "optimizer", "epochs", "measured_on", "best_accuracy", "best_epoch")
        runs = [
            {"run": run["name"], "optimizer": run["optimizer"], **(run["results"] or {})}
            | {"epochs": _done(run["epochs"])}
            for run in found["runs"]
        ]
        parts.append(str(table_of(runs, (*columns, "last_accuracy"), left=2)))
    return "\n\n".join(filter(None, parts))


def _rows(found):
    """Label -> words of all but the runs."""
    from minibnn.training.metrics import cell_text

    rows = dict(found.get("settings") or {})
    rows |= {what: _done(found[what]) for what in ("epochs", "cells") if what in found}
    results = dict(found.get("results") or {})
    if best := results.pop("best", None):  # of a sweep
        rows["best"] = f"{cell_text('accuracy', best['best_accuracy'])} in {best['cell']}"
    network = dict(found.get("network") or {})
    if network:
        shapes = ("x".join(map(str, network.pop(f"{end}_shape"))) for end in ("input", "output"))
        rows["network"] = f"{network.pop('name')}, {' -> '.join(shapes)}"
    for name, value in (results | network).items():
        if value is not None:
            rows[name.replace("macs", "multiply-adds").replace("_", " ")] = cell_text(name, value)
    if "bytes" in found:
        rows["file"] = f"{found['bytes']:,} bytes"
    if files := found.get("files"):
        rows["files"] = ", ".join(f"{name} ({size:,} bytes)" for name, size in files.items())
    rows |= {"digest": found.get("digest"), "to repeat it": found.get("command")}
    return {label: words for label, words in rows.items() if words is not None}


def _done(epochs):
    return f"{epochs['done']} of {epochs['of']}" if epochs.get("of") else str(epochs["done"])


def command_of(config):
    """The command that does the same again, all spelled out; None where there is none.

    A run that went on for more epochs takes one for each time, in a folder RUN. What was started or
    went on in Python has none, nor has a comparison or sweep that went on, or a run that did so on
    other ranks or before it had come to its end.
    """
    from minibnn.training.about import optimizer_words

    earlier, words = config.get("earlier"), _words_of(config)
    ranks = ["mpiexec", "-n", str(mpi.get("ranks"))] if (mpi := config.get("mpi")) else []
    if not earlier or words is None:
        return words and shlex.join([*ranks, *words])
    options, commands = config["options"], []
    for stage in (*earlier, config):
        if "optimizer" not in stage or not stage.get("repeatable", True):
            return None
        width = stage.get("gradients", options.get("gradients", "float32"))
        own = {"epochs": stage["epochs"], "gradients": width}
        found = optimizer_words(stage["optimizer"], "optimizer")
        own |= {label.replace(" ", "_"): words for label, words in found.items()}
        words = _words_of({"options": options | own})
        if commands:
            words = ["minibnn", options["command"], "--resume"]
            words += [x for name in own for x in (f"--{name.replace('_', '-')}", str(own[name]))]
        commands.append(shlex.join([*ranks, *words, "--out", "RUN"]))
    return " && ".join(commands)


def _words_of(config):
    """The command of one start, as a list."""
    from minibnn.cli import commands

    options, words = config.get("options"), []
    if not isinstance(options, dict):
        return None
    if "grid" in config:  # a sweep.json
        name = "sweep"
        for option in ("grid", "scan"):
            for key, values in config[option].items():
                words += [f"--{option}", f"{key}={','.join(map(str, values))}"]
        if config["random"] is not None:
            words += ["--random", str(config["random"]), "--seed", str(config["seed"])]
        words += ["--seeds", ",".join(map(str, config["seeds"]))]
        options = {key.replace("-", "_"): value for key, value in options.items()}
    elif (name := options.get("command")) not in ("train", "compare"):
        return None
    if config.keys() >= {"preset", "steps"}:
        words = ["--preset", str(config["preset"]), "--steps", str(config["steps"])]
        options = options | {"epochs": None}
    if isinstance(recipe := options.get("recipe"), str):  # compare's are optimizers now
        words = ["--recipe", recipe, *words]
    plain = not any(word.startswith(("--recipe", "recipe=")) for word in words)
    # filters and dense units stand here as the width has scaled them
    done = {"recipe", "width"} if options.get("filters") else {"recipe"}
    for parameter in commands.commands[name].params:
        value, default = options.get(parameter.name), parameter.default
        default = list(default) if isinstance(default, tuple) else default
        if parameter.name in done or value is None or (value == default and plain):
            continue
        if not parameter.is_flag:
            for one in value if isinstance(value, list) else [value]:
                words += [parameter.opts[0], str(one)]
        elif value or default is None:  # only where None is the default does no count
            words += (parameter.opts if value else parameter.secondary_opts)[:1]
    return ["minibnn", name, *words]
