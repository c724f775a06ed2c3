"""Images per second of whole networks: in training, in evaluation mode and packed."""

from functools import partial

from minibnn import deploy
from minibnn.bench.clock import rate
from minibnn.bench.networks import Training, binarynet
from minibnn.ops.threads import compute_threads

WIDTHS, BATCHES = (32, 64, 128), (1, 10, 50, 200)


def measure_rates(setting):
    """A dict per width, batch size and number of threads: BinaryNet's images per second.

    Training, once with each type of gradients, is forward, loss, backward and the steps of Bop and
    Adam; inference is the forward pass of the same network in evaluation mode; packed, that of the
    network on bits and thresholds.
    """
    rows, effort = [], setting.effort
    for filters in WIDTHS if setting.filters in WIDTHS else (setting.filters,):
        for size in (setting.batch_size,) if setting.quick else BATCHES:
            training = Training(binarynet(filters), size)
            real = partial(training.net.forward, training.x)
            on_bits = partial(deploy.pack(training.net).forward, training.x)
            for threads in sorted({1, setting.threads}):
                row = {"filters": filters, "batch": size, "threads": threads}
                with compute_threads(threads):
                    for kind in setting.gradients:
                        training.net.gradients = kind
                        row[f"training {kind}"] = rate(size, training.step, effort)
                    row["inference"] = rate(size, real, effort)
                    row["packed"] = rate(size, on_bits, effort)
                rows.append(row)
    return rows
