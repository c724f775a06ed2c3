"""The command line that repeats a run, from what its config.json or sweep.json tells."""

import shlex

from minibnn.cli.settle import what_and_how
from minibnn.errors import InputError


def command_of(config):
    """The ``minibnn train`` or ``compare`` that trains the same again, with all that was settled.

    None if the run of this config.json was not started by a command.
    """
    from minibnn.cli.compare import compare
    from minibnn.cli.train import train

    options = config.get("options")
    command = options.get("command") if isinstance(options, dict) else None
    words = []
    if config.get("kind") == "preset":
        words = ["--preset", str(config["preset"]), "--steps", str(config["steps"])]
        options = options | {"epochs": None}
    return _command({"train": train, "compare": compare}.get(command), words, options)


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


def _command(command, words, options):
    """The words, and those for every option that is not what is left unsaid."""
    if command is None:
        return None
    recipe = options.get("recipe")
    first = ["--recipe", recipe] if isinstance(recipe, str) else []  # compare's are optimizers now
    try:
        unsaid, _ = what_and_how(command.make_context(command.name, first).params)
    except InputError:  # a recipe that this version does not have
        return None
    # filters and dense units stand here as the width has scaled them
    done = {"recipe", "width"} if options.get("filters") else {"recipe"}
    words = [*first, *words]
    for parameter in command.params:
        value = options.get(parameter.name)
        if parameter.name in done or value is None or value == unsaid[parameter.name]:
            continue
        if parameter.is_flag:
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [parameter.opts[0], str(one)]
    return shlex.join(["minibnn", command.name, *words])
