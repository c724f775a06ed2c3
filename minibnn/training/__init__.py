"""How a run goes: training, lockstep comparison, run folders, checkpoints, metrics, pictures."""

from minibnn.training.callbacks import EarlyStopping
from minibnn.training.distributed import Ranks
from minibnn.training.errors import Interrupted, TrainingError
from minibnn.training.evaluate import Evaluation, evaluate
from minibnn.training.fit import fit
from minibnn.training.load import load
from minibnn.training.lockstep import lockstep
from minibnn.training.metrics import History, Lockstep
from minibnn.training.sweep import SweepResult, sweep
from minibnn.training.telemetry import read_telemetry

__all__ = [
    "EarlyStopping",
    "Evaluation",
    "History",
    "Interrupted",
    "Lockstep",
    "Ranks",
    "SweepResult",
    "TrainingError",
    "evaluate",
    "fit",
    "load",
    "lockstep",
    "read_telemetry",
    "sweep",
]
