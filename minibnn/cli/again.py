"""The command line that repeats a run, from what its config.json or sweep.json tells."""

import shlex


def command_of(config):
    """The ``minibnn train`` or ``compare`` that trains the same again, with all that was settled.

    None if the run of this config.json was not started by a command.
    """
    from minibnn.cli.compare import compare
    from minibnn.cli.train import train

    options = config.get("options")
    command = options.get("command") if isinstance(options, dict) else None
    if command not in ("train", "compare"):
        return None
    words = []
    if config.get("kind") == "preset":
        words = ["--preset", str(config["preset"]), "--steps", str(config["steps"])]
        options = options | {"epochs": None}
    return _command(train if command == "train" else compare, words, options)


def sweep_command_of(description):
    """The ``minibnn sweep`` that a sweep.json describes."""
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
    """The words, and those for every option that is not its default."""
    recipe = options.get("recipe")
    recipe = recipe if isinstance(recipe, str) else None  # compare's are optimizers now
    if recipe is not None:
        words = ["--recipe", recipe, *words]
    # filters and dense units stand here as the width has scaled them
    done = {"recipe", "width"} if options.get("filters") else {"recipe"}
    for parameter in command.params:
        value, default = options.get(parameter.name), parameter.default
        default = list(default) if isinstance(default, tuple) else default
        if parameter.name in done or value is None or (value == default and recipe is None):
            continue
        if value is False and default is not None:  # only where None is the default does no count
            continue
        if parameter.is_flag:
            words += (parameter.opts if value else parameter.secondary_opts)[:1]
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [parameter.opts[0], str(one)]
    return shlex.join(["minibnn", command.name, *words])
