"""Options that the training commands share, and what they stand for."""

import re
import shlex
from contextlib import ExitStack

import click

from minibnn.cli.choice import (
    SIZES,
    check_model,
    network_options,
    recipe_options,
    recipe_words,
    recipes_of,
)
from minibnn.errors import InputError

# Both pass 97 % of the digits' test pictures well before the last epoch.
BOP = "bop:gamma=cosine:1e-2:1e-4,threshold=1e-6"
LATENT_SGD = "latent-sgd:lr=cosine:3:0,momentum=0.9"
REAL = "adam:lr=0.01"

_SHARED = (
    click.option(
        "--dataset",
        default="digits",
        show_default=True,
        metavar="NAME",
        help="Pictures to learn: digits (8x8, comes with minibnn), cifar10 (32x32, downloaded "
        "once), image-folder (files in train/CLASS/ and val/CLASS/ of --data-dir, as ImageNet "
        "has them) or npz:FILE, your own (a NumPy file with train_images, train_labels, "
        "test_images, test_labels).",
    ),
    click.option(
        "--data-dir",
        metavar="FOLDER",
        help="Where the files of cifar10 already are: their folder, its parent or the official "
        "archive. Default: the environment variable MINIBNN_DATA, else a download. For "
        "image-folder, the folder that holds train/ and val/.",
    ),
    click.option(
        "--image-size",
        type=int,
        metavar="N",
        help="Cut the pictures of an image-folder to N x N. Default: 224.",
    ),
    click.option(
        "--test-share",
        type=float,
        metavar="SHARE",
        help="Of an image-folder that has CLASS/* and no train/: how much of each class is for "
        "testing, such as 0.2.",
    ),
    click.option(
        "--model",
        metavar="NAME",
        help="Network: binarynet (the paper's, for pictures of 16x16 and more), digits (a small "
        "sibling), or for ImageNet binary_alexnet, xnornet, birealnet and birealnet_magnitude "
        "(for latent optimizers). Default: digits for pictures below 16x16, binarynet below "
        "64x64, birealnet from there on, or the recipe's.",
    ),
    click.option("--filters", type=int, metavar="N", help="Filters of its first convolution."),
    click.option("--dense-units", type=int, metavar="N", help="Units of its hidden dense layers."),
    click.option(
        "--width",
        type=float,
        metavar="SHARE",
        help="Scale filters and dense units alike: 0.25 makes 32 and 256 of binarynet's 128 and "
        "1024.",
    ),
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
        "--gradients",
        default="float32",
        show_default=True,
        metavar="TYPE",
        help="How gradients travel through binary layers: float32, as in the paper, or rounded to "
        "integers of 2 to 10 bits, int2 to int10. int8 trains about as well, faster, and to the "
        "same bits on every machine.",
    ),
    click.option(
        "--augment/--no-augment",
        default=None,
        help="Shift and mirror the training pictures at random, as the paper's code does; of an "
        "image-folder, cut out 8 to 100 % of each and mirror. Default: for cifar10 and "
        "image-folder.",
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
        metavar="SPEC",
        help="For the few real parameters (batch normalisation): adam or sgd. Default: "
        f"{REAL}, or the recipe's.",
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
        "--checkpoint-every",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Save every N epochs. The last epoch, Ctrl-C, SIGTERM and a closed terminal always "
        "save.",
    ),
    click.option(
        "--checkpoint-minutes",
        type=float,
        metavar="M",
        help="Save in the middle of an epoch too, M minutes after the last time: what a power cut "
        "may cost. The results are the same.",
    ),
    click.option(
        "--tensorboard/--no-tensorboard",
        default=False,
        help="Write metrics and histograms for TensorBoard into the run folder too, after every "
        "epoch (tensorboard --logdir runs). Needs the extra: pip install minibnn[tensorboard].",
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
# On the command line, or by the cell of a sweep.
_GIVEN = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP)


def shared_options(command):
    """Add the options that all training commands have."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def settle_options(ctx, options):
    """What to run: the options given and, on a resume, for the rest those of the run's start.

    What was given on the command line goes before a recipe, and both before the defaults.

    Returns
    -------
    (kept, how) : dicts
        The options that describe the run, and out, resume, force, threads.
    """
    how = {name: options[name] for name in _NOT_KEPT}
    kept = {name: value for name, value in options.items() if name not in _NOT_KEPT}
    if how["out"] == "":
        raise InputError("--out must be the name of a folder, found ''")
    if kept["recipe"] == "":
        raise InputError("--recipe must be a name (minibnn recipes lists them), found ''")
    given = {name for name in kept if ctx.get_parameter_source(name) in _GIVEN}
    for name in SIZES:
        if {"width", name} <= given:
            raise InputError(
                f"--width scales --filters and --dense-units: give it or "
                f"--{name.replace('_', '-')}, not both"
            )
    before = _options_before(ctx, how, given) if how["resume"] else {}
    several = isinstance(kept["recipe"], tuple)  # those of a comparison
    if several:
        kept |= {name: list(kept[name]) for name in ("recipe", "optimizer")}
    if (found := before.get("recipe")) and "recipe" in given and found != kept["recipe"]:
        raise InputError(f"{how['out']} holds another run: its recipe was {_words(found)}")
    if kept["recipe"]:
        settings = recipe_options(kept["recipe"])
        if several and "optimizer" in given:
            kept["optimizer"] = settings["optimizer"] + kept["optimizer"]
        kept |= {name: settings[name] for name in settings.keys() - given}
    if "width" in given:  # the sizes kept are those of the width before
        before = {name: x for name, x in before.items() if name not in SIZES}
    kept |= {name: x for name, x in before.items() if name not in given | {"command"}}
    if kept["real_optimizer"] is None and not several:
        kept["real_optimizer"] = REAL
    return kept, how


def _options_before(ctx, how, given):
    """The options with which the run to be resumed was started; {} if it has not begun."""
    out = how["out"]
    if out is None:
        raise InputError("--resume needs --out FOLDER, the run to go on with")
    from minibnn.training.run_folder import read_config

    config = read_config(out, missing_ok=True)
    before = (config or {}).get("options")
    if config and before is None and not given:
        raise InputError(
            f"{out} was started from Python, so its config.json does not hold the options of a "
            "command: go on with it there (resume=True), or spell them all out"
        )
    command = (before or {}).get("command", ctx.info_name)
    if command != ctx.info_name:
        raise InputError(
            f"{out} is a run of minibnn {command}, not of {ctx.info_name}; go on with: "
            f"minibnn {command} --resume --out {shlex.quote(str(out))}"
        )
    return _checked(ctx, before or {}, out)


def _checked(ctx, options, out):
    """Options from a config.json, each as its own type has it; InputError if one is none."""
    for parameter in ctx.command.params:
        value = options.get(parameter.name)
        if value is None:
            continue
        try:
            if isinstance(value, dict) or isinstance(value, list) is not parameter.multiple:
                raise click.BadParameter(f"found {value!r:.60}")
            options[parameter.name] = parameter.type_cast_value(ctx, value)
        except (click.BadParameter, AttributeError, OverflowError, TypeError, ValueError) as error:
            raise InputError(
                f"{out}/config.json is damaged: option {parameter.name}: {error}"
            ) from None
        if parameter.multiple:
            options[parameter.name] = list(options[parameter.name])
    return options


def _words(names):
    return " and ".join(names) if isinstance(names, list) else names


class Start(ExitStack):
    """Data, network and the arguments that fit and lockstep share, from the options.

    Use as a context manager: a run folder made for a start that fails is removed again.

    Parameters
    ----------
    command : str
        For the name of the default run folder.
    kept, how : dicts
        From ``settle_options``.
    ranks : Ranks, optional
        Only rank 0 looks at the run folder, or says anything.
    """

    def __init__(self, command, kept, how, ranks=None):
        super().__init__()
        from minibnn import data, zoo
        from minibnn.ops.threads import thread_count
        from minibnn.training.distributed import ALONE
        from minibnn.training.run_folder import RunFolder, new_folder
        from minibnn.training.settings import Settings
        from minibnn.training.tensorboard import check_installed

        settings = Settings(
            epochs=kept["epochs"],
            batch_size=kept["batch_size"],
            seed=kept["seed"],
            validation=kept["validation"],
            checkpoint_every=kept["checkpoint_every"],
            checkpoint_minutes=kept["checkpoint_minutes"],
        )
        ranks = ranks or ALONE
        threads = thread_count(how["threads"])  # complain before a download
        if kept["tensorboard"]:
            check_installed()
        if how["out"] is not None and ranks.first:
            RunFolder(how["out"], how["resume"], how["force"]).check()
        check_model(kept["model"], zoo.MODELS)
        self.data = data.load(
            kept["dataset"],
            kept["data_dir"],
            image_size=kept["image_size"],
            test_share=kept["test_share"],
            workers=threads,
            progress=None if ranks.first else False,
        )
        kept = kept | network_options(kept, self.data.input_shape)
        shape = self.data.input_shape
        try:
            self.net = zoo.MODELS[kept["model"]](
                shape,
                len(self.data.classes),
                seed=kept["seed"],
                gradients=kept["gradients"],
                **{name: kept[name] for name in SIZES if kept[name] is not None},
            )
        except InputError as error:
            size = "x".join(map(str, shape))
            raise InputError(f"--model {kept['model']} of pictures {size}: {error}") from None
        self.out = how["out"]
        if self.out is None and ranks.first:
            self.out = self.enter_context(new_folder(command, _folder_name(kept["dataset"])))
        self.kept = kept
        self.arguments = vars(settings) | {
            "augment": "paper" if kept["augment"] else None,
            "out": self.out,
            "resume": how["resume"],
            "force": how["force"],
            "threads": how["threads"],
            "tensorboard": kept["tensorboard"],
            "options": {"command": command, **kept},
        }

    def options_of(self, name, optimizer, real_optimizer):
        """The options of ``minibnn train`` that would make one run of a comparison."""
        own = {"recipe": None, "optimizer": optimizer, "real_optimizer": real_optimizer}
        return {"command": "train", **self.kept, **own, "name": name}

    def announce(self, ranks=1):
        """Say what is about to run, on how many MPI ranks, and where it is kept."""
        weights = sum(p.size for p in self.net.parameters() if p.binary)
        click.echo(f"data:    {self.data!r}")
        click.echo(f"network: {self.net.name}, {weights:,} binary weights")
        for recipe in recipes_of(self.kept):
            click.echo(f"recipe:  {recipe_words(recipe, self.kept, self.data)}")
        if ranks > 1:
            each = self.kept["batch_size"] // ranks
            click.echo(f"ranks:   {ranks}, each with {each} pictures of every batch")
        click.echo(f"folder:  {self.out}")


def _folder_name(dataset):
    """A data set's name as part of a folder's: ``npz:path/to/cats.npz`` gives ``cats``."""
    if dataset.startswith("npz:"):
        dataset = re.split(r"[/\\]", dataset)[-1].removesuffix(".npz").removeprefix("npz:")
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset)[:80] or "data"
