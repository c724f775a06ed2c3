"""``minibnn predict``: classes of image files. It imports little, to answer at once."""

import json

import click

from minibnn.cli.completion import files, names
from minibnn.cli.options import JSON, THREADS
from minibnn.errors import InputError, one_line


@click.command(short_help="Classify image files.")
@click.argument("network", metavar="FILE|RUN", shell_complete=files)
@click.argument("images", nargs=-1, metavar="IMAGE...", shell_complete=files)
@click.option(
    "--model",
    metavar="NAME",
    shell_complete=names("minibnn.zoo.PRETRAINED"),
    help="Instead of FILE|RUN: a network that comes with minibnn, digits or binarynet-cifar10 "
    "(airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck).",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=1,
    help="How many of the most probable classes to tell.",
)
@THREADS
@JSON
def predict(network, images, model, top, threads, as_json):
    """Tell the class of each IMAGE, a file of any format and size Pillow reads.

    The network is one that "minibnn export --to packed" wrote, a run folder, or with --model one
    that comes with minibnn. Images are made grey or RGB as it needs them, laid on white where they
    are transparent, and resized to what it takes: as a whole, proportions not kept; for --model and
    for a network trained on an image-folder, their middle. Probabilities are the softmax of its
    outputs. Files that cannot be read are named, the others answered; then the exit code is 2.

    \b
    minibnn predict --model binarynet-cifar10 photo.jpg
    minibnn predict --model digits seven.png
    minibnn predict model.bnn.npz cat.png dog.jpg
    minibnn predict runs/train-cifar10-1 cat.png --top 3 --json
    """
    from minibnn.cli.trained import load_trained
    from minibnn.data.image_files import check_channels
    from minibnn.ops.threads import use_threads

    if model:
        network, images = model, (network, *images)
    if not images:
        raise click.UsageError("Missing argument 'IMAGE...'.")
    trained = load_trained(network, pretrained=bool(model))
    check_channels(trained.network.input_shape)
    if len(trained.network.output_shape) != 1:
        raise InputError(f"{network} gives outputs {trained.network.output_shape}, not classes")
    if trained.network.image_form == "arrays":
        raise InputError(
            f"{network} was trained on floats, and how they came from images is not known: "
            "give its predict() such arrays"
        )
    use_threads(threads)
    bad = []  # files that cannot be read
    found = _predictions(trained, images, top, bool(model), bad)
    if as_json:
        click.echo(json.dumps(list(found), indent=2))
    for one in found:
        ranks = (f"{rank['class']} {100 * rank['probability']:.2f} %" for rank in one["top"])
        click.echo(one_line(f"{one['image']}: {', '.join(ranks)}"))
    if bad:
        raise click.exceptions.Exit(2)


def _predictions(trained, paths, top, square, bad):
    """Yield a plain dict for each image; one that cannot be read is told and goes to ``bad``."""
    import numpy as np

    from minibnn.data.image_files import read_image

    network = trained.network
    classes = trained.classes or tuple(map(str, range(network.output_shape[0])))
    for path in paths:
        try:
            image = read_image(path, network.input_shape, network.image_form, square)
        except InputError as error:
            click.echo(f"minibnn: {error}", err=True)
            bad.append(path)
            continue
        scores = probabilities(network.forward(image[None]))[0]
        best = np.argsort(-scores, kind="stable")[:top]
        ranks = [
            {"class": classes[k], "index": int(k), "probability": float(scores[k])} for k in best
        ]
        yield {"image": path, **ranks[0], "top": ranks}


def probabilities(outputs):
    """Softmax of outputs (B, C): float64 (B, C)."""
    import numpy as np

    if not isinstance(outputs, np.ndarray):  # signs
        outputs = outputs.unpack()
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    return weights / weights.sum(axis=1, keepdims=True)
