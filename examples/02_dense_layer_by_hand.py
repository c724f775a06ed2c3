"""A binary dense layer by hand, forward and backward, beside the library's (Eq. 3).

    y  = sign(x) @ w                   w holds nothing but +1 and -1
    dw = sign(x).T @ dy                the gradient is taken at the signs, and goes to the optimizer
    dx = (dy @ w.T) where |x| <= 1     straight-through estimator of the sign

Everything is an integer or a half here, so the two must be equal, bit for bit. Draws them all.

    python examples/02_dense_layer_by_hand.py --out layer.png --seed 3
"""

import argparse

import numpy as np

from minibnn.nn import BinaryDense, Sequential, Sign
from minibnn.ops.bits import binarize
from minibnn.training.plots.style import new_figure, save

BATCH, INPUTS, OUTPUTS = 4, 6, 3


def by_hand(x, w, dy):
    """All that the layer computes, (B, I) and (I, O) to (B, O) and back."""
    xb = binarize(x, np.float32)
    y = xb @ w  # (B, O), integers from -I to I, as odd or even as I
    dw = xb.T @ dy  # (I, O)
    dx = np.where(np.abs(x) <= 1, dy @ w.T, 0)  # (B, I)
    return {"sign(x)": xb, "y": y, "dw": dw, "dx": dx}


def by_library(x, w, dy):
    net = Sequential([Sign(), BinaryDense(OUTPUTS)], (INPUTS,))
    (kernel,) = net.parameters()
    kernel.assign(w)
    y, dx = net.forward(x, training=True), net.backward(dy, need_dx=True)
    return {"sign(x)": net.layers[1].x.unpack(), "y": y, "dw": kernel.grad, "dx": dx}


def main(out="dense_layer_by_hand.png", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(-4, 5, (BATCH, INPUTS)).astype(np.float32) / 2
    w = binarize(rng.standard_normal((INPUTS, OUTPUTS)), np.float32)
    dy = rng.integers(-3, 4, (BATCH, OUTPUTS)).astype(np.float32)  # comes from the layer above
    hand, library = by_hand(x, w, dy), by_library(x, w, dy)

    differing = {name: int((library[name] != hand[name]).sum()) for name in hand}
    print(f"{'':8}  {'shape':>6}  {'entries that differ':>19}")
    for name, count in differing.items():
        print(f"{name:8}  {hand[name].shape!s:>6}  {count:>19}")
    stopped = int((np.abs(x) > 1).sum())
    print(f"\nthe estimator stops {stopped} of {x.size} gradients, where |x| > 1")
    draw(out, {"x": x, **hand, "w": w, "dy": dy})
    print(f"figure: {out}")
    return differing, stopped


def draw(path, arrays):
    figure = new_figure(11, 6)
    titles = {
        "x": "x", "sign(x)": "sign(x)", "w": "w", "y": "y = sign(x) @ w",
        "dx": "dx = (dy @ w.T) where |x| <= 1", "dw": "dw = sign(x).T @ dy", "dy": "dy, from above",
    }  # fmt: skip
    places = [["x", "sign(x)", "w", "y"], ["dx", ".", "dw", "dy"]]
    grid = figure.subplot_mosaic(places, width_ratios=(6, 6, 3, 3))
    for name, title in titles.items():
        axes, array = grid[name], arrays[name]
        axes.imshow(array, cmap="PuOr", vmin=-9, vmax=9)  # told apart with any colour vision
        for (i, j), value in np.ndenumerate(array):
            axes.text(j, i, f"{value:g}", ha="center", va="center")
        axes.set(title=title, xticks=[], yticks=[])
    save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="dense_layer_by_hand.png", help="the figure's file")
    parser.add_argument("--seed", type=int, default=0, help="of the numbers")
    main(**vars(parser.parse_args()))
