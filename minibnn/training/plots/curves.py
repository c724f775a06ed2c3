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
    style,
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
    pairs = agreement_pairs(histories)
    part = measured_part(histories.values())
    figure = new_figure(*((10, 7.5) if pairs else (12, 4)))
    accuracy, loss, flips, *rest = figure.subplots(*((2, 2) if pairs else (1, 3))).flat
    draw_accuracy(accuracy, histories, part)
    draw_loss(loss, histories, part)
    draw_flips(flips, histories)
    if pairs:
        draw_agreement(rest[0], histories, pairs)
    for axes in (accuracy, loss):
        axes.legend(title=f"solid: {part}, dotted: training", frameon=False)
    for axes in (flips, *rest):
        axes.legend(frameon=False)
    if title:
        figure.suptitle(title, parse_math=False)
    save(figure, path)


def draw_accuracy(axes, histories, part):
    """Accuracy on ``part`` ("test" or "validation") and, dotted, on the training pictures."""
    _measured(axes, histories, part, "accuracy", 100)
    label(axes, "Accuracy", "right answers (%)")


def draw_loss(axes, histories, part):
    """Loss on ``part`` and, dotted, on the training pictures."""
    _measured(axes, histories, part, "loss", 1)
    label(axes, "Loss", "mean loss per picture")


def draw_flips(axes, histories):
    """Share of binary weights that flip in a step; on a logarithmic axis if there always are."""
    from matplotlib.ticker import LogLocator

    for k, (name, history) in enumerate(histories.items()):
        column_line(axes, history, "flip_ratio", 100, label=name, **style(k))
    label(axes, "Flips", "binary weights flipped per step (%)")
    if all(value for h in histories.values() for value in h["flip_ratio"]):
        axes.set_yscale("log", subs=())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")


def draw_agreement(axes, histories, pairs):
    """Share of binary weights that are equal in each of ``pairs``."""
    for k, (a, b) in enumerate(pairs):
        how = pair_style(k) | {"label": f"{a} and {b}"}
        column_line(axes, histories[a], f"agreement:{b}", 100, **how)
    label(axes, "Agreement", "binary weights that are equal (%)")


def agreement_pairs(histories):
    """The pairs of names whose agreement was measured."""
    return [
        (a, b)
        for a, b in combinations(histories, 2)
        if histories[a].last.get(f"agreement:{b}") is not None
    ]


def pair_style(k):
    """Colour and marker of the k-th pair: colours from the other end than those of runs."""
    return {"color": COLOURS[-1 - k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def _measured(axes, histories, part, column, scale):
    for k, (name, history) in enumerate(histories.items()):
        how = style(k)
        column_line(axes, history, f"train_{column}", scale, linestyle=":", color=how["color"])
        column_line(axes, history, f"{part}_{column}", scale, label=name, **how)
