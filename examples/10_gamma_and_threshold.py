"""What gamma and the threshold do: the scans of section 5.1 (Fig. 1), small.

One of the two takes several values while the other stays. All networks start from the same signs
and see the same batches. Draws accuracy and pi_t, the logarithm of the share of weights of the last
layer that flip in a step (Eq. 7), by epoch: a larger gamma and a smaller threshold both flip more.

    python examples/10_gamma_and_threshold.py
    python examples/10_gamma_and_threshold.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse

import minibnn as bnn
from minibnn.tables import Table
from minibnn.training.plots.style import column_line, label, new_figure, save, style

GAMMA, THRESHOLD = 1e-3, 1e-6  # what stays
SCANS = {"gamma": (1e-2, 1e-3, 1e-4), "threshold": (0, 1e-6, 1e-5)}


def main(out="gamma_and_threshold.png", dataset="digits", data_dir=None, epochs=10):
    data = bnn.data.load(dataset, data_dir)
    net = bnn.zoo.digits_net(data.input_shape, filters=16, dense_units=64, seed=0)
    settings = {
        f"{key}-{value:g}": {"gamma": GAMMA, "threshold": THRESHOLD} | {key: value}
        for key, values in SCANS.items()
        for value in values
    }
    optimizers = {
        name: bnn.optim.Split(binary=bnn.optim.Bop(**one), real=bnn.optim.Adam(lr=0.01))
        for name, one in settings.items()
    }
    result = bnn.lockstep(net, optimizers, data, epochs=epochs, batch_size=50, seed=0)

    last_layer = f"pi:{[p.name for p in net.parameters() if p.binary][-1]}"
    lines = []
    for name, history in result.histories.items():
        best, flips = history.best()["test_accuracy"], sum(history["flips"])
        cells = [f"{100 * best:.1f} %", f"{flips:,}", f"{history.last[last_layer]:.1f}"]
        lines.append([name, *cells])
    print(f"\n{Table(['setting', 'best test', 'flips in all', 'last pi_t'], lines)}")
    draw(out, result, last_layer)
    print(f"\nfigure: {out}")
    return result


def draw(path, result, last_layer):
    figure = new_figure(11, 7)
    rows = figure.subplots(2, len(SCANS), sharex=True, sharey="row")
    for (key, values), (accuracy, flips) in zip(SCANS.items(), rows.T, strict=True):
        for k, value in enumerate(values):
            history = result[f"{key}-{value:g}"]
            column_line(accuracy, history, "test_accuracy", 100, **style(k), label=f"{value:g}")
            column_line(flips, history, last_layer, **style(k))
        label(accuracy, f"{key} changes", "test accuracy (%)")
        label(flips, "", r"$\pi_t$ of the last layer, ln(flips/weights + $e^{-9}$)")
        accuracy.legend(title=key, frameon=False, loc="lower right")
    save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="gamma_and_threshold.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=10, help="of each training")
    main(**vars(parser.parse_args()))
