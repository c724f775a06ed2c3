"""A sweep: many runs of one grid, on any executor, each cell a run folder of its own."""

from minibnn.training.sweep.run import SweepResult, sweep

__all__ = ["SweepResult", "sweep"]
