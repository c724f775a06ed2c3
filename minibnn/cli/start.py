"""What training commands do before they train: settle options, get data, network and folder."""

import inspect
import os
import re
import shlex
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import click
from click.core import ParameterSource

from minibnn.cli.options import REAL
from minibnn.errors import InputError, one_of

HOW = ("out", "resume", "force", "threads")  # options that say how to run, not what
LARGE = 64  # pixels: from here on images are ImageNet's rather than CIFAR-10's
SIZES = ("filters", "dense_units")  # of a network, where it has them
NETWORK = (*SIZES, "bn_momentum")  # its arguments that are options
_SETTINGS = (  # options that go to fit as they are
    *("epochs", "batch_size", "seed", "validation", "checkpoint_every", "checkpoint_minutes"),
    "tensorboard",
)
_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)  # the latter by a sweep's cell


class TrainingCommand(click.Command):
    """A command whose options, where not given, are those of the run it resumes or of a recipe.

    ``obj`` of its context are the names of the options given.
    """

    def make_context(self, info_name, args, parent=None, **extra):
        """The context with all options settled but those that depend on the images."""
        ctx = super().make_context(info_name, list(args), parent, **extra)
        if ctx.resilient_parsing:
            return ctx
        given = {name for name in ctx.params if ctx.get_parameter_source(name) in _GIVEN}
        settings = _settings(ctx, given)
        extra["default_map"] = settings | (ctx.default_map or {})
        try:
            ctx = super().make_context(info_name, list(args), parent, **extra)
        except (click.BadParameter, AttributeError, OverflowError, TypeError, ValueError) as error:
            words = error.format_message() if isinstance(error, click.BadParameter) else error
            raise InputError(f"{ctx.params['out']}/config.json is damaged: {words}") from None
        recipe = ctx.params["recipe"]
        if isinstance(recipe, tuple) and {"recipe", "optimizer"} <= given:
            first = recipe_options(recipe)["optimizer"]
            ctx.params["optimizer"] = *first, *ctx.params["optimizer"]
        if "name" in settings:  # which a comparison gave to this one of its runs
            ctx.params["name"] = settings["name"]
        ctx.obj = given
        return ctx


def _settings(ctx, given):
    """What goes before the defaults: the run to be resumed, then the recipe."""
    out, recipe = ctx.params["out"], ctx.params["recipe"]
    if out == "":
        raise InputError("--out must be the name of a folder, found ''")
    for name in SIZES:
        if {"width", name} <= given:
            raise InputError(f"--width scales --{name.replace('_', '-')}: give one of them")
    if ctx.params["cutout"] and ctx.params["augment"] is False:
        raise InputError("--cutout is one way to augment: leave --no-augment out")
    several = isinstance(recipe, tuple)  # those of a comparison
    settings = {} if several else {"real_optimizer": REAL}
    if recipe not in (None, ()):
        settings |= recipe_options(recipe)
    if ctx.params["resume"] and ctx.command.name != "sweep":
        before = _options_before(ctx, given)
        found = before.get("recipe") or "none"
        if before and "recipe" in given and found != (list(recipe) if several else recipe):
            words = found if isinstance(found, str) else " and ".join(found)
            raise InputError(f"{out} holds another run: its recipe was {words}")
        dropped = SIZES if "width" in given else ()  # the sizes kept are those of the width before
        dropped += ("cutout",) if "augment" in given else ()
        settings |= {k: v for k, v in before.items() if v is not None and k not in dropped}
    return settings


def _options_before(ctx, given):
    """The options with which the run to be resumed was started; {} if it has not begun."""
    out = ctx.params["out"]
    if out is None:
        raise InputError("--resume needs --out FOLDER, the run to go on with")
    from minibnn.training.run_folder import read_config

    config = read_config(out, missing_ok=True) or {}
    before = config.get("options") or {}
    if not before and given <= set(HOW) and os.path.exists(out):
        words = "was started from Python: go on with it there (resume=True), or" if config else None
        raise InputError(f"{out} {words or 'holds no run yet:'} spell out all the options")
    command = before.get("command", ctx.info_name)
    if command != ctx.info_name:
        words = f"go on with: minibnn {command} --resume --out {shlex.quote(str(out))}"
        raise InputError(f"{out} is a run of minibnn {command}, not of {ctx.info_name}; {words}")
    return before and before | {"epochs": config.get("epochs")}  # or more since, from Python


def recipes_of(names):
    """The Recipes of a name, or of several; none of None."""
    from minibnn.zoo.recipes import recipe

    return [recipe(name) for name in ([names] if isinstance(names, str) else names or ())]


def recipe_options(names):
    """What train's recipe sets, or several of compare's: the first one what all share."""
    first, *_ = chosen = recipes_of(names)
    names_of_options = "dataset", "epochs", "batch_size", "gradients", "optimizer", "real_optimizer"
    found = {option: getattr(first, option) for option in names_of_options}
    if isinstance(names, tuple):  # each with its own real optimizer
        del found["real_optimizer"]
        found["optimizer"] = [f"{one.name}=recipe:{one.name}" for one in chosen]
    return found


def network_options(options, input_shape):
    """Options that depend on the images' shape; a recipe's are for images of 16x16 and more."""
    from minibnn.zoo import MODELS, recipes

    if len(input_shape) != 3:
        words = "holds vectors, and the networks here take images: build one in Python"
        raise InputError(f"{options['dataset']} {words} (nn.Sequential) and train it by fit")
    side = min(input_shape[:2])
    small = side < recipes.SMALLEST
    recipe = next(iter(recipes_of(options["recipe"])), None) if not small else None
    # BinaryNet's first dense layer grows with the image.
    usual = "digits" if small else "binarynet" if side < LARGE else "birealnet"
    model = options["model"] or (recipe.model if recipe else usual)
    augment, cutout = options["augment"], options.get("cutout")
    if augment is None:
        augment = recipe.augment if recipe else options["dataset"] in ("cifar10", "image-folder")
        cutout = augment == "cutout" if cutout is None else cutout
    arguments = inspect.signature(MODELS[model]).parameters
    recipe = recipe if recipe and recipe.model == model else None
    own = {name: arguments[name].default for name in SIZES if name in arguments}
    if recipe:
        own |= recipe.sizes
    if options["width"] is not None:
        own = recipes.scaled(own, options["width"])
    if "bn_momentum" in arguments:
        own["bn_momentum"] = recipe.bn_momentum if recipe else None
    given = {name: options[name] for name in NETWORK if options.get(name) is not None}
    for name in given:
        if name not in own:
            raise InputError(f"--{name.replace('_', '-')}: {model} has no such setting")
    what = {"model": model, "augment": bool(augment or cutout), "cutout": bool(cutout)}
    return {**what, **dict.fromkeys(NETWORK), **own, **given}


class Start(NamedTuple):
    """Network, data, run folder, options of config.json, and arguments of fit and lockstep."""

    net: object
    data: object
    out: object
    options: dict
    arguments: dict

    def announce(self, ranks=1):
        """Say what is about to run, on how many MPI ranks, and where it is kept."""
        weights = sum(p.size for p in self.net.parameters() if p.binary)
        click.echo(f"data:    {self.data!r}")
        click.echo(f"network: {self.net.name}, {weights:,} binary weights")
        for one in recipes_of(self.options["recipe"]):
            click.echo(f"recipe:  {one.name}, {one.summary}")
            how = f"{one.epochs} epochs in batches of {one.batch_size}, {one.classes} classes"
            click.echo(f"         published for {how}; schedules go in proportion")
        if ranks > 1:
            each = self.options["batch_size"] // ranks
            click.echo(f"ranks:   {ranks}, each with {each} images of every batch")
        click.echo(f"folder:  {self.out}")


@contextmanager
def started(command, options, ranks=None):
    """The Start of a ``command``; a run folder made for one that fails is removed again."""
    from minibnn import data, zoo
    from minibnn.ops.threads import thread_count
    from minibnn.training.run_folder import RunFolder
    from minibnn.training.settings import Settings

    first = ranks is None or ranks.first
    settings, out = {name: options[name] for name in _SETTINGS}, options["out"]
    Settings(**settings, out=out or "runs")  # complain before a download
    threads = thread_count(options["threads"])
    if out is not None and first:
        RunFolder(out, options["resume"], options["force"]).check()
    if options["model"] is not None:
        one_of(options["model"], "--model", zoo.MODELS)
    images = data.load(
        options["dataset"],
        options["data_dir"],
        image_size=options["image_size"],
        test_share=options["test_share"],
        workers=threads,
        progress=None if first else False,
    )
    how = {name: options[name] for name in HOW}
    what = {name: value for name, value in options.items() if name not in HOW}
    what |= network_options(options, images.input_shape)
    shape, names = images.input_shape, ("seed", "gradients", *NETWORK)
    own = {name: what[name] for name in names if what[name] is not None}
    try:
        net = zoo.MODELS[what["model"]](shape, len(images.classes), **own)
    except InputError as error:
        shape = "x".join(map(str, shape))
        raise InputError(f"--model {what['model']} of images {shape}: {error}") from None
    # Other ranks write nothing: theirs only says that there is one.
    place = folder_of(command, out, what["dataset"]) if first else nullcontext(out or "runs")
    with place as folder:
        arguments = settings | how | {"out": folder, "options": {"command": command, **what}}
        paper = "paper" if what["augment"] else None
        arguments["augment"] = "cutout" if what["cutout"] else paper
        yield Start(net, images, folder, what, arguments)


def folder_of(command, out, dataset):
    """A context manager giving ``out``; of None a new folder, cats for ``npz:path/to/cats.npz``."""
    from minibnn.training.run_folder import new_folder

    if out is not None:
        return nullcontext(out)
    if dataset.startswith("npz:"):
        dataset = re.split(r"[/\\]", dataset)[-1].removesuffix(".npz").removeprefix("npz:")
    return new_folder(command, re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset)[:80] or "data")
