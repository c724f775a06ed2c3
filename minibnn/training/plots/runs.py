"""Runs laid over each other, with a column of small axes for every binary layer.

The upper row is the paper's figures: accuracy and loss as in Fig. 2, pi_t of the last layer as in
Fig. 1. Colours mean runs everywhere.
"""

import numpy as np

from minibnn.errors import one_line
from minibnn.training.metrics import measured_on
from minibnn.training.plots.style import (
    check_figure_path,
    draw_accuracy_and_loss,
    integer_epochs,
    label,
    legends,
    line,
    new_figure,
    save,
    style,
)

MOST_LAYERS = 10  # columns that can still be read; of more layers a choice is drawn
_FAINT = 5e-4  # share of a layer's weights that is worth widening an axis for
_SEEN = 5e-3  # share that must not be left out silently
_PI_T = r"$\pi_t = \ln(\mathrm{flips/weights} + e^{-9})$"


def draw_runs(path, records, title=None):
    """Write a figure of runs: their metrics and, where there is any, their telemetry.

    ``records`` are a list of Record, ``title`` a text or None. InputError unless ``path`` ends in
    .png, .pdf or .svg.
    """
    path = check_figure_path(path)
    save(runs_figure(records, title), path, dpi=110)


def runs_figure(records, title=None, overview=True):
    """The figure that ``draw_runs`` writes; without the overview, what is known by layer."""
    layers, left_out = chosen_layers(records)
    rows = layer_rows(records) if layers else []
    heights = [3.4] * overview + [2.3 * len(rows)] * bool(rows)
    figure = new_figure(max(13.0, 1.5 + 1.75 * len(layers)), 0.8 + sum(heights))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    part = measured_on(row for record in records for row in record.history)
    if overview:
        _overview(parts[0], records, part, bool(layers))
    if rows:
        grid = parts[-1].subplots(len(rows), len(layers), squeeze=False, sharex="row", sharey="row")
        for axes, row in zip(grid, rows, strict=True):
            row(axes, records, layers)
        _name_layers(grid[0], records, layers)
    names = [record.label for record in records]
    legends(figure, names, part if overview else None, _kinds_of_lines(records, rows))
    notes = [one_line(title)] if title else []
    if left_out:
        notes.append(f"{len(layers)} of {len(layers) + left_out} layers")
    if notes:
        figure.suptitle(", ".join(notes), parse_math=False)
    return figure


def chosen_layers(records):
    """Names of the layers to draw, in network order, and how many others there are."""
    found = [list(r.telemetry["layers"]) for r in records if r.telemetry is not None]
    found.sort(key=len, reverse=True)  # of different networks, the deeper one sets the order
    names = list(dict.fromkeys(str(name) for layers in found for name in layers))
    if len(names) <= MOST_LAYERS:
        return names, 0
    kept = np.linspace(0, len(names) - 1, MOST_LAYERS).round().astype(int)
    return [names[k] for k in kept], len(names) - MOST_LAYERS


# -- metrics ---------------------------------------------------------------------------------------


def _overview(figure, records, part, telemetry):
    accuracy, loss, *rest = figure.subplots(1, 4 if telemetry else 2)
    draw_accuracy_and_loss(accuracy, loss, [record.history for record in records], part)
    if not telemetry:
        return
    for k, record in enumerate(records):
        if (arrays := record.telemetry) is not None:
            weights = arrays["weights"]
            never = (arrays["never_flipped"] * weights).sum(axis=1) / max(weights.sum(), 1)
            line(rest[0], arrays["epoch"], arrays["pi"][:, -1], **style(k))
            line(rest[1], arrays["epoch"], 100 * never, **style(k))
    label(rest[0], "Flips per step, last layer", _PI_T)
    label(rest[1], "Never flipped, all layers", "binary weights (%)")
    values = np.concatenate([np.asarray(one.get_ydata(), float) for one in rest[1].lines])
    values = values[np.isfinite(values)]
    if len(values) and 0 < values.min() < 1:  # linear, it would lie on the floor
        rest[1].set_yscale("log")
        rest[1].yaxis.set_major_formatter("{x:g}")


# -- layers ----------------------------------------------------------------------------------------


def layer_rows(records):
    """Functions (axes, records, layers), each of which draws one quantity of every layer."""
    kinds = dict.fromkeys(kind for r in records if (kind := histogram_kind(r)))
    return [_flips_row, _never_row, *(HistogramRow(kind) for kind in kinds)]


def _flips_row(axes, records, layers):
    _by_epoch(axes, records, layers, "pi", 1)
    axes[0].set_ylabel(r"flips per step, $\pi_t$")


def _never_row(axes, records, layers):
    _by_epoch(axes, records, layers, "never_flipped", 100)
    axes[0].set_ylabel("never flipped (%)")


def _by_epoch(axes, records, layers, what, scale):
    for k, record in enumerate(records):
        how = style(k) | {"marker": "", "linewidth": 1.3}
        for one, name in zip(axes, layers, strict=True):
            if (layer := record.layer(name)) is not None:
                values = record.telemetry[what][:, layer]
                line(one, record.telemetry["epoch"], scale * values, **how)
    for one in axes:
        one.grid(alpha=0.3)
        one.set_xlabel("epoch")
        integer_epochs(one)


def histogram_kind(record):
    """What a record's histograms are of at its last epoch, with unit; None if of nothing."""
    if record.telemetry is None or not str(record.telemetry["symbol"]):
        return None
    symbol = str(record.telemetry["symbol"])
    return f"{symbol} / threshold" if _relative(record.telemetry)[-1] else symbol


def _relative(arrays):
    return arrays["threshold"][:, 0] > 0


class HistogramRow:
    """Where the weights of each layer stand; of a single run also how they moved there."""

    def __init__(self, kind):
        self.kind, self.cut = kind, False

    def __call__(self, axes, records, layers):
        mine = [(k, r) for k, r in enumerate(records) if histogram_kind(r) == self.kind]
        curves = [
            (one, *curve)
            for k, record in mine
            for row, how in self._epochs(k, record, alone=len(records) == 1)
            for one, name in zip(axes, layers, strict=True)
            if (curve := _shares(record, name, row, how)) is not None
        ]
        seen = np.mean([shares for _, _, shares, _ in curves], axis=0) >= _FAINT
        inner = np.flatnonzero(seen[1:-1]) + 1
        first, last = (inner[0], inner[-1]) if len(inner) else (1, len(seen) - 2)
        for one, edges, shares, how in curves:
            self.cut |= _stairs(one, edges, 100 * shares, first, last, how)
        for one in axes:
            one.set_visible(any(one is drawn for drawn, *_ in curves))
            one.set_xscale("log")
            one.set_xlabel(self.kind, parse_math=False)
            one.grid(alpha=0.3)
            if "threshold" in self.kind:
                one.axvline(1, color="0.4", linewidth=1, linestyle="--", zorder=1)
        axes[0].set_ylabel("weights per bin (%)")

    def _epochs(self, k, record, alone):
        """Rows of the histograms to draw, oldest first, each with its style."""
        how = {"color": style(k)["color"], "linestyle": style(k)["linestyle"]}
        if not alone:
            return [(len(record.telemetry["epoch"]) - 1, how)]
        rows = shown_epochs(record)
        shades = SHADES[-len(rows) :]
        return [(row, how | {"alpha": alpha}) for row, alpha in zip(rows, shades, strict=True)]


SHADES = (0.3, 0.6, 1.0)


def shown_epochs(record):
    """Rows of the first, a middle and the last epoch of a record, of one kind, oldest first."""
    relative = _relative(record.telemetry)
    rows = np.flatnonzero(relative == relative[-1])
    return sorted({int(rows[0]), int(rows[len(rows) // 2]), int(rows[-1])})


def _shares(record, name, row, how):
    layer = record.layer(name)
    if layer is None:
        return None
    counts = record.telemetry["histogram"][row, layer]
    return record.telemetry["edges"], counts / max(counts.sum(), 1), how


def _stairs(axes, edges, shares, first, last, how):
    """Bins first..last as steps; what lies beyond as a triangle, whether there is one."""
    axes.stairs(shares[first : last + 1], edges[first : last + 2], linewidth=1.3, **how)
    below, beyond = shares[:first].sum(), shares[last + 1 :].sum()
    cut = False
    for share, at, marker in ((below, edges[first], "<"), (beyond, edges[last + 1], ">")):
        if share >= 100 * _SEEN:
            axes.plot([at], [share], marker=marker, markersize=6, clip_on=False, **how)
            cut = True
    return cut


def _name_layers(axes, records, layers):
    for one, name in zip(axes, layers, strict=True):
        found = [(r, r.layer(name)) for r in records]
        sizes = {int(r.telemetry["weights"][k]) for r, k in found if k is not None}
        size = f"\n{sizes.pop():,} weights" if len(sizes) == 1 else ""
        one.set_title(name.removesuffix("/kernel") + size, fontsize=10, parse_math=False)


def _kinds_of_lines(records, rows):
    """Handles for the legend of what is drawn in the histograms."""
    from matplotlib.lines import Line2D

    handles, grey = [], {"color": "0.4"}
    histograms = [row for row in rows if isinstance(row, HistogramRow)]
    if len(records) == 1 and histograms:
        shown = shown_epochs(records[0])
        for row, alpha in zip(shown, SHADES[-len(shown) :], strict=True):
            epoch = records[0].telemetry["epoch"][row]
            how = {"color": style(0)["color"], "alpha": alpha, "linewidth": 2.5}
            handles.append(Line2D([], [], label=f"histogram of epoch {epoch}", **how))
    if any("threshold" in row.kind for row in histograms):
        handles.append(Line2D([], [], linestyle="--", linewidth=1, label="threshold", **grey))
    if any(row.cut for row in histograms):
        how = grey | {"marker": "<", "linestyle": ""}
        handles.append(Line2D([], [], label="all that lies beyond the axis", **how))
    return handles
