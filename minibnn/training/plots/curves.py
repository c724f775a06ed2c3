"""Metrics by epoch: the figure a run leaves behind, or those of several runs over each other."""

from minibnn.training.metrics import compared_pairs, measured_on
from minibnn.training.plots.style import (
    COLOURS,
    MARKERS,
    column_line,
    label,
    legends,
    new_figure,
    save,
    style,
)


def draw_curves(path, histories, title=None):
    """Draw ``histories``, a dict by name, under a ``title`` to ``path`` (.png, .pdf or .svg)."""
    pairs = compared_pairs(histories)
    figure = new_figure(*((10, 7.5) if pairs else (12, 4.4)))
    draw_metrics(figure.subplots(*((2, 2) if pairs else (1, 3))).flat, histories)
    legends(figure, histories, part_of(histories))
    if title:
        figure.suptitle(title, parse_math=False)
    save(figure, path)


def part_of(histories):
    """The part that is measured after every epoch: "validation" if any run has one, else "test"."""
    return measured_on(row for history in histories.values() for row in history)


def draw_metrics(axes, histories):
    """Accuracy, loss (training dotted), flips and, if there are ``compared_pairs``, agreement."""
    accuracy, loss, flips, *agreement = axes
    part = part_of(histories)
    for k, history in enumerate(histories.values()):
        how = style(k)
        thin = {"color": how["color"], "linestyle": ":", "linewidth": 1.2}
        for one, column, scale in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
            column_line(one, history, f"train_{column}", scale, **thin)
            column_line(one, history, f"{part}_{column}", scale, **how)
        column_line(flips, history, "flip_ratio", 100, **how)
    label(accuracy, "Accuracy", "accuracy (%)")
    label(loss, "Loss", "mean loss per image")
    label(flips, "Flips", "binary weights flipped per step (%)")
    if all(value for history in histories.values() for value in history["flip_ratio"]):
        flips.set_yscale("log")
    for k, (a, b) in enumerate(compared_pairs(histories)):  # colours from the other end
        how = {"color": COLOURS[-1 - k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        names = f"{a} and {b}".replace("$", r"\$")
        column_line(agreement[0], histories[a], f"agreement:{b}", 100, label=names, **how)
    for one in agreement:
        label(one, "Agreement", "binary weights that are equal (%)")
        one.legend(frameon=False)
