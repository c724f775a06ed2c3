"""The command line that repeats a run or a sweep, from its config.json or sweep.json."""

import shlex


def command_of(config):
    """The command that does the same again, all spelled out; None of a run started in Python."""
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
    if config.get("kind") == "preset":
        words = ["--preset", str(config["preset"]), "--steps", str(config["steps"])]
        options = options | {"epochs": None}
    recipe = options.get("recipe")
    recipe = recipe if isinstance(recipe, str) else None  # compare's are optimizers now
    words = ["--recipe", recipe, *words] if recipe else words
    # filters and dense units stand here as the width has scaled them
    done = {"recipe", "width"} if options.get("filters") else {"recipe"}
    for parameter in commands.commands[name].params:
        value, default = options.get(parameter.name), parameter.default
        default = list(default) if isinstance(default, tuple) else default
        if parameter.name in done or value is None or (value == default and recipe is None):
            continue
        if parameter.is_flag:
            if value or default is None:  # only where None is the default does no count
                words += (parameter.opts if value else parameter.secondary_opts)[:1]
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [parameter.opts[0], str(one)]
    return shlex.join(["minibnn", name, *words])
