"""Options that the training commands share, and what they stand for."""

import re
from contextlib import ExitStack

import click

from minibnn.errors import InputError

# Both pass 97 % of the digits' test pictures well before the last epoch.
BOP = "bop:gamma=cosine:1e-2:1e-4,threshold=1e-6"
LATENT_SGD = "latent-sgd:lr=cosine:3:0,momentum=0.9"

_SHARED = (
    click.option(
        "--dataset",
        default="digits",
        show_default=True,
        metavar="NAME",
        help="Pictures to learn: digits (8x8, comes with minibnn), cifar10 (32x32, downloaded "
        "once) or npz:FILE, your own (a NumPy file with train_images, train_labels, "
        "test_images, test_labels).",
    ),
    click.option(
        "--data-dir",
        metavar="FOLDER",
        help="Where the files of cifar10 already are: their folder, its parent or the official "
        "archive. Default: the environment variable MINIBNN_DATA, else a download.",
    ),
    click.option(
        "--model",
        metavar="NAME",
        help="Network: binarynet (the paper's, for pictures of 16x16 and more) or digits (a "
        "small sibling). Default: what suits the pictures.",
    ),
    click.option("--filters", type=int, metavar="N", help="Filters of its first convolution."),
    click.option("--dense-units", type=int, metavar="N", help="Units of its hidden dense layers."),
    click.option(
        "--epochs",
        type=int,
        default=15,
        show_default=True,
        metavar="N",
        help="Passes over the training pictures.",
    ),
    click.option(
        "--batch-size", type=int, default=50, show_default=True, metavar="N", help="Per step."
    ),
    click.option(
        "--seed",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Of all that is random: first weights, order of the pictures, augmentation. The "
        "same seed gives the same weights.",
    ),
    click.option(
        "--augment/--no-augment",
        default=None,
        help="Shift and mirror the training pictures at random, as the paper's code does. "
        "Default: only for cifar10.",
    ),
    click.option(
        "--validation",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Hold N training pictures out to watch the training by; the test pictures are then "
        "measured at the end only.",
    ),
    click.option(
        "--real-optimizer",
        default="adam:lr=0.01",
        show_default=True,
        metavar="SPEC",
        help="For the few real parameters (batch normalisation): adam or sgd.",
    ),
    click.option(
        "--threads",
        type=int,
        metavar="N",
        help="Processor cores to use; the results are the same. Default: the environment "
        "variable MINIBNN_NUM_THREADS, else all.",
    ),
    click.option(
        "--out",
        metavar="FOLDER",
        help="Where settings, metrics, checkpoint and picture go. Default: a new folder in runs/.",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Go on with the run in --out, exactly as if it had not stopped. Options left out "
        "are those it was started with; --epochs may be raised.",
    ),
    click.option("--force", is_flag=True, help="Replace the run in --out."),
)
_NOT_KEPT = ("out", "resume", "force", "threads")  # how to run, not what


def shared_options(command):
    """Add the options that all training commands have."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def settle_options(ctx, options):
    """What to run: the options given and, on a resume, for the rest those of the run's start.

    Returns
    -------
    (kept, how) : dicts
        The options that describe the run, and out, resume, force, threads.
    """
    how = {name: options[name] for name in _NOT_KEPT}
    kept = {name: value for name, value in options.items() if name not in _NOT_KEPT}
    if how["resume"]:
        if how["out"] is None:
            raise InputError("--resume needs --out FOLDER, the run to go on with")
        from minibnn.training.run_folder import read_config

        config = read_config(how["out"], missing_ok=True) or {}
        before = config.get("options") or {}
        if before.get("command", ctx.info_name) != ctx.info_name:
            raise InputError(
                f"{how['out']} is a run of minibnn {before['command']}, not of {ctx.info_name}"
            )
        defaults = {
            name
            for name in kept
            if ctx.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE
        }
        kept |= {name: before[name] for name in defaults & before.keys()}
    return kept, how


class Start(ExitStack):
    """Data, network and the arguments that fit and lockstep share, from the options.

    Use as a context manager: a run folder made for a start that fails is removed again.

    Parameters
    ----------
    command : str
        For the name of the default run folder.
    kept, how : dicts
        From ``settle_options``.
    """

    def __init__(self, command, kept, how):
        super().__init__()
        from minibnn import data, zoo
        from minibnn.training.run_folder import RunFolder, new_folder
        from minibnn.training.settings import Settings
        from minibnn.training.threads import thread_count

        augment = kept["augment"]
        if augment is None:
            augment = kept["dataset"] == "cifar10"
        settings = Settings(
            epochs=kept["epochs"],
            batch_size=kept["batch_size"],
            seed=kept["seed"],
            augment="paper" if augment else None,
            validation=kept["validation"],
        )
        thread_count(how["threads"])  # complain before a download
        if how["out"] is not None:
            RunFolder(how["out"], how["resume"], how["force"]).check()
        model = kept["model"]
        _check_model(model, zoo.MODELS)
        self.data = data.load(kept["dataset"], kept["data_dir"])
        if model is None:
            model = "digits" if min(self.data.input_shape[:2]) < 16 else "binarynet"
        sizes = {name: kept[name] for name in ("filters", "dense_units") if kept[name] is not None}
        self.net = zoo.MODELS[model](
            self.data.input_shape, len(self.data.classes), seed=kept["seed"], **sizes
        )
        self.out = how["out"]
        if self.out is None:
            self.out = self.enter_context(new_folder(command, _folder_name(kept["dataset"])))
        self.arguments = vars(settings) | {
            "out": self.out,
            "resume": how["resume"],
            "force": how["force"],
            "threads": how["threads"],
            "options": {"command": command, **kept},
        }

    def announce(self):
        """Say what is about to run and where it is kept."""
        weights = sum(p.size for p in self.net.parameters() if p.binary)
        click.echo(f"data:    {self.data!r}")
        click.echo(f"network: {self.net.name}, {weights:,} binary weights")
        click.echo(f"folder:  {self.out}")


def _check_model(model, models):
    if model is not None and model not in models:
        raise InputError(f"--model must be one of {', '.join(models)}, found {model!r}")


def _folder_name(dataset):
    """A data set's name as part of a folder's: ``npz:path/to/cats.npz`` gives ``cats``."""
    if dataset.startswith("npz:"):
        dataset = re.split(r"[/\\]", dataset)[-1].removesuffix(".npz").removeprefix("npz:")
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset) or "data"
