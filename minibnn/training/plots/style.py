"""What figures have in common: colours, lines by epoch, metrics, legends, axes, a whole file."""

import io

from minibnn.files.atomic import write_atomic
from minibnn.files.paths import check_file
from minibnn.ops.threads import shared_lock
from minibnn.training.metrics import compared_pairs, measured_on

SETTINGS = shared_lock()  # matplotlib's are the process's: who changes them holds it
# Okabe and Ito's colours, told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.")
# Per format of a figure, the entries that would make two files of one figure differ.
FORMATS = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}


def style(k):
    """Colour, marker and dash of the k-th of several lines, alike only after 21."""
    around = k // len(COLOURS)
    return {
        "color": COLOURS[k % len(COLOURS)],
        "marker": MARKERS[(k + around) % len(MARKERS)],
        "linestyle": DASHES[around % len(DASHES)],
    }


def new_figure(width, height):
    """A figure in inches that needs no screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def check_figure_path(path):
    """``path`` as a Path; InputError unless a figure can be written there."""
    return check_file(path, "a figure", tuple(FORMATS))


def save(figure, path, dpi=130):
    """Write the figure in one step; the same figure gives the same bytes."""
    path = check_figure_path(path)
    write_atomic(path, encoded(figure, path.suffix.lower(), dpi))


def encoded(figure, suffix, dpi=130):
    import matplotlib

    file = io.BytesIO()
    with SETTINGS, matplotlib.rc_context({"svg.hashsalt": "minibnn"}):
        figure.savefig(file, format=suffix[1:], dpi=dpi, metadata=FORMATS[suffix])
    return file.getvalue()


def line(axes, x, y, **how):
    """A line with about 20 markers at the most; a single point has one in any case."""
    how = {"linewidth": 1.6, "markersize": 4, "markevery": max(1, len(x) // 20)} | how
    if len(x) == 1 and not how.get("marker"):
        how["marker"] = "o"
    return axes.plot(x, y, **how)[0]


def column_line(axes, history, column, scale=1, **how):
    """A column of metrics.csv by epoch, where it was measured."""
    points = [(r["epoch"], scale * r[column]) for r in history.rows if r.get(column) is not None]
    return line(axes, [x for x, _ in points], [y for _, y in points], **how)


def legends(figure, names, part, threshold=False):
    """Outside of the axes: runs above, kinds of lines below; ``part`` is what is measured."""
    from matplotlib.lines import Line2D

    names = [name.replace("$", r"\$") for name in names]  # no formulas
    handles = [Line2D([], [], label=name, **style(k)) for k, name in enumerate(names)]
    figure.legend(handles=handles, loc="outside upper center", ncols=6, frameon=False)
    dashes = {f"{part} images": "-", "training images": ":", "threshold": "--"}
    handles = [Line2D([], [], label=x, color="0.4", linestyle=y) for x, y in dashes.items()]
    handles = handles if threshold else handles[:2]
    figure.legend(handles=handles, loc="outside lower center", ncols=7, frameon=False)


def label(axes, title, unit, x="epoch"):
    """Title, units and a light grid; epochs are integers."""
    axes.set_title(title, parse_math=False)
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    if x == "epoch":
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def draw_metrics(figure, axes, histories, threshold=False):
    """Accuracy, loss (training dotted), flips and any agreement; the figure gets legends."""
    accuracy, loss, flips, *agreement = axes
    parts = [measured_on(history) for history in histories.values()]
    for k, (history, part) in enumerate(zip(histories.values(), parts, strict=True)):
        how = style(k)
        thin = {"color": how["color"], "linestyle": ":", "linewidth": 1.2}
        for one, column, scale in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
            column_line(one, history, f"train_{column}", scale, **thin)
            column_line(one, history, f"{part}_{column}", scale, **how)
        column_line(flips, history, "flip_ratio", 100, **how)
    label(accuracy, "Accuracy", "accuracy (%)")
    label(loss, "Loss", "mean loss per image")
    label(flips, "Flips", "binary weights flipped per step (%)")
    if all(row["flip_ratio"] for history in histories.values() for row in history):
        flips.set_yscale("log")
    for k, (a, b) in enumerate(compared_pairs(histories)):  # colours from the other end
        how = {"color": COLOURS[-1 - k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        names = f"{a} and {b}".replace("$", r"\$")
        column_line(agreement[0], histories[a], f"agreement:{b}", 100, label=names, **how)
    for one in agreement:
        label(one, "Agreement", "binary weights that are equal (%)")
        one.legend(frameon=False)
    legends(figure, histories, " or ".join(sorted({*parts})), threshold)
