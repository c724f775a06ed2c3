"""What training commands do before they train: data, network, run folder."""

import re
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import click

from minibnn.cli.settle import HOW, NETWORK, network_options, recipes_of
from minibnn.errors import InputError, one_of

_SETTINGS = (  # options that go to fit as they are
    *("epochs", "batch_size", "seed", "validation", "checkpoint_every", "checkpoint_minutes"),
    "tensorboard",
)


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
        for recipe in recipes_of(self.options["recipe"]):
            click.echo(f"recipe:  {_recipe_words(recipe, self.options, self.data)}")
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
    net = _network(what, images)
    with folder_of(command, out, what["dataset"]) if first else nullcontext(out) as folder:
        arguments = settings | how | {"out": folder, "options": {"command": command, **what}}
        arguments["augment"] = "paper" if what["augment"] else None
        yield Start(net, images, folder, what, arguments)


def _network(options, images):
    from minibnn.zoo import MODELS

    shape, names = images.input_shape, ("seed", "gradients", *NETWORK)
    own = {name: options[name] for name in names if options[name] is not None}
    try:
        return MODELS[options["model"]](shape, len(images.classes), **own)
    except InputError as error:
        shape = "x".join(map(str, shape))
        raise InputError(f"--model {options['model']} of images {shape}: {error}") from None


def folder_of(command, out, dataset):
    """A context manager that gives ``out``; of None a new folder, which goes if nothing is kept.

    A new one is named after the data set: that of ``npz:path/to/cats.npz`` is ``cats``.
    """
    from minibnn.training.run_folder import new_folder

    if out is not None:
        return nullcontext(out)
    if dataset.startswith("npz:"):
        dataset = re.split(r"[/\\]", dataset)[-1].removesuffix(".npz").removeprefix("npz:")
    return new_folder(command, re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset)[:80] or "data")


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
