"""Figures of runs: what ``fit`` and ``lockstep`` leave behind, and what ``minibnn plot`` draws."""

from minibnn.training.plots.records import Record, find_runs
from minibnn.training.plots.runs import draw_curves, draw_runs
from minibnn.training.plots.style import COLOURS, check_figure_path

__all__ = ["COLOURS", "Record", "check_figure_path", "draw_curves", "draw_runs", "find_runs"]
