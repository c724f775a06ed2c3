"""What all pictures have in common: colours, lines by epoch, labelled axes, a whole file."""

import io
from pathlib import Path

from minibnn.errors import InputError
from minibnn.files.atomic import write_atomic
from minibnn.ops.threads import shared_lock

SETTINGS = shared_lock()  # matplotlib's are the process's: who changes them holds it
# Okabe and Ito's colours, told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
DASHES = ("-", "--", "-.")
# Per format of a picture, the entries that would make two files of one picture differ.
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def check_picture_path(path):
    """Where a picture is to be written, if it can be.

    Parameters
    ----------
    path : path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Unless it ends as a picture that can be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"a picture must end in {', '.join(FORMATS)}, found {path}")
    if path.is_dir():
        raise InputError(f"a picture must be a file, and {path} is a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    return path


def save(figure, path, dpi=130):
    """Write the figure in one step; the same figure gives the same bytes."""
    import matplotlib

    path, file = check_picture_path(path), io.BytesIO()
    kind = path.suffix.lower()
    with SETTINGS, matplotlib.rc_context({"svg.hashsalt": "minibnn"}):
        figure.savefig(file, format=kind[1:], dpi=dpi, metadata=FORMATS[kind])
    write_atomic(path, file.getvalue())


def line(axes, x, y, **how):
    """A line with about 20 markers at the most; a single point has one in any case."""
    how = {"linewidth": 1.6, "markersize": 4, "markevery": max(1, len(x) // 20)} | how
    if len(x) == 1 and not how.get("marker"):
        hollow = {"markerfacecolor": "none"} if how.get("linestyle") == ":" else {}
        how |= {"marker": "o"} | hollow
    return axes.plot(x, y, **how)[0]


def column_line(axes, history, column, scale=1, **how):
    """A column of metrics.csv by epoch, where it was measured."""
    points = [(r["epoch"], scale * r[column]) for r in history.rows if r.get(column) is not None]
    return line(axes, [x for x, _ in points], [y for _, y in points], **how)


def label(axes, title, unit, x="epoch"):
    """Title, units and a light grid; epochs are whole numbers."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    if x == "epoch":
        whole_epochs(axes)


def whole_epochs(axes):
    low, high = axes.get_xlim()
    single = high - low < 1
    if single:
        axes.set_xlim(low - 0.5, high + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1 if single else 2)


def measured_part(histories):
    """ "validation" where any of the histories has such a part, else "test"."""
    held_out = any(h.last.get("validation_loss") is not None for h in histories)
    return "validation" if held_out else "test"
