"""What may be called after every epoch.

A callback is any callable ``callback(run, row)``, or an object with ``on_epoch_end(run, row)``.
``run`` has ``name``, ``net``, ``optimizer``, ``history`` (the row included) and ``epoch``; ``row``
is the epoch's row of metrics. Returning True ends the training after this epoch; in lockstep,
once every run's callback has returned True for the same epoch.

A resumed run remembers only its history: decide from ``run.history``, as EarlyStopping does.
"""

import math
from numbers import Real

import numpy as np

from minibnn.errors import InputError


class EarlyStopping:
    """Stop when a column of the metrics has not improved for ``patience`` epochs.

    A ``column`` that ends in "loss" improves downwards, every other one upwards, and only what is
    better by more than ``min_delta`` counts.
    """

    def __init__(
        self, column: str = "validation_accuracy", patience: int = 10, min_delta: float = 0.0
    ):
        if not isinstance(patience, Real) or not patience >= 1:
            raise InputError(f"patience must be 1 or more, found {patience!r}")
        if not isinstance(min_delta, Real) or not math.isfinite(min_delta):
            raise InputError(f"min_delta must be a number, found {min_delta!r}")
        self.column, self.patience, self.min_delta = column, patience, min_delta

    def on_epoch_end(self, run, row):
        """Whether to end the training of ``run`` after the epoch of ``row``."""
        if not isinstance(row.get(self.column), Real):
            measured = ", ".join(c for c in row if isinstance(row[c], float))
            raise InputError(f"EarlyStopping: {self.column!r} is not measured; {measured} are")
        sign = -1 if self.column.endswith("loss") else 1
        best, best_at = None, 0
        for i, value in enumerate(run.history[self.column]):
            if value is not None and (best is None or sign * value > best + self.min_delta):
                best, best_at = sign * value, i
        return len(run.history) - 1 - best_at >= self.patience


def call(callbacks, run, row):
    """Call all of them; whether any asked for the end."""
    answers = [getattr(c, "on_epoch_end", c)(run, row) for c in callbacks]
    return any(isinstance(answer, bool | np.bool_) and answer for answer in answers)


def check_callbacks(callbacks):
    """The callbacks as a tuple; InputError if one can't be called."""
    callbacks = tuple(callbacks) if hasattr(callbacks, "__iter__") else (callbacks,)
    for callback in callbacks:
        if isinstance(callback, type) or not callable(getattr(callback, "on_epoch_end", callback)):
            words = "must be callable or have on_epoch_end(run, row)"
            raise InputError(f"a callback {words}, found {callback!r}")
    return callbacks
