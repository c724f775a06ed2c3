"""The figures of a sweep: a heat map over two keys, and curves in the manner of Fig. 1.

Both show only cells that are done; of several seeds the mean, and their range as a shade.
"""

import statistics

import numpy as np

from minibnn.training.metrics import read_rows
from minibnn.training.plots.style import label, line, new_figure, save, style
from minibnn.training.run_folder import METRICS
from minibnn.training.sweep.grid import text_of
from minibnn.training.sweep.table import mean_and_spread, over_seeds

_MOST_LINES, _MOST_PANELS = 12, 6


def draw_sweep(folder, description, rows):
    """Write curves.png and, of a grid or scan with two keys or more, heatmap.png."""
    groups = over_seeds(rows)
    if not groups:
        return
    if keys := heat_map_keys(groups, description):
        save(heat_map(groups, keys), folder / "heatmap.png", dpi=110)
    save(curves(folder, groups, panels(groups, description)), folder / "curves.png", dpi=110)


def heat_map_keys(groups, description):
    """The keys that vary, those of numbers first; none if fewer than two do, or of random cells."""
    if not groups or description["random"] is not None:
        return []
    values = {key: {settings[key] for settings, _ in groups} for key in groups[0][0]}
    keys = [key for key in values if len(values[key]) > 1]
    keys.sort(key=lambda key: any(isinstance(value, str) for value in values[key]))
    return keys if len(keys) >= 2 else []


def heat_map(groups, keys):
    """Best accuracy over the first two keys; a panel per value of the others."""
    across, down, *others = keys
    shown = {}
    for settings, group in groups:
        shown.setdefault(_words(settings, others), []).append((settings, group))
    shown = dict(list(shown.items())[:_MOST_PANELS])
    best = [_best(group) for members in shown.values() for _, group in members]
    colours = {"vmin": min(best), "vmax": max(max(best), min(best) + 1e-9), "cmap": "cividis"}
    figure = new_figure(5.4 * len(shown) + 0.8, 4.6)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for one, (title, members) in zip(axes, shown.items(), strict=True):
        label(one, title, down, x=across)
        image = _grid(one, members, across, down, colours)
    seeds = max(len(group) for _, group in groups)
    words = f"best {_accuracy(groups)}" + (f", mean of {seeds} seeds" if seeds > 1 else "")
    figure.colorbar(image, ax=figure.axes, label=words)
    return figure


def _grid(axes, members, across, down, colours):
    """A coloured cell with its number for each member; what was not tried is grey."""
    x, y = (_sorted({settings[key] for settings, _ in members}) for key in (across, down))
    values = np.full((len(y), len(x)), np.nan)
    for settings, group in members:
        at = y.index(settings[down]), x.index(settings[across])
        mean, deviation = mean_and_spread([100 * row["best_accuracy"] for row in group])
        values[at] = mean
        text = f"{mean:.2f}" + (f"\n± {deviation:.2f}" if deviation is not None else "")
        dark = mean < (colours["vmin"] + colours["vmax"]) / 2
        how = {"ha": "center", "va": "center", "color": "white" if dark else "black"}
        axes.text(at[1], at[0], text, **how)
    # A value may be a file called $x^.
    axes.set_xticks(range(len(x)), [*map(text_of, x)], parse_math=False)
    axes.set_yticks(range(len(y)), [*map(text_of, y)], parse_math=False)
    axes.set_facecolor("0.9")
    axes.grid(False)
    return axes.imshow(values, origin="lower", aspect="auto", **colours)


def panels(groups, description):
    """What is laid over each other: ``{title: {label: index into groups}}``.

    A scan has a panel for each of its keys, as Fig. 1; a grid one for each value of further keys,
    with a line for each value of the first. A random choice is one panel of its best cells.
    """
    keys = list(groups[0][0])
    if description.get("random") is not None:
        ranked = sorted(range(len(groups)), key=lambda i: -_best(groups[i][1]))[:_MOST_LINES]
        title = f"the best {len(ranked)} of {len(groups)}" if len(groups) > len(ranked) else ""
        return {title: {_words(groups[i][0], keys): i for i in ranked}}
    found, scan = {}, description["scan"]
    for key in scan or keys[:1]:
        others = [k for k in keys if k != key]
        lines = {}  # cells in which only this key differs
        for i, (settings, _) in enumerate(groups):
            lines.setdefault(_words(settings, others), {})[settings[key]] = i
        for title, members in lines.items():
            if len(members) > 1 or not scan:
                values = _sorted(members) if scan else members
                found[title] = {_words({key: value}, [key]): members[value] for value in values}
    seen = {i for members in found.values() for i in members.values()}
    if alone := [i for i in range(len(groups)) if i not in seen]:
        found[""] = {_words(groups[i][0], keys): i for i in alone}
    return dict(list(found.items())[:_MOST_PANELS])


def curves(folder, groups, shown):
    """Accuracy above, below it the paper's pi_t of the last layer (Eq. 7), by epoch."""
    figure = new_figure(5.4 * len(shown) + 0.4, 7.2)
    axes = figure.subplots(2, len(shown), squeeze=False, sharex="col", sharey="row")
    shade = "shade: range of the seeds" if any(len(g) > 1 for _, g in groups) else None
    for (upper, lower), (title, lines) in zip(axes.T, shown.items(), strict=True):
        for k, (words, i) in enumerate(list(lines.items())[:_MOST_LINES]):
            group = groups[i][1]
            histories = [read_rows(folder / row["cell"] / METRICS) for row in group]
            last_layer = [name for name in histories[0][0] if name.startswith("pi:")][-1]
            how = style(k) | {"marker": "", "label": words}
            _line(upper, histories, f"{group[0]['measured_on']}_accuracy", 100, **how)
            _line(lower, histories, last_layer, 1, **how)
        label(upper, title, _accuracy(groups), x="")
        label(lower, "", r"$\pi_t$ of the last layer, ln(flips/weights + $e^{-9}$)")
        for text in upper.legend(framealpha=0.8, edgecolor="none", title=shade).get_texts():
            text.set_parse_math(False)
    for one in axes[:, 1:].flat:
        one.set_ylabel("")
    return figure


def _line(axes, histories, column, scale, **how):
    """The mean over the seeds, and their range as a shade, where all were measured."""
    epochs, values = [], []
    for rows in zip(*histories, strict=False):
        if all(row.get(column) is not None for row in rows):
            epochs.append(rows[0]["epoch"])
            values.append([scale * row[column] for row in rows])
    line(axes, epochs, [statistics.fmean(v) for v in values], **how)
    if len(histories) > 1:
        low, high = [min(v) for v in values], [max(v) for v in values]
        axes.fill_between(epochs, low, high, color=how["color"], alpha=0.15, linewidth=0)


def _best(group):
    """The mean best accuracy in percent."""
    return 100 * statistics.fmean(row["best_accuracy"] for row in group)


def _accuracy(groups):
    """What an axis of accuracies is called: of which images, if all are of the same."""
    parts = {row["measured_on"] for _, group in groups for row in group}
    return " ".join([*(parts if len(parts) == 1 else ()), "accuracy (%)"])


def _words(settings, keys):
    return ", ".join(f"{key} = {text_of(settings[key])}" for key in keys)


def _sorted(values):
    """Numbers by size, then words; what nobody set comes last."""
    return sorted(values, key=lambda x: (x is None, isinstance(x, str), x))
