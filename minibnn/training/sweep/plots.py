"""The figures of a sweep: a heat map over two keys, and curves in the manner of Fig. 1.

Both show only cells that are done; of several seeds the mean, and their range as a shade.
"""

import statistics

from minibnn.training.metrics import read_rows
from minibnn.training.plots.style import COLOURS, new_figure, save
from minibnn.training.run_folder import METRICS
from minibnn.training.sweep.grid import text_of
from minibnn.training.sweep.table import keys_of, mean_and_spread, over_seeds

_STYLES = ("-", "--", ":", "-.")
_MOST_LINES, _MOST_PANELS = 12, 6


def draw_sweep(folder, description, rows):
    """Write curves.png and, with two keys or more, heatmap.png into ``folder``.

    ``description`` is sweep.json, ``rows`` are those of summary.csv; nothing is drawn before a cell
    is done.
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
    return sorted(keys, key=lambda key: not _all_numbers(groups, key))


def _all_numbers(groups, *keys):
    return all(isinstance(settings[key], int | float) for settings, _ in groups for key in keys)


# -- heat map --------------------------------------------------------------------------------------


def heat_map(groups, keys, description):
    """Best accuracy over the first two keys; a panel for each setting of the others.

    Draws from ranges are points, whose places tell their values.
    """
    import numpy as np

    (across, down), others = keys[:2], keys[2:]
    shown = {}
    for settings, group in groups:
        shown.setdefault(_words(settings, others), []).append((settings, group))
    shown = dict(list(shown.items())[:_MOST_PANELS])
    best = [100 * _best(group) for members in shown.values() for _, group in members]
    low, high = min(best), max(best)
    spread = {"vmin": low, "vmax": high if high > low else low + 1, "cmap": "cividis"}
    given = {**description["grid"], **description["scan"]}
    kinds = [text_of(given[key][0]).split(":")[0] for key in (across, down)]
    drawn = {"log", "uniform"} & {*kinds} and _all_numbers(groups, across, down)
    figure = new_figure(5.4 * len(shown) + 0.8, 4.6)
    panels = np.atleast_1d(figure.subplots(1, len(shown)))
    for axes, (title, members) in zip(panels, shown.items(), strict=True):
        image = (_scatter if drawn else _grid)(axes, members, across, down, spread)
        if drawn:
            axes.set_xscale("log" if kinds[0] == "log" else "linear")
            axes.set_yscale("log" if kinds[1] == "log" else "linear")
        axes.set_xlabel(across)
        axes.set_ylabel(down)
        axes.set_title(title, parse_math=False)
    seeds = max(len(group) for _, group in groups)
    label = f"best {_accuracy(groups)}" + (f", mean of {seeds} seeds" if seeds > 1 else "")
    figure.colorbar(image, ax=figure.axes, label=label)
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
    # A value may be a file called $x^.
    axes.set_xticks(range(len(x)), [*map(text_of, x)], parse_math=False)
    axes.set_yticks(range(len(y)), [*map(text_of, y)], parse_math=False)
    axes.set_facecolor("0.9")  # not tried
    return axes.imshow(values, origin="lower", aspect="auto", **spread)


def _scatter(axes, members, across, down, spread):
    points = [(settings[across], settings[down], 100 * _best(group)) for settings, group in members]
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
    for key in scan or keys[:1]:
        others = [k for k in keys if k != key]
        lines = {}  # cells in which only this key differs
        for i, (settings, _) in enumerate(groups):
            lines.setdefault(_words(settings, others), {})[settings[key]] = i
        for title, line in lines.items():
            if len(line) > 1 or not scan:
                values = _sorted(line) if scan else line
                found[title] = {_words({key: value}, [key]): line[value] for value in values}
    seen = {i for line in found.values() for i in line.values()}
    if alone := [i for i in range(len(groups)) if i not in seen]:
        found[""] = {_words(groups[i][0], keys): i for i in alone}
    return dict(list(found.items())[:_MOST_PANELS])


def curves(folder, groups, shown):
    """Accuracy above, below it the paper's pi_t of the last layer (Eq. 7), by epoch."""
    figure = new_figure(5.4 * len(shown) + 0.4, 7.2)
    top, bottom = figure.subplots(2, len(shown), squeeze=False, sharex="col", sharey="row")
    shade = "shade: range of the seeds" if any(len(g) > 1 for _, g in groups) else None
    for upper, lower, (title, lines) in zip(top, bottom, shown.items(), strict=True):
        for k, (label, i) in enumerate(list(lines.items())[:_MOST_LINES]):
            group = groups[i][1]
            histories = [read_rows(folder / row["cell"] / METRICS) for row in group]
            measured = f"{group[0]['measured_on']}_accuracy"
            last_layer = [name for name in histories[0][0] if name.startswith("pi:")][-1]
            colour = COLOURS[k % len(COLOURS)]
            how = {"label": label, "color": colour, "linestyle": _STYLES[k // len(COLOURS)]}
            _line(upper, histories, measured, 100, **how)
            _line(lower, histories, last_layer, 1, **how)
        upper.set_title(title, parse_math=False)
        lower.set_xlabel("epoch")
        lower.xaxis.get_major_locator().set_params(integer=True)
        upper.grid(alpha=0.3)
        lower.grid(alpha=0.3)
        legend = upper.legend(framealpha=0.8, edgecolor="none", title=shade)
        for text in legend.get_texts():
            text.set_parse_math(False)
    top[0].set_ylabel(_accuracy(groups))
    bottom[0].set_ylabel(r"$\pi_t$ of the last layer, ln(flips/weights + $e^{-9}$)")
    return figure


def _line(axes, histories, column, scale, **how):
    """The mean over the seeds, and their range as a shade, where all were measured."""
    epochs, values = [], []
    for rows in zip(*histories, strict=False):
        if all(row.get(column) is not None for row in rows):
            epochs.append(rows[0]["epoch"])
            values.append([scale * row[column] for row in rows])
    marker = "o" if len(epochs) == 1 else None
    axes.plot(epochs, [statistics.fmean(v) for v in values], linewidth=1.6, marker=marker, **how)
    if len(histories) > 1:
        low, high = [min(v) for v in values], [max(v) for v in values]
        axes.fill_between(epochs, low, high, color=how["color"], alpha=0.15, linewidth=0)


# -- both ------------------------------------------------------------------------------------------


def _best(group):
    return statistics.fmean(row["best_accuracy"] for row in group)


def _accuracy(groups):
    """What an axis of accuracies is called: of which images, if all are of the same."""
    parts = {row["measured_on"] for _, group in groups for row in group}
    return " ".join([*(parts if len(parts) == 1 else ()), "accuracy (%)"])


def _words(settings, keys):
    return ", ".join(f"{key} = {text_of(settings[key])}" for key in keys)


def _sorted(values):
    """Numbers by size, then words."""
    numbers = sorted(value for value in values if isinstance(value, int | float))
    return numbers + sorted((v for v in values if not isinstance(v, int | float)), key=text_of)
