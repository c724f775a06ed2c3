"""``minibnn evaluate``: how good a trained network is, and what it mistakes for what."""

import json
from functools import partial

import click

from minibnn.cli.options import DATA_DIR, IMAGE_SIZE, JSON, THREADS, dataset_option, files, out_file


@click.command(short_help="Measure a trained network on test images.")
@click.argument("network", metavar="RUN|FILE", shell_complete=files)
@dataset_option(
    help="Whose test images: digits, cifar10, image-folder or npz:FILE. Default: of those it was "
    "trained on, if they are known.",
)
@DATA_DIR
@IMAGE_SIZE
@click.option("--batch-size", type=click.IntRange(1), default=100, help="Images at a time.")
@THREADS
@out_file("Draw the confusion of the classes (.png, .pdf or .svg).")
@JSON
def evaluate(network, dataset, data_dir, image_size, batch_size, threads, out, as_json):
    """Measure a trained network on test images: RUN is a run folder, FILE one of its files
    or a saved or packed network.

    Prints loss, accuracy, which classes are taken for which, and the speed of the network.

    \b
    minibnn evaluate runs/train-digits-1
    minibnn evaluate digits.bnn.npz --out confusion.png
    """
    from minibnn import data
    from minibnn.cli.trained import images_for, load_trained
    from minibnn.ops.threads import compute_threads, thread_count
    from minibnn.training.plots import check_figure_path

    if out is not None:
        check_figure_path(out)
    trained = load_trained(network)
    load = partial(data.load, workers=thread_count(threads))
    images = images_for(trained, network, load, dataset, data_dir, image_size)
    with compute_threads(threads):
        found = trained.measure(images, batch_size)
    if out is not None:
        from minibnn.training.plots.confusion import confusion_figure
        from minibnn.training.plots.style import save

        title = f"{100 * found.evaluation.accuracy:.2f} % of {found.evaluation.count:,} right"
        save(confusion_figure(found.confusion, found.classes, title), out)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    click.echo(f"images:    {images!r}")
    if left_out := len(images.test_labels) - found.evaluation.count:
        click.echo(f"left out:  {left_out:,}, which cannot be read")
    click.echo(f"speed:     {found.images_per_second:,.0f} images/s")
    if out is not None:
        click.echo(f"figure:    {out}")
    click.echo(f"\n{found}")
