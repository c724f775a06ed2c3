"""The command line that repeats a run, from what its config.json or sweep.json tells."""

import shlex

import click

from minibnn.cli.settle import network_options, what_and_how


def command_of(config):
    """The shortest ``minibnn train`` or ``compare`` that trains the same again.

    None if the run of this config.json was not started by a command, or by one that this version
    does not have.
    """
    from minibnn.cli.compare import compare
    from minibnn.cli.train import train

    options, network = config.get("options"), config.get("network")
    words = []
    if config.get("kind") == "preset":
        words = ["--preset", str(config["preset"]), "--steps", str(config["steps"])]
    shape = network.get("input_shape") if isinstance(network, dict) else None
    name = options.get("command") if isinstance(options, dict) else None
    return _command({"train": train, "compare": compare}.get(name), words, options, shape)


def sweep_command_of(description):
    """The ``minibnn sweep`` that a sweep.json describes; None as above."""
    from minibnn.cli.sweep import sweep

    words = []
    for option in ("grid", "scan"):
        for key, values in description[option].items():
            words += [f"--{option}", f"{key}={','.join(map(str, values))}"]
    if description["random"] is not None:
        words += ["--random", str(description["random"]), "--seed", str(description["seed"])]
    words += ["--seeds", ",".join(map(str, description["seeds"]))]
    options = {key.replace("-", "_"): value for key, value in description["options"].items()}
    return _command(sweep, words, options)


def _command(command, words, options, shape=None):
    if command is None:
        return None
    try:
        # in turns: what is left unsaid of the others depends on the first
        for names in (["recipe"], ["dataset", "model", "width"], [p.name for p in command.params]):
            unsaid = _settled(command, words, shape)
            for parameter in command.params:
                if parameter.name in names and parameter.name in options:
                    words = [*words, *_said(parameter, options, unsaid[parameter.name])]
        _settled(command, words, shape)
    except (click.ClickException, AttributeError, LookupError, TypeError, ValueError):
        return None  # options of another version, or of a damaged file
    return shlex.join(["minibnn", command.name, *words])


def _settled(command, words, shape):
    """The options that a command line comes to."""
    options, _ = what_and_how(command.make_context(command.name, words).params)
    return options | (network_options(options, shape) if shape else {})


def _said(parameter, options, unsaid):
    """The words that give an option its value, if it is not what is left unsaid."""
    value = options[parameter.name]
    if value is None or value == unsaid:
        return []
    if parameter.is_flag:
        return [(parameter.opts if value else parameter.secondary_opts)[0]]
    if parameter.name == "optimizer" and options.get("recipe") and isinstance(value, list):
        value = value[len(unsaid) :]  # after those of the recipes
    values = value if isinstance(value, list) else [value]
    return [word for one in values for word in (parameter.opts[0], str(one))]
