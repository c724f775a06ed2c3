"""What a person sees while a run is on: a live bar in a terminal, plain lines elsewhere."""

import os
import sys
import time
import warnings
from collections import deque
from datetime import timedelta
from statistics import fmean

from minibnn.errors import InputError
from minibnn.training.distributed import ALONE
from minibnn.training.errors import terminal
from minibnn.training.metrics import row_text

_QUIET_SECONDS = 60  # plain lines: a batch after so long a silence says something


def reporter(progress=None, ranks=ALONE):
    """The reporter meant by ``progress`` of fit and lockstep, on the first of the ranks.

    None: a live bar if standard output is a terminal, plain lines otherwise. False: silence. Else
    it must have the methods of ``Silent``.
    """
    if not ranks.first:
        return Mute()
    if progress is None or progress is True:
        live = ranks.size == 1  # Open MPI gives rank 0 a terminal though nobody may see it
        live = live and os.environ.get("TERM") not in ("dumb", "unknown")  # on which rich is silent
        return Live() if live and sys.stdout and sys.stdout.isatty() else Lines()
    if progress is False:
        return Silent()
    methods = [name for name in vars(Silent) if not name.startswith("_")]
    if not all(callable(getattr(progress, name, None)) for name in methods):
        raise InputError(f"progress must be None, False or a reporter, found {progress!r}")
    return progress


class Pace:
    """Where a run stands, how fast it goes and how long it will take.

    An image of the ``measured`` after each epoch takes a third of the time of one trained. The
    speed is that of the last 200 steps, without the first one, which waits for the compiler.
    """

    def __init__(self, epochs, steps, batch_size, measured, epoch=0, step=0, clock=time.monotonic):
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
        self.epoch, self.step = epoch, step
        self._measuring, self._clock = measured / batch_size / 3, clock  # in steps
        self.start_again()

    def start_again(self):
        """Forget how fast it was: something else computes from now on."""
        self._before, self._step_seconds = None, deque(maxlen=200)

    def end_step(self):
        now = self._clock()
        if self._before is not None:
            self._step_seconds.append(now - self._before)
        self._before = now
        self.step += 1

    def end_epoch(self):
        self._before = self._clock()
        self.epoch, self.step = self.epoch + 1, 0

    @property
    def rate(self):
        """Images trained per second, or None before the second batch."""
        return self.batch_size / fmean(self._step_seconds) if self._step_seconds else None

    @property
    def remaining(self):
        """Seconds left, or None before the second batch."""
        if not self._step_seconds:
            return None
        steps = (self.epochs - self.epoch) * (self.steps + self._measuring) - self.step
        return steps * fmean(self._step_seconds)

    def __str__(self):
        if self.rate is None:
            return ""
        return f"{self.rate:,.0f} images/s, {timedelta(seconds=round(self.remaining))} left"


def epoch_lines(rows, epochs):
    """One line per row: ``epoch  3/20  bop  loss ...``; the name only if there are several."""
    width, name_width = len(str(epochs)), max(len(row["name"]) for row in rows)
    for row in rows:
        name = f"{row['name']:<{name_width}}  " if len(rows) > 1 else ""
        yield f"epoch {row['epoch']:>{width}}/{epochs}  {name}{row_text(row)}"


class Silent:
    """Says nothing; notes become warnings. The methods of every reporter."""

    def begin(self, pace):
        """Training starts, at this Pace, which is kept up to date from now on."""
        self.pace = pace

    def step(self):
        """A batch is done (by every optimizer)."""

    def evaluating(self):
        """The last batch of an epoch is done; measuring starts."""

    def epoch(self, rows):
        """An epoch is done; its rows."""

    def note(self, text):
        """Something one should know."""
        warnings.warn(text, stacklevel=3)

    def end(self):
        """No more will come."""


class Mute(Silent):
    """Says nothing at all: for ranks whose words another rank says."""

    def note(self, text):
        pass


class Lines(Silent):
    """Plain lines on standard output: one per epoch and optimizer, and one a minute between."""

    def begin(self, pace):
        self.pace, self._said = pace, time.monotonic()

    def step(self):
        if time.monotonic() - self._said > _QUIET_SECONDS:
            self.say(f"batch {self.pace.step} of {self.pace.steps}: {self.pace}")

    def epoch(self, rows):
        text = "\n".join(epoch_lines(rows, self.pace.epochs))
        if self.pace.epoch < self.pace.epochs and self.pace.rate:
            text += f" | {self.pace}"
        self.say(text)

    def note(self, text):
        self.say(f"note: {text}")

    def say(self, text):
        with terminal():
            print(text, flush=True)
        self._said = time.monotonic()


class Live(Lines):
    """A bar at the bottom of the terminal, epochs as lines above it."""

    def __init__(self):
        from rich.console import Console

        self._console = Console(highlight=False, emoji=False)

    def begin(self, pace):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress

        self.pace = pace
        columns = "{task.description}", BarColumn(), MofNCompleteColumn()
        how = {"console": self._console, "transient": True}
        self._bar = Progress(*columns, "batches {task.fields[pace]}", **how)
        self._bar.add_task("", total=pace.steps, pace="")
        self._update("(compiling)")
        self._bar.start()

    def step(self):
        self._update(self.pace)

    def evaluating(self):
        self._update("measuring ...")

    def epoch(self, rows):
        self.say("\n".join(epoch_lines(rows, self.pace.epochs)))
        if self.pace.epoch < self.pace.epochs:
            self._update(self.pace)

    def end(self):
        with terminal():
            self._bar.stop()

    def say(self, text):
        with terminal():
            self._console.print(text, markup=False, soft_wrap=True)

    def _update(self, words):
        title = f"epoch {self.pace.epoch + 1}/{self.pace.epochs}"
        (task,) = self._bar.task_ids
        self._bar.update(task, completed=self.pace.step, description=title, pace=str(words))
