"""What a shell can complete: names of recipes, networks, optimizers and so on, and files.

Asked for at every press of Tab, so nothing heavy is loaded: the names stand here once more, and a
test holds them against the tables that they are from.
"""

import click
from click.shell_completion import CompletionItem

RECIPES = (
    "bop-sec51",
    "bop-sec52",
    "latent-adam",
    "latent-adam-default",
    "latent-sgd",
    "bop2nd",
    "cema",
    "bop-sec53-alexnet",
    "bop-sec53-xnornet",
    "bop-sec53-birealnet",
    "latent-adam-birealnet",
)
MODELS = ("binarynet", "digits", "binary_alexnet", "xnornet", "birealnet", "birealnet_magnitude")
OPTIMIZERS = (
    "bop",
    "latent-sgd",
    "latent-adam",
    "bop2nd",
    "cema",
    "inertia-sgd",
    "schmitt-sgd",
    "double-well-sgd",
)
REAL_OPTIMIZERS = ("sgd", "adam")
DATASETS = ("digits", "cifar10", "image-folder", "npz:")
PRESETS = ("sgd-decay-is-bop", "latent-scale", "loss-scale", "hysteresis", "inertia")
FORMS = ("packed", "onnx", "larq")
STATEMENTS = tuple(f"E{k}" for k in range(1, 20))
BACKENDS = ("reference", "numba")


class Completed(click.types.StringParamType):
    """Any text, of which a shell offers some: names, or what lies in folders.

    Parameters
    ----------
    names : sequence of str
    paths : "file", "dir" or None
        Have the shell offer files (and folders), or folders, as well.
    """

    def __init__(self, names=(), paths=None):
        self.names, self.paths = names, paths

    def shell_complete(self, ctx, param, incomplete):
        """The names that begin so, and perhaps a word to the shell to offer paths."""
        found = [CompletionItem(name) for name in self.names if name.startswith(incomplete)]
        return found + ([CompletionItem(incomplete, type=self.paths)] if self.paths else [])


_FILE, _FOLDER = Completed(paths="file"), Completed(paths="dir")
# By the name of a parameter, of whichever command; (command, parameter) goes before it.
_OFFERED = {
    "recipe": Completed(RECIPES),
    "model": Completed(MODELS),
    "optimizer": Completed(OPTIMIZERS),
    "real_optimizer": Completed(REAL_OPTIMIZERS),
    "dataset": Completed(DATASETS),
    "preset": Completed(PRESETS),
    "form": Completed(FORMS),
    "explain": Completed(STATEMENTS),
    "ids": Completed(STATEMENTS),
    "backend": Completed(BACKENDS),
    ("recipes", "name"): Completed(RECIPES),
    "data_dir": _FOLDER,
    "run": _FILE,
    "runs": _FOLDER,
    "network": _FILE,
    "path": _FILE,
    "file": _FILE,
    "pictures": _FILE,
    "out": _FILE,
}


def offer(group):
    """Have the parameters of all commands of ``group`` completed."""
    for name, command in group.commands.items():
        for parameter in command.params:
            found = _OFFERED.get((name, parameter.name), _OFFERED.get(parameter.name))
            if found is not None and isinstance(parameter.type, click.types.StringParamType):
                parameter.type = found
