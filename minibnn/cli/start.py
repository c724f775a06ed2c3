"""What training commands do before they train: data, network, run folder."""

import re
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import click

from minibnn.cli.settle import NETWORK, network_options, recipes_of
from minibnn.errors import InputError

_SETTINGS = (  # options that go to fit as they are
    *("epochs", "batch_size", "seed", "validation", "checkpoint_every", "checkpoint_minutes"),
    "tensorboard",
)


class Start(NamedTuple):
    """Network, data, run folder, options and the keyword arguments that fit and lockstep share."""

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
        for recipe in recipes_of(self.options):
            click.echo(f"recipe:  {_recipe_words(recipe, self.options, self.data)}")
        if ranks > 1:
            each = self.options["batch_size"] // ranks
            click.echo(f"ranks:   {ranks}, each with {each} images of every batch")
        click.echo(f"folder:  {self.out}")


@contextmanager
def started(command, options, how, ranks=None):
    """The Start of a ``command``; a run folder made for one that fails is removed again.

    ``options`` and ``how`` are those of ``what_and_how``. Of several ``ranks`` only the first looks
    at the run folder, or says anything.
    """
    from minibnn import data, zoo
    from minibnn.ops.threads import thread_count
    from minibnn.training.run_folder import RunFolder, new_folder
    from minibnn.training.settings import Settings

    first = ranks is None or ranks.first
    settings = {name: options[name] for name in _SETTINGS}
    Settings(**settings, out=how["out"] or "runs")  # complain before a download
    threads = thread_count(how["threads"])
    if how["out"] is not None and first:
        RunFolder(how["out"], how["resume"], how["force"]).check()
    model = options["model"]
    if model not in (None, *zoo.MODELS):
        raise InputError(f"--model must be one of {', '.join(zoo.MODELS)}, found {model!r}")
    images = data.load(
        options["dataset"],
        options["data_dir"],
        image_size=options["image_size"],
        test_share=options["test_share"],
        workers=threads,
        progress=None if first else False,
    )
    options = options | network_options(options, images.input_shape)
    net = _network(options, images)
    out = nullcontext(how["out"])
    if how["out"] is None and first:
        out = new_folder(command, folder_name(options["dataset"]))
    with out as folder:
        arguments = settings | how | {"out": folder, "options": {"command": command, **options}}
        arguments["augment"] = "paper" if options["augment"] else None
        yield Start(net, images, folder, options, arguments)


def _network(options, images):
    from minibnn.zoo import MODELS

    make, shape = MODELS[options["model"]], images.input_shape
    own = {name: options[name] for name in NETWORK if options[name] is not None}
    how = {"seed": options["seed"], "gradients": options["gradients"]}
    try:
        return make(shape, len(images.classes), **how, **own)
    except InputError as error:
        shape = "x".join(map(str, shape))
        raise InputError(f"--model {options['model']} of images {shape}: {error}") from None


def folder_name(dataset):
    """A data set's name as part of a folder's: ``npz:path/to/cats.npz`` gives ``cats``."""
    if dataset.startswith("npz:"):
        dataset = re.split(r"[/\\]", dataset)[-1].removesuffix(".npz").removeprefix("npz:")
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset)[:80] or "data"


def _recipe_words(recipe, options, data):
    text = f"{recipe.name}, {recipe.summary}"
    if (recipe.epochs, recipe.batch_size) != (options["epochs"], options["batch_size"]):
        text += (
            f"; published for {recipe.epochs} epochs in batches of {recipe.batch_size}, here "
            f"{options['epochs']} and {options['batch_size']}, schedules in proportion"
        )
    if recipe.classes != len(data.classes):
        text += f"; published for {recipe.classes} classes, here {len(data.classes)}"
    return text
