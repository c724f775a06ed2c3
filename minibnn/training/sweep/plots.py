"""The pictures of a sweep: a heat map over two keys, and curves in the manner of Fig. 1.

Both show only cells that are done; of several seeds the mean, and their range as a shade.
"""

import contextlib
import math
import statistics

from minibnn.training.metrics import read_rows
from minibnn.training.plots.style import COLOURS, new_figure, save
from minibnn.training.run_folder import METRICS
from minibnn.training.sweep.table import keys_of, mean_and_spread, measured_on, over_seeds

_STYLES = ("-", "--", ":", "-.")
_MOST_LINES, _MOST_PANELS = 12, 6


def draw_sweep(folder, description, rows):
    """Write heatmap.png (with two keys or more) and curves.png into ``folder``.

    Parameters
    ----------
    folder : Path
    description : dict
        sweep.json
    rows : list of dict
        Of summary.csv. Nothing is drawn before a cell is done.
    """
    groups = over_seeds(rows)
    if not groups:
        return
    keys = varied_keys(rows, groups)
    if len(keys) >= 2:
        save(heat_map(groups, keys, description), folder / "heatmap.png", dpi=110)
    save(curves(folder, groups, panels(groups, description)), folder / "curves.png", dpi=110)


def varied_keys(rows, groups):
    """The keys that differ between groups of ``over_seeds``, those of numbers first."""
    keys = [key for key in keys_of(rows) if len({s[key] for s, _ in groups}) > 1]
    return sorted(keys, key=lambda key: any(_number(s[key]) is None for s, _ in groups))


# -- heat map --------------------------------------------------------------------------------------


def heat_map(groups, keys, description):
    """Best accuracy over the first two keys; a panel for each setting of the others.

    Draws from ranges are points, whose places tell their values.
    """
    import numpy as np

    axes_keys, others = keys[:2], keys[2:]
    across, down = axes_keys
    panels = {}
    for settings, group in groups:
        panels.setdefault(_words(settings, others), []).append((settings, group))
    panels = dict(list(panels.items())[:_MOST_PANELS])
    best = [100 * _best(group) for part_ in panels.values() for _, group in part_]
    low, high = min(best), max(best)
    spread = {"vmin": low, "vmax": high if high > low else low + 1, "cmap": "cividis"}
    kinds = [{**description["grid"], **description["scan"]}[k][0].split(":")[0] for k in axes_keys]
    drawn = {"log", "uniform"} & {*kinds} and all(
        _number(settings[key]) is not None for settings, _ in groups for key in axes_keys
    )
    figure = new_figure(5.4 * len(panels) + 0.8, 4.6)
    for axes, (title, members) in zip(
        np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True
    ):
        shown = (_scatter if drawn else _grid)(axes, members, across, down, spread)
        for kind, set_scale in zip(kinds, (axes.set_xscale, axes.set_yscale), strict=True):
            if drawn and kind == "log":
                set_scale("log")
        axes.set_xlabel(across)
        axes.set_ylabel(down)
        axes.set_title(title, parse_math=False)
    seeds = max(len(group) for _, group in groups)
    label = f"best {_accuracy(groups)}" + (f", mean of {seeds} seeds" if seeds > 1 else "")
    figure.colorbar(shown, ax=figure.axes, label=label)
    return figure


def _grid(axes, members, across, down, spread):
    import numpy as np

    x, y = (_sorted({settings[key] for settings, _ in members}) for key in (across, down))
    values = np.full((len(y), len(x)), np.nan)
    for settings, group in members:
        at = y.index(settings[down]), x.index(settings[across])
        values[at] = 100 * _best(group)
        _, deviation = mean_and_spread([100 * row["best_accuracy"] for row in group])
        text = f"{values[at]:.2f}" + (f"\n± {deviation:.2f}" if deviation is not None else "")
        middle = (spread["vmin"] + spread["vmax"]) / 2
        colour = "white" if values[at] < middle else "black"
        axes.text(at[1], at[0], text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(x)), x, parse_math=False)  # a value may be a file called $x^
    axes.set_yticks(range(len(y)), y, parse_math=False)
    axes.set_facecolor("0.9")  # not tried
    return axes.imshow(values, origin="lower", aspect="auto", **spread)


def _scatter(axes, members, across, down, spread):
    points = [(_number(s[across]), _number(s[down]), 100 * _best(g)) for s, g in members]
    x, y, best = zip(*points, strict=True)
    axes.grid(alpha=0.3)
    return axes.scatter(x, y, c=best, s=90, edgecolors="0.3", **spread)


# -- curves ----------------------------------------------------------------------------------------


def panels(groups, description):
    """What is laid over each other: ``{title: {label: index into groups}}``.

    A scan has a panel for each of its keys, as Fig. 1; a grid one for each value of its second key
    (and of further ones), with a line for each value of the first. A random choice is one panel of
    its best cells.
    """
    keys = list(groups[0][0])
    if description.get("random") is not None:
        ranked = sorted(range(len(groups)), key=lambda i: -_best(groups[i][1]))[:_MOST_LINES]
        title = f"the best {len(ranked)} of {len(groups)}" if len(groups) > len(ranked) else ""
        return {title: {_words(groups[i][0], keys): i for i in ranked}}
    found, scan = {}, description["scan"]
    if not scan:
        first, *others = keys
        for i, (settings, _) in enumerate(groups):
            title = _words(settings, others)
            found.setdefault(title, {})[f"{first} = {settings[first]}"] = i
    alone = dict.fromkeys(range(len(groups)) if scan else ())
    for key in scan:
        others = [k for k in keys if k != key]
        lines = {}  # cells in which only this key differs
        for i, (settings, _) in enumerate(groups):
            lines.setdefault(_words(settings, others), {})[f"{key} = {settings[key]}"] = i
        for title, line in lines.items():
            if len(line) > 1:
                order = _sorted({groups[i][0][key] for i in line.values()})
                found[title] = {f"{key} = {v}": line[f"{key} = {v}"] for v in order}
                for i in line.values():
                    alone.pop(i, None)
    if alone:
        found[""] = {_words(groups[i][0], keys): i for i in alone}
    return dict(list(found.items())[:_MOST_PANELS])


def curves(folder, groups, shown):
    """Accuracy above, below it the paper's pi_t of the last layer (Eq. 7), by epoch."""
    figure = new_figure(5.4 * len(shown) + 0.4, 7.2)
    top, bottom = figure.subplots(2, len(shown), squeeze=False, sharex="col", sharey="row")
    shade = "shade: range of the seeds" if any(len(g) > 1 for _, g in groups) else None
    for column, (title, lines) in enumerate(shown.items()):
        for k, (label, i) in enumerate(list(lines.items())[:_MOST_LINES]):
            group = groups[i][1]
            histories = [_history(folder, row) for row in group]
            measured = f"{group[0]['measured_on']}_accuracy"
            style = {
                "color": COLOURS[k % len(COLOURS)],
                "linestyle": _STYLES[k // len(COLOURS) % len(_STYLES)],
            }
            _line(top[column], histories, measured, 100, label=label, **style)
            _line(bottom[column], histories, _last_layer(histories), 1, label=label, **style)
        top[column].set_title(title, parse_math=False)
        bottom[column].set_xlabel("epoch")
        bottom[column].xaxis.get_major_locator().set_params(integer=True)
        for axes in (top[column], bottom[column]):
            axes.grid(alpha=0.3)
        legend = top[column].legend(framealpha=0.8, edgecolor="none", title=shade)
        for text in legend.get_texts():
            text.set_parse_math(False)
    top[0].set_ylabel(_accuracy(groups))
    bottom[0].set_ylabel(r"$\pi_t$ of the last layer, ln(flips/weights + $e^{-9}$)")
    return figure


def _last_layer(histories):
    """The column of pi_t of the network's last binary layer."""
    return [column for column in histories[0][0] if column.startswith("pi:")][-1]


def _line(axes, histories, column, scale, **style):
    """The mean over the seeds, and their range as a shade, where all were measured."""
    both = list(zip(*histories, strict=False))
    both = [rows for rows in both if all(row.get(column) is not None for row in rows)]
    epochs = [rows[0]["epoch"] for rows in both]
    values = [[scale * row[column] for row in rows] for rows in both]
    marker = "o" if len(epochs) == 1 else None
    axes.plot(epochs, [statistics.fmean(v) for v in values], linewidth=1.6, marker=marker, **style)
    if len(histories) > 1:
        low, high = [min(v) for v in values], [max(v) for v in values]
        axes.fill_between(epochs, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _history(folder, row):
    return read_rows(folder / row["cell"] / METRICS)


# -- both ------------------------------------------------------------------------------------------


def _best(group):
    return statistics.fmean(row["best_accuracy"] for row in group)


def _accuracy(groups):
    """What an axis of accuracies is called: of which pictures, if all are of the same."""
    part = measured_on([row for _, group in groups for row in group])
    return " ".join(filter(None, (part, "accuracy (%)")))


def _words(settings, keys):
    return ", ".join(f"{key} = {settings[key]}" for key in keys)


def _number(text):
    with contextlib.suppress(ValueError, TypeError):
        return float(text) if math.isfinite(float(text)) else None
    return None


def _sorted(texts):
    """Numbers by size, then words."""
    return sorted(texts, key=lambda t: (_number(t) is None, _number(t) or 0.0, str(t)))
