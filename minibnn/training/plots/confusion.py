"""The figure of which classes a network takes for which."""

import numpy as np

from minibnn.errors import one_line
from minibnn.training.plots.style import new_figure

NUMBERS, NAMES = 20, 60  # classes at most whose shares, and whose names, can be read


def confusion_figure(confusion, classes, title=None):
    """A figure of ``confusion``, (C, C) integers by class (row) and answer (column), in percent."""
    count = len(confusion)
    shares = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = min(5.5 + 0.35 * count, 12)
    figure = new_figure(side, 0.92 * side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xlabel("answer of the network")
    axes.set_ylabel("class of the image")
    axes.set_title(title or "", parse_math=False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the class (%)")
    if count <= NAMES:
        upright = max(map(len, classes)) <= 3
        as_they_are = {"parse_math": False}  # a class may be called $x^
        names = [one_line(name) for name in classes]  # and a folder's name be no text
        axes.set_xticks(range(count), names, rotation=0 if upright else 90, **as_they_are)
        axes.set_yticks(range(count), names, **as_they_are)
    if count <= NUMBERS:
        for row, column in np.argwhere(confusion):
            share = shares[row, column]
            text = f"{share:.0f}" if share >= 0.5 else "<1"
            colour = "white" if share > 60 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    return figure
