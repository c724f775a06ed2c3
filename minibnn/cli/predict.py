"""``minibnn predict``: classes of image files. It imports little, to answer at once."""

import json

import click

from minibnn.cli.options import JSON, THREADS, files, names
from minibnn.errors import InputError, one_line, say


@click.command(short_help="Classify image files.")
@click.argument("network", required=False, metavar="FILE|RUN", shell_complete=files)
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
    """Tell the class of each IMAGE: a JPEG, PNG, BMP, GIF, WebP, TIFF or PNM up to 67 megapixels.

    The network is one that "minibnn export --to packed" wrote, a run folder, or with --model one
    that comes with minibnn. Images are made grey or RGB as it needs them, laid on white where they
    are transparent, and resized to what it takes: for --model and a network trained on an
    image-folder their middle, else as a whole, whatever its proportions. Probabilities are the
    softmax of its outputs. Files that cannot be read are named, the others answered: exit code 2.

    \b
    minibnn predict --model binarynet-cifar10 photo.jpg
    minibnn predict --model digits seven.png
    minibnn predict model.bnn.npz cat.png dog.jpg
    minibnn predict runs/train-cifar10-1 cat.png --top 3 --json
    """
    import numpy as np

    from minibnn.cli.trained import load_trained
    from minibnn.data.image_files import check_channels, read_image
    from minibnn.ops.threads import use_threads

    if model and network:
        network, images = model, (network, *images)
    if not images:
        raise click.UsageError("Missing argument 'IMAGE...'.")
    trained = load_trained(network, pretrained=bool(model))
    net = trained.network
    check_channels(net.input_shape)
    if len(net.output_shape) != 1:
        raise InputError(f"{network} gives outputs {net.output_shape}, not classes")
    if net.image_form == "arrays":
        raise InputError(f"{network} was trained on floats: give its predict() such arrays")
    use_threads(threads)
    classes = net.classes or tuple(map(str, range(net.output_shape[0])))
    found, bad = [], False
    for path in images:
        try:
            image = read_image(path, net.input_shape, net.image_form, square=bool(model))
        except InputError as error:
            bad = True
            say(error)
            continue
        scores = probabilities(net.predict(image[None]))[0]
        ranks = [
            {"class": classes[k], "index": int(k), "probability": float(scores[k])}
            for k in np.argsort(-scores, kind="stable")[:top]
        ]
        found.append({"image": path, **ranks[0], "top": ranks})
        if not as_json:
            words = (f"{rank['class']} {100 * rank['probability']:.2f} %" for rank in ranks)
            click.echo(one_line(f"{path}: {', '.join(words)}"))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    if bad:
        raise click.exceptions.Exit(2)


def probabilities(outputs):
    """Softmax of outputs (B, C): float64 (B, C)."""
    import numpy as np

    weights = np.exp(outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)
