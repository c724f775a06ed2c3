"""The figures of runs over each other: their metrics, and what every binary layer does.

The upper row is as the paper's Fig. 2; pi_t of every layer as in Fig. 1. Colours mean runs
everywhere.
"""

from functools import partial

import numpy as np

from minibnn.errors import one_line
from minibnn.training.metrics import compared_pairs
from minibnn.training.plots.style import draw_metrics, label, line, new_figure, save, style

MOST_LAYERS = 10  # columns that can still be read; of more layers a choice is drawn
_FAINT = 5e-4  # share of a layer's weights that is worth widening an axis for


def draw_curves(path, histories, title=None):
    """Draw ``histories``, a dict by name, under a ``title`` to ``path`` (.png, .pdf or .svg)."""
    pairs = compared_pairs(histories)
    figure = new_figure(*((10, 7.5) if pairs else (12, 4.4)))
    draw_metrics(figure, figure.subplots(*((2, 2) if pairs else (1, 3))).flat, histories)
    if title:
        figure.suptitle(title, parse_math=False)
    save(figure, path)


def draw_runs(path, records, title=None):
    """Write ``runs_figure`` of ``records``, with a ``title``, to ``path`` (.png, .pdf or .svg)."""
    save(runs_figure(records, title), path, dpi=110)


def runs_figure(records, title=None):
    """A figure of runs, a list of Record: their metrics and, where there is any, telemetry."""
    layers, left_out = chosen_layers(records)
    kinds = [kind for kind in dict.fromkeys(map(histogram_kind, records)) if kind]
    rows = [
        partial(_by_epoch, what="pi", unit=r"$\pi_t = \ln(\mathrm{flips/weights} + e^{-9})$"),
        partial(_by_epoch, what="never_flipped", unit="never flipped (%)", scale=100),
        *(partial(_histograms, kind=kind) for kind in kinds),
    ]
    rows = rows if layers else []
    heights = [3.4] + [2.3 * len(rows)] * bool(rows)
    figure = new_figure(max(13.0, 1.5 + 1.75 * len(layers)), 0.8 + sum(heights))
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    histories = {record.label: record.history for record in records}
    upper = parts[0].subplots(1, 4 if compared_pairs(histories) else 3)
    draw_metrics(figure, upper, histories, threshold="threshold" in str(kinds))
    if rows:
        grid = parts[-1].subplots(len(rows), len(layers), squeeze=False, sharex="row", sharey="row")
        for axes, draw in zip(grid, rows, strict=True):
            draw(axes, records, layers)
        _name_layers(grid[0], records, layers)
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


def _name_layers(axes, records, layers):
    for one, name in zip(axes, layers, strict=True):
        found = [(r, r.layer(name)) for r in records]
        sizes = {int(r.telemetry["weights"][k]) for r, k in found if k is not None}
        size = f"\n{sizes.pop():,} weights" if len(sizes) == 1 else ""
        one.set_title(name.removesuffix("/kernel") + size, fontsize=10, parse_math=False)


def _by_epoch(axes, records, layers, what, unit, scale=1):
    for k, record in enumerate(records):
        how = style(k) | {"marker": "", "linewidth": 1.3}
        for one, name in zip(axes, layers, strict=True):
            if (layer := record.layer(name)) is not None:
                values = record.telemetry[what][:, layer]
                line(one, record.telemetry["epoch"], scale * values, **how)
    for one in axes:
        label(one, "", "")
    axes[0].set_ylabel(unit)


def histogram_kind(record):
    """What a record's histograms are of at its last epoch, with unit; None if of nothing."""
    if record.telemetry is None or not (symbol := str(record.telemetry["symbol"])):
        return None
    return f"{symbol} / threshold" if (record.telemetry["threshold"][-1] > 0).any() else symbol


def _histograms(axes, records, layers, kind):
    """Where each layer's weights stand at last; the outermost bins hold all that lies beyond."""
    curves = []
    for k, record in enumerate(records):
        if histogram_kind(record) != kind:
            continue
        how = {"color": style(k)["color"], "linestyle": style(k)["linestyle"]}
        for one, name in zip(axes, layers, strict=True):
            if (layer := record.layer(name)) is not None:
                counts = record.telemetry["histogram"][-1, layer]
                curves.append((one, counts / max(counts.sum(), 1), how))
    edges = next(r for r in records if r.telemetry is not None).telemetry["edges"]
    seen = np.mean([shares for _, shares, _ in curves], axis=0) >= _FAINT
    inner = np.flatnonzero(seen[1:-1]) + 1
    first, last = (inner[0], inner[-1]) if len(inner) else (1, len(seen) - 2)
    for one, shares, how in curves:
        held = shares[first : last + 1].copy()
        held[0] += shares[:first].sum()
        held[-1] += shares[last + 1 :].sum()
        one.stairs(100 * held, edges[first : last + 2], linewidth=1.3, **how)
    for one in axes:
        one.set_visible(any(one is drawn for drawn, *_ in curves))
        one.set_xscale("log")
        label(one, "", "", x=kind)
        if "threshold" in kind:
            one.axvline(1, color="0.4", linewidth=1, linestyle="--", zorder=1)
    axes[0].set_ylabel("weights per bin (%)")
