"""The picture a run leaves behind: its metrics, or those of several runs over each other."""

from itertools import combinations

from minibnn.training.plots.style import (
    COLOURS,
    MARKERS,
    column_line,
    label,
    measured_part,
    new_figure,
    save,
)


def draw_curves(path, histories, title=None):
    """Write a PNG: accuracy, loss, flips and, where it was measured, agreement, by epoch.

    Parameters
    ----------
    path : path
    histories : dict of str to History
        By the name in the legend.
    title : str, optional
    """
    from matplotlib.ticker import LogLocator

    pairs = [
        (a, b)
        for a, b in combinations(histories, 2)
        if histories[a].last.get(f"agreement:{b}") is not None
    ]
    part = measured_part(histories.values())
    figure = new_figure(*((10, 7.5) if pairs else (12, 4)))
    accuracy, loss, flips, *rest = figure.subplots(*((2, 2) if pairs else (1, 3))).flat
    for k, (name, history) in enumerate(histories.items()):
        colour = {"color": COLOURS[k % len(COLOURS)]}
        marked = colour | {"marker": MARKERS[k % len(MARKERS)], "label": name}
        for axes, column, scale in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
            column_line(axes, history, f"train_{column}", scale, linestyle=":", **colour)
            column_line(axes, history, f"{part}_{column}", scale, **marked)
        column_line(flips, history, "flip_ratio", 100, **marked)
    for k, (a, b) in enumerate(pairs):
        how = {"color": COLOURS[-1 - k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        column_line(rest[0], histories[a], f"agreement:{b}", 100, label=f"{a} and {b}", **how)
    lines = f"solid: {part}, dotted: training"
    _label(accuracy, "Accuracy", "right answers (%)", lines)
    _label(loss, "Loss", "mean loss per picture", lines)
    _label(flips, "Flips", "binary weights flipped per step (%)")
    if all(value > 0 for h in histories.values() for value in h["flip_ratio"]):
        flips.set_yscale("log", subs=())
        flips.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        flips.yaxis.set_major_formatter("{x:g}")
    if pairs:
        _label(rest[0], "Agreement", "binary weights that are equal (%)")
    if title:
        figure.suptitle(title)
    save(figure, path)


def _label(axes, title, unit, legend_title=None):
    label(axes, title, unit)
    axes.legend(title=legend_title, frameon=False)
