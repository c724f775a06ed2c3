"""Pictures per second of whole networks: in training, in evaluation mode and packed."""

from functools import partial

from minibnn import deploy
from minibnn.bench.clock import FULL, measure
from minibnn.bench.networks import Training, binarynet
from minibnn.bench.run import GRADIENTS
from minibnn.ops.threads import compute_threads

WIDTHS, BATCHES = (32, 64, 128), (1, 10, 50, 200)


def measure_rates(threads, widths=WIDTHS, batches=BATCHES, gradients=GRADIENTS, effort=FULL):
    """Yield a dict per width, batch size and number of threads: BinaryNet's pictures per second.

    Training, once with each type of ``gradients``, is forward, loss, backward and Bop's and Adam's
    steps; inference is the forward pass of the same network in evaluation mode; packed, that of
    the network on bits and thresholds. A "speedup" is over float32 of the same row.
    """
    for filters in widths:
        for size in batches:
            training = Training(binarynet(filters), size)
            packed = deploy.pack(training.net)
            for count in threads:
                row = {
                    "filters": filters,
                    "dense_units": 8 * filters,
                    "batch": size,
                    "threads": count,
                }
                with compute_threads(count):
                    for kind in gradients:
                        training.net.gradients = kind
                        row[f"training {kind}"] = _rate(size, measure(training.step, effort))
                    row["inference"] = _rate(size, measure(training.infer, effort))
                    on_bits = partial(packed.forward, training.x)
                    row["packed"] = _rate(size, measure(on_bits, effort))
                if "training float32" in row and "training int8" in row:
                    mine = row["training int8"]
                    mine["speedup"] = row["training float32"]["seconds"] / mine["seconds"]
                yield row


def _rate(size, run):
    return {
        "images_per_s": size / run.median,
        "seconds": run.median,
        "low": run.low,
        "high": run.high,
        "runs": run.runs,
    }
