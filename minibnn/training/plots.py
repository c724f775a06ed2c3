"""The picture of a run's metrics, or of several runs laid over each other."""

import io
from itertools import combinations

from minibnn.training.atomic import write_atomic

# Okabe and Ito's colours, told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"


def draw_curves(path, histories, title=None):
    """Write a PNG: accuracy, loss, flips and, where it was measured, agreement, by epoch.

    Parameters
    ----------
    path : path
    histories : dict of str to History
        By the name in the legend.
    title : str, optional
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    pairs = [
        (a, b)
        for a, b in combinations(histories, 2)
        if histories[a].last.get(f"agreement:{b}") is not None
    ]
    held_out = any(h.last.get("validation_loss") is not None for h in histories.values())
    part = "validation" if held_out else "test"
    figure = Figure(figsize=(10, 7.5) if pairs else (12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    accuracy, loss, flips, *rest = figure.subplots(*((2, 2) if pairs else (1, 3))).flat
    for k, (name, history) in enumerate(histories.items()):
        style = {"color": COLOURS[k % len(COLOURS)]}
        marked = style | {"marker": _MARKERS[k % len(_MARKERS)], "label": name}
        for axes, column, scale in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
            _line(axes, history, f"train_{column}", scale, linestyle=":", **style)
            _line(axes, history, f"{part}_{column}", scale, **marked)
        _line(flips, history, "flip_ratio", 100, **marked)
    for k, (a, b) in enumerate(pairs):
        style = {"color": COLOURS[-1 - k % len(COLOURS)], "marker": _MARKERS[k % len(_MARKERS)]}
        _line(rest[0], histories[a], f"agreement:{b}", 100, label=f"{a} and {b}", **style)
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
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130, metadata={"Software": None})
    write_atomic(path, file.getvalue())


def _line(axes, history, column, scale, **style):
    points = [(r["epoch"], scale * r[column]) for r in history.rows if r.get(column) is not None]
    every = max(1, len(points) // 20)
    x, y = [x for x, _ in points], [y for _, y in points]
    axes.plot(x, y, linewidth=1.6, markersize=4, markevery=every, **style)


def _label(axes, title, unit, legend_title=None):
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(title=legend_title, frameon=False)
