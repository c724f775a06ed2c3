"""The figures of a report, each a small one of its own, so that it can be read on a phone."""

from html import escape

import numpy as np

from minibnn.training.plots import curves, runs
from minibnn.training.plots.confusion import confusion_figure
from minibnn.training.plots.style import label, line, measured_part, new_figure, style
from minibnn.training.report.svg import Figures, drawing, framed
from minibnn.training.sweep import plots as sweeps

WIDTH, HEIGHT = 5.0, 3.1  # inches; a phone shows them at nine tenths of that
SMALL = 3.4, 2.4
PI_T = "πₜ = ln(flips/weights + e⁻⁹)"


class Drawn:
    """Draws records; what it returns is HTML.

    Parameters
    ----------
    records : list of Record
        Of which the k-th has the k-th style in every figure.
    """

    def __init__(self, records):
        self.records, self._figures = records, Figures()
        self.histories = {record.label: record.history for record in records}
        self.part = measured_part(self.histories.values())
        self.pairs = curves.agreement_pairs(self.histories)

    def legend(self):
        """The runs and how their lines look."""
        return self._legend([(record.label, style(k)) for k, record in enumerate(self.records)])

    def curves(self):
        """Accuracy, loss, flips and, where it was measured, agreement, by epoch."""
        part = self.part
        yield self._one(
            f"Accuracy: {part} pictures, dotted training pictures",
            lambda axes: curves.draw_accuracy(axes, self.histories, part),
        )
        yield self._one(
            f"Loss: {part} pictures, dotted training pictures",
            lambda axes: curves.draw_loss(axes, self.histories, part),
        )
        yield self._one(
            "Binary weights that flip in a step, of all",
            lambda axes: curves.draw_flips(axes, self.histories),
        )
        if any(record.telemetry is not None for record in self.records):
            yield self._one("Binary weights that have never flipped yet", self._never_flipped)

    def agreement(self):
        """The binary weights that two runs have in common, by epoch; nothing of one run."""
        if self.pairs:
            named = [(f"{a} and {b}", curves.pair_style(k)) for k, (a, b) in enumerate(self.pairs)]
            yield self._legend(named)
            yield self._one(
                "Binary weights that are equal in two networks",
                lambda axes: curves.draw_agreement(axes, self.histories, self.pairs),
            )

    def layers(self):
        """Yield (heading, explanation, figures) of each quantity that is known by layer."""
        layers, left_out = runs.chosen_layers(self.records)
        if not layers:
            return
        of_all = f" {len(layers)} of {len(layers) + left_out} layers." if left_out else ""
        rows = runs.layer_rows(self.records)
        words = [
            ("Flips per step, by layer", f"{PI_T}, the paper's Eq. 7, of an epoch's mean step."),
            ("Never flipped, by layer", "Share of the weights that no step has flipped yet, in %."),
        ]
        for row in rows[2:]:
            words.append((f"How far the weights stand from flipping: {row.kind}", ""))
        for row, (heading, text) in zip(rows, words, strict=True):
            with drawing():
                figures = [new_figure(*SMALL) for _ in layers]
                axes = [figure.subplots() for figure in figures]
                row(axes, self.records, layers)
                _alike([one for one in axes if one.get_visible()])
            if isinstance(row, runs.HistogramRow):
                text = self._histogram_words(row)
            pictures = [
                framed(self._figures.svg(figure, f"{heading}, {name}"), self._layer_words(name))
                for figure, name, one in zip(figures, layers, axes, strict=True)
                if one.get_visible()
            ]
            yield heading, text + of_all, pictures

    def confusion(self, measured):
        """A picture of the confusion of more classes than a table can show."""
        with drawing():
            figure = confusion_figure(measured.confusion, measured.classes)
        words = "Share of each class that got each answer"
        return framed(self._figures.svg(figure, words), words)

    def heat_map(self, description, rows):
        """Best accuracies of a sweep over two of its keys; nothing if it has not so many."""
        groups = sweeps.over_seeds(rows)
        keys = sweeps.varied_keys(rows, groups)
        if len(keys) >= 2:
            with drawing():
                figure = sweeps.heat_map(groups, keys, description)
            words = f"Best accuracy over {keys[0]} and {keys[1]}"
            yield framed(self._figures.svg(figure, words, "figure own-colours"), words)

    def _one(self, caption, draw):
        with drawing():
            figure = new_figure(WIDTH, HEIGHT)
            axes = figure.subplots()
            draw(axes)
            axes.set_title("")
        return framed(self._figures.svg(figure, caption), caption)

    def _never_flipped(self, axes):
        for k, record in enumerate(self.records):
            if (arrays := record.telemetry) is not None:
                line(axes, arrays["epoch"], 100 * runs.never_flipped(arrays), **style(k))
        label(axes, "", "binary weights (%)")
        runs.log_if_small(axes)

    def _layer_words(self, name):
        found = [(r.telemetry["weights"], r.layer(name)) for r in self.records if r.telemetry]
        sizes = {int(weights[k]) for weights, k in found if k is not None}
        size = f", {sizes.pop():,} weights" if len(sizes) == 1 else ""
        return name.removesuffix("/kernel") + size

    def _histogram_words(self, row):
        words = ["Weights per bin in %"]
        if "threshold" in row.kind:
            words.append("right of the dashed line a weight flips if its sign says so")
        if len(self.records) == 1:
            epochs = self.records[0].telemetry["epoch"][runs.shown_epochs(self.records[0])]
            if len(epochs) > 1:
                words.append(f"epochs {', '.join(map(str, epochs))} from pale to strong")
        else:
            words.append("of the last epoch")
        if row.cut:
            words.append("a triangle is all that lies beyond the axis")
        return "; ".join(words) + "."

    def _legend(self, named):
        from matplotlib.lines import Line2D

        items = []
        for name, how in named:
            with drawing():
                figure = new_figure(0.5, 0.2)
                figure.add_artist(
                    Line2D([0.02, 0.5, 0.98], [0.5] * 3, markevery=[1], markersize=6, **how)
                )
            svg = self._figures.svg(figure, "", "swatch").replace(
                'role="img" aria-label=""', 'aria-hidden="true"'
            )
            items.append(f"<li>{svg} {escape(name)}</li>")
        return f'<ul class="legend">{"".join(items)}</ul>'


def _alike(axes):
    """One range for all: figures side by side are read against each other."""
    for get, set_ in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
        limits = np.array([getattr(one, get)() for one in axes])
        for one in axes:
            getattr(one, set_)(limits[:, 0].min(), limits[:, 1].max())
            one.set_ylabel("")
