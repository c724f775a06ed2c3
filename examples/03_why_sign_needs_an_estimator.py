"""Why sign needs an estimator: its derivative is zero, so a finite difference says nothing.

Nudges the inputs of a sign and looks whether the loss moves; then trains a network with each of the
library's estimators (section 2). Without one, only the layer behind the last sign can learn.

    python examples/03_why_sign_needs_an_estimator.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse

import numpy as np

import minibnn as bnn
from minibnn.nn import BatchNorm, BinaryDense, Flatten, Sequential, Sign
from minibnn.nn.quantizers import ApproxSign, SteSign, SwishSign
from minibnn.optim import Adam, Bop, Split
from minibnn.tables import Table
from minibnn.training.plots.style import column_line, label, new_figure, save, style

NUDGE = 1e-4
KINDS = SteSign(), ApproxSign(), SwishSign(), SteSign(clip_value=1e-30)  # as good as none
ESTIMATORS = dict(zip(("straight-through", "triangle", "swish", "none"), KINDS, strict=True))


def network(data, quantizer, units=128):
    hidden = [(BinaryDense(units), BatchNorm(), Sign(quantizer)) for _ in range(2)]
    layers = [Flatten(), *hidden[0], *hidden[1], BinaryDense(len(data.classes)), BatchNorm()]
    return Sequential(layers, data.input_shape)


def differences():
    """dL/dx of a sign's inputs x (5, 64): 320 central differences, and straight through."""
    rng = np.random.default_rng(0)
    net = Sequential([Sign(), BinaryDense(10)], (64,))
    x, labels = rng.standard_normal((5, 64)), rng.integers(0, 10, 5)

    def loss(x):
        return bnn.nn.softmax_cross_entropy(net.forward(x, training=True), labels)

    steps = NUDGE * np.eye(x.size).reshape(-1, *x.shape)  # one x each
    found = np.array([(loss(x + s)[0] - loss(x - s)[0]) / (2 * NUDGE) for s in steps])
    return found, net.backward(loss(x)[1], need_dx=True)


def main(out="sign.png", dataset="digits", data_dir=None, epochs=6):
    data = bnn.data.load(dataset, data_dir)
    found, through = differences()
    zeros = [int((gradient == 0).sum()) for gradient in (found, through)]
    print(f"zeros among {found.size}: {zeros[0]} finite differences, {zeros[1]} straight-through")
    histories, lines = {}, []
    for name, quantizer in ESTIMATORS.items():
        optimizer = Split(binary=Bop(gamma=1e-3, threshold=1e-6), real=Adam(lr=0.01))
        how = {"epochs": epochs, "batch_size": 50, "name": name}
        history = histories[name] = bnn.fit(network(data, quantizer), optimizer, data, **how)
        flips = [sum(history[column]) for column in history.last if column.startswith("flips:")]
        lines.append([name, f"{100 * history.last['test_accuracy']:.1f} %", *map(str, flips)])
    print(Table(["estimator", "test", "flips of dense1", "of dense2", "of dense3"], lines))
    left, right = (figure := new_figure(11, 4)).subplots(1, 2)
    x = np.linspace(-2, 2, 4000, dtype=np.float32)  # without 0
    left.plot(x, np.sign(x), color="0.5", linewidth=3, label="sign(x)")
    for k, (name, quantizer) in enumerate(ESTIMATORS.items()):
        left.plot(x, quantizer.gradient(np.ones_like(x), x), color=style(k)["color"], label=name)
        column_line(right, histories[name], "test_accuracy", 100, label=name, **style(k))
    label(left, "The sign, and what stands for its derivative", "", x="x")
    label(right, "Training with each", "test accuracy (%)")
    for axes in (left, right):
        axes.legend(frameon=False)
    save(figure, out)
    print(f"\nfigure: {out}")
    return found, histories


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="sign.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=6, help="of each training")
    main(**vars(parser.parse_args()))
