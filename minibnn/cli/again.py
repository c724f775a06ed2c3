"""The command line that repeats a run, from what its config.json or sweep.json tells."""

import shlex

import click

from minibnn.cli.choice import network_options
from minibnn.cli.options import settle_options
from minibnn.errors import InputError

_FIRST = ("recipe", "dataset", "model", "width")  # on which the defaults of others depend


def command_of(config):
    """The shortest ``minibnn train`` or ``compare`` that trains the same again.

    Parameters
    ----------
    config : dict
        config.json of a run or a comparison.

    Returns
    -------
    str, or None if it was not started by a command or by one that this version does not have
    """
    from minibnn.cli.compare import compare
    from minibnn.cli.train import train

    options = config.get("options")
    if not isinstance(options, dict):
        return None
    command = {"train": train, "compare": compare}.get(options.get("command"))
    if command is None:
        return None
    words = []
    if config.get("kind") == "preset":
        words = ["--preset", str(config["preset"]), "--steps", str(config["steps"])]
    network = config.get("network")
    shape = network.get("input_shape") if isinstance(network, dict) else None
    return _command(command, words, options, shape)


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
    try:
        words = [*words, *_words(command, options, shape)]
        _settled(command, words, shape)
    except (InputError, click.ClickException):  # another version's options
        return None
    except (AttributeError, LookupError, TypeError, ValueError):  # a damaged file's
        return None
    return shlex.join(["minibnn", command.name, *words])


def _words(command, options, shape):
    """The options that have to be said, as words: those that are not what is left unsaid."""
    words = []
    parameters = {parameter.name: parameter for parameter in command.params}
    order = [*_FIRST, *(name for name in parameters if name not in _FIRST)]
    for name in order:
        if name not in options or name not in parameters:
            continue
        unsaid = _settled(command, words, shape)
        value, default = options[name], unsaid.get(name)
        if value is None or value == default:
            continue
        if name == "optimizer" and options.get("recipe") and isinstance(value, list):
            value = value[len(default) :]  # after those of the recipes
        words += _said(parameters[name], value)
    return words


def _settled(command, words, shape):
    """The options that a command line comes to."""
    with command.make_context(command.name, list(words)) as context:
        options = {name: context.params.get(name) for name in _own(command)}
        kept, _ = settle_options(context, options)
        return kept | (network_options(kept, shape) if shape else {})


def _own(command):
    """Names of the options that ``settle_options`` takes."""
    others = ("changes", "preset", "steps", "grid", "scan", "random", "seeds", "executor", "jobs")
    return [p.name for p in command.params if p.name not in (*others, "scheduler")]


def _said(parameter, value):
    if parameter.is_flag:
        return [(parameter.opts if value else parameter.secondary_opts)[0]]
    values = value if isinstance(value, list | tuple) else [value]
    return [word for one in values for word in (parameter.opts[0], str(one))]
