"""Pictures per second of whole networks: in training, in evaluation mode and packed."""

from functools import partial

from minibnn import deploy
from minibnn.bench.clock import FULL, measure
from minibnn.bench.networks import Training, binarynet
from minibnn.ops.threads import compute_threads

WIDTHS, BATCHES = (32, 64, 128), (1, 10, 50, 200)


def measure_rates(threads, widths=WIDTHS, batches=BATCHES, effort=FULL):
    """Yield a dict per width, batch size and number of threads: BinaryNet's pictures per second.

    Training is forward, loss, backward and Bop's and Adam's steps; inference is the forward pass
    of the same network in evaluation mode; packed, that of the network on bits and thresholds.
    """
    for filters in widths:
        for size in batches:
            training = Training(binarynet(filters), size)
            packed = deploy.pack(training.net)
            for count in threads:
                with compute_threads(count):
                    steps = measure(training.step, effort)
                    infers = measure(training.infer, effort)
                    on_bits = measure(partial(packed.forward, training.x), effort)
                yield {
                    "filters": filters,
                    "dense_units": 8 * filters,
                    "batch": size,
                    "threads": count,
                    "training": _rate(size, steps),
                    "inference": _rate(size, infers),
                    "packed": _rate(size, on_bits),
                }


def _rate(size, run):
    return {
        "images_per_s": size / run.median,
        "seconds": run.median,
        "low": run.low,
        "high": run.high,
        "runs": run.runs,
    }
