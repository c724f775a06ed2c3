"""``minibnn export``: a trained network in a file for inference."""

import click

from minibnn.cli.options import files
from minibnn.errors import InputError, one_line
from minibnn.files.paths import check_file


@click.command(short_help="Write a trained network for inference.")
@click.argument("run", metavar="RUN", shell_complete=files)
@click.argument("file", metavar="FILE", shell_complete=files)
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice(["packed", "onnx", "larq"]),
    help="packed: bits and integer thresholds, 32 times smaller than floats, for minibnn evaluate "
    "and predict (by habit NAME.bnn.npz). onnx: standard operators, for onnxruntime and others "
    "(pip install \"minibnn[onnx]\"). larq: the arrays of Larq's and Keras' layers.",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
def export(run, file, form, force):
    """Write the network of RUN, a run folder, a file in one or a saved network, to FILE.

    Packed, it computes the same outputs, bit for bit. In ONNX every sign between binary
    layers of signs and bytes is the same, and the outputs are but for rounding.

    \b
    minibnn export runs/train-digits-1 --to packed digits.bnn.npz
    minibnn export runs/train-digits-1 --to onnx digits.onnx
    minibnn export runs/train-digits-1 --to larq digits.npz
    """
    file = check_file(file, "FILE")
    if file.exists() and not force:
        raise InputError(f"{file} exists already; replace it (--force) or name another file")
    from minibnn import deploy
    from minibnn.cli.trained import PUBLIC, load_trained

    network, dataset, _ = load_trained(run)
    if isinstance(network, deploy.PackedNetwork):
        raise InputError(f"{run} is packed already: name the run it comes from")
    if form == "packed":
        deploy.pack(network, dataset=dataset if dataset in PUBLIC else None).save(file)
        weights = sum(p.size for p in network.parameters() if p.binary)
        about = f"{file.stat().st_size:,} bytes, {weights:,} binary weights"
    elif form == "onnx":
        from minibnn.deploy import onnx

        onnx.write(network, file)
        about = f"{file.stat().st_size:,} bytes, ONNX of opset {onnx.OPSET}"
    else:
        from minibnn.deploy import larq

        larq.write(network, file)
        about = f"{len(larq.arrays(network))} arrays"
    click.echo(one_line(f"{file}: {about}"))
