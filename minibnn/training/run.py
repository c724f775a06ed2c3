"""One network being trained by one optimizer: a step, an epoch's sums, and its whole state."""

import math
import time

import numpy as np

from minibnn.errors import InputError, integer
from minibnn.files import checkpoint
from minibnn.nn.layers.layer import as_array
from minibnn.optim import NonFiniteError
from minibnn.training.distributed import ALONE, Exchange
from minibnn.training.errors import TrainingError
from minibnn.training.measure import evaluate
from minibnn.training.metrics import History
from minibnn.training.run_folder import RUN_NAME
from minibnn.training.telemetry import Telemetry


class Run:
    """A network, its optimizer (already bound to the length of the run), and what they measured.

    ``loss(logits, labels)`` returns (loss, dlogits) and measures the network; ``training_loss``, if
    given, trains it. ``epoch`` counts the epochs finished, ``step`` the steps done of the one after
    those; ``stopped`` is set when a callback ended the run.
    """

    def __init__(
        self, name, net, optimizer, loss, ranks=ALONE, sync_batch_norm=False, training_loss=None
    ):
        if not isinstance(name, str) or not RUN_NAME.fullmatch(name):  # also that of a folder
            words = "letters, digits and . _ + - (first a letter or digit) and not end as a file's"
            raise InputError(f"a run's name must be made of {words}, found {name!r}")
        self.name, self.net, self.optimizer, self.loss = name, net, optimizer, loss
        self.ranks, self.exchange = ranks, Exchange(net, ranks, sync_batch_norm)
        self.history = History(name)
        self.epoch, self.step, self.stopped = 0, 0, False
        self._training_loss = training_loss or loss
        self._parameters = net.parameters()
        self.telemetry = Telemetry([p for p in self._parameters if p.binary])
        self._clear_sums()

    @property
    def position(self):
        """Where the run stands, in words."""
        return f"{self.epoch} epochs and {self.step} steps"

    def train_step(self, x, labels):
        """Forward, backward and the optimizer's step on one batch, or this rank's piece of it.

        Returns the loss and how many signs flipped. TrainingError if loss or a gradient is not
        finite; on all ranks, if on one.
        """
        start = time.perf_counter()
        logits = as_array(self.net.forward(x, training=True))
        loss, dlogits = self._training_loss(logits, labels)
        loss += self.net.penalty()  # its gradient comes with backward
        correct = int(np.count_nonzero(logits.argmax(axis=1) == labels))
        if self.ranks.size == 1:
            self._check_loss(loss)
            self.net.backward(dlogits)
        else:  # the others wait in the backward pass
            self.net.backward(self.exchange.of_whole_batch(dlogits))
            self.exchange.join()
            loss, correct = self.ranks.sum(np.array([loss, correct], np.float64))
            loss, correct = loss / self.ranks.size, int(correct)
            self._check_loss(loss)
        if self.exchange.exact:  # without the last bits, which depend on the number of ranks
            loss = round(loss, 9)
        before = self.telemetry.signs()
        try:
            flips = self.optimizer.step(self._parameters)
        except NonFiniteError as error:
            raise self._error(str(error)) from None
        self.telemetry.add_step(before)
        self.sums["loss"] += float(loss)
        self.sums["correct"] += correct
        self.sums["seen"] += len(labels) * self.ranks.size
        for name, count in flips.items():
            self.sums["flips"][name] += int(count)
        self.sums["seconds"] += time.perf_counter() - start
        self.step += 1
        return loss, sum(flips.values())

    def end_epoch(self):
        """The row of the epoch just done, without test or validation; sums start anew."""
        self._check_finite(self.net.state_dict())  # a sign would hide NaN
        if len(set(self.ranks.gather(self.net.digest()))) > 1:
            raise TrainingError(f"{self.name}, epoch {self.epoch + 1}: the ranks differ in weights")
        sums, layers = self.sums, self.sums["flips"]
        flips = sum(layers.values())
        chances = int(self.telemetry.weights.sum()) * self.step
        row = {
            "epoch": self.epoch + 1,
            "name": self.name,
            "train_loss": sums["loss"] / self.step,
            "train_accuracy": sums["correct"] / sums["seen"],
            "test_loss": None,
            "test_accuracy": None,
            "flips": flips,
            "flip_ratio": flips / chances if chances else 0.0,
            "seconds": sums["seconds"],
            **{f"flips:{name}": count for name, count in layers.items()},
        }
        row |= self.telemetry.measure(
            row["epoch"], self.step, list(layers.values()), self.optimizer
        )
        self.epoch, self.step = self.epoch + 1, 0
        self._clear_sums()
        return row

    def measure(self, row, part, data, batch_size):
        """Put loss and accuracy (and top 5) on ``part`` ("test", "validation") into ``row``."""
        start = time.perf_counter()
        images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
        how = {"batch_size": batch_size, "loss": self.loss, "ranks": self.ranks}
        result = evaluate(self.net, images, labels, **how)
        self._check_loss(result.loss, f"{part} loss", row["epoch"])
        row[f"{part}_loss"], row[f"{part}_accuracy"] = result.loss, result.accuracy
        if data.top5:
            row[f"{part}_top5"] = result.top5
        row["seconds"] += time.perf_counter() - start

    def encode(self):
        """The whole state as the bytes of a checkpoint; TrainingError if it is not finite."""
        meta, arrays = self.state()
        self._check_finite(arrays)
        return checkpoint.encode(meta, arrays)

    def encode_best(self, measured):
        """The bytes of best.npz: the network alone, with its epoch and what was measured."""
        meta = {"network": self.net.config(), "epoch": self.epoch, "best": measured}
        return checkpoint.encode(meta, _prefixed(network=self.net.state_dict()))

    def state(self):
        """The whole state, as the description and the arrays of a checkpoint."""
        arrays = _prefixed(
            network=self.net.state_dict(),
            optimizer=self.optimizer.state_dict(),
            flipped=self.telemetry.state_dict(),
        )
        where = {"epoch": self.epoch, "step": self.step, "stopped": self.stopped}
        meta = {"network": self.net.config(), **where, "sums": self.sums}
        return meta, arrays

    def restore(self, path):
        """Go back to the state in a checkpoint file; InputError if that does not fit."""
        meta, arrays = checkpoint.read(path)
        if "best" in meta or "epoch" not in meta:
            raise InputError(f"{path} holds a network alone (like a best.npz), not a run")
        try:
            self.load_state(meta, arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is from another model or optimizer: {error}") from None

    def load_state(self, meta, arrays):
        """Take over what ``state`` gave; KeyError, TypeError or ValueError if it does not fit."""
        sums, layers = meta["sums"], self.telemetry.layers
        flips = {name: integer(sums["flips"][name], name, 0) for name in layers}
        counts = {name: integer(sums[name], name, 0) for name in ("correct", "seen")}
        floats = {name: float(sums[name]) for name in ("loss", "seconds")}
        sums = floats | counts | {"flips": flips}
        epoch, step = (integer(meta[name], name, 0) for name in ("epoch", "step"))
        parts = {"network": {}, "optimizer": {}, "flipped": {}}
        for name, array in arrays.items():
            part, _, name = name.partition("/")
            parts[part][name] = array
        self.net.load_state_dict(parts["network"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.telemetry.load_state_dict(parts["flipped"])
        self.epoch, self.step, self.stopped = epoch, step, meta["stopped"] is True
        self.sums = sums

    def share(self):
        """Give all ranks the state and the rows of rank 0."""
        if self.ranks.size == 1:
            return
        own = (*self.state(), self.history.rows) if self.ranks.first else None
        meta, arrays, rows = self.ranks.from_first(own)
        if not self.ranks.first:
            self.load_state(meta, arrays)
            self.history.rows[:] = rows

    def _check_finite(self, arrays):
        if found := not_finite(arrays):
            raise TrainingError(f"{self.name}, epoch {self.epoch + (self.step > 0)}: {found}")

    def _clear_sums(self):
        flips = dict.fromkeys(self.telemetry.layers, 0)
        # since the epoch began
        self.sums = {"loss": 0.0, "correct": 0, "seen": 0, "seconds": 0.0, "flips": flips}

    def _check_loss(self, loss, what="loss", epoch=None):
        """TrainingError for a loss that is not finite; of the step, or measured after ``epoch``."""
        if not math.isfinite(loss):
            found = not_finite(self.net.state_dict()) or "all parameters are finite"
            raise self._error(f"the {what} is {loss}; {found}", epoch)

    def _error(self, what, epoch=None):
        where = f"{self.epoch + 1}, step {self.step + 1}" if epoch is None else epoch
        return TrainingError(f"{self.name}, epoch {where}: {what}")


def not_finite(arrays):
    """Words for the first of ``arrays``, by name, that holds NaN or infinity, or None."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            return f"{name} holds NaN or infinity"
    return None


def _prefixed(**parts):
    return {f"{part}/{name}": a for part, arrays in parts.items() for name, a in arrays.items()}
