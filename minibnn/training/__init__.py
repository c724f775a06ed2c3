"""How a run goes: training, lockstep comparison, run folders, checkpoints, metrics, plots."""

from minibnn.training.about import load
from minibnn.training.callbacks import EarlyStopping
from minibnn.training.distributed import Ranks
from minibnn.training.errors import Interrupted, TrainingError
from minibnn.training.fit import fit, lockstep
from minibnn.training.measure import Evaluation, evaluate
from minibnn.training.metrics import History, Lockstep
from minibnn.training.sweep import SweepResult, sweep
from minibnn.training.telemetry import read_telemetry

__all__ = [
    "EarlyStopping", "Evaluation", "History", "Interrupted", "Lockstep", "Ranks", "SweepResult",
    "TrainingError", "evaluate", "fit", "load", "lockstep", "read_telemetry", "sweep",
]  # fmt: skip
