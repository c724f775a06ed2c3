"""The figure a run leaves behind: its metrics, or those of several runs over each other."""

from itertools import combinations

from minibnn.training.metrics import measured_on
from minibnn.training.plots.style import (
    COLOURS,
    MARKERS,
    column_line,
    draw_accuracy_and_loss,
    label,
    legends,
    new_figure,
    save,
    style,
)


def draw_curves(path, histories, title=None):
    """Draw accuracy, loss, flips and, where it was measured, agreement, by epoch.

    ``path`` ends in .png, .pdf or .svg. ``histories`` are History by the name in the legend;
    ``title``, a text, may be left out.
    """
    save(curves_figure(histories, title), path)


def curves_figure(histories, title=None):
    """The figure that ``draw_curves`` writes."""
    pairs = [
        (a, b)
        for a, b in combinations(histories, 2)
        if histories[a].last.get(f"agreement:{b}") is not None
    ]
    part = measured_on(row for history in histories.values() for row in history)
    figure = new_figure(*((10, 7.5) if pairs else (12, 4.4)))
    accuracy, loss, flips, *rest = figure.subplots(*((2, 2) if pairs else (1, 3))).flat
    draw_accuracy_and_loss(accuracy, loss, histories.values(), part)
    _draw_flips(flips, histories)
    if pairs:
        _draw_agreement(rest[0], histories, pairs)
    legends(figure, histories, part)
    if title:
        figure.suptitle(title, parse_math=False)
    return figure


def _draw_flips(axes, histories):
    """Share of binary weights that flip in a step; on a logarithmic axis if there always are."""
    from matplotlib.ticker import LogLocator

    for k, history in enumerate(histories.values()):
        column_line(axes, history, "flip_ratio", 100, **style(k))
    label(axes, "Flips", "binary weights flipped per step (%)")
    if all(value for h in histories.values() for value in h["flip_ratio"]):
        axes.set_yscale("log", subs=())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")


def _draw_agreement(axes, histories, pairs):
    """Share of binary weights that are equal; colours from the other end than those of runs."""
    for k, (a, b) in enumerate(pairs):
        how = {"color": COLOURS[-1 - k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        names = f"{a} and {b}".replace("$", r"\$")
        column_line(axes, histories[a], f"agreement:{b}", 100, label=names, **how)
    label(axes, "Agreement", "binary weights that are equal (%)")
    axes.legend(frameon=False)
