"""What a person sees while a run is on: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
import warnings
from collections import deque
from statistics import fmean

from minibnn.errors import InputError
from minibnn.training.interrupt import terminal
from minibnn.training.metrics import row_text

_QUIET_SECONDS = 60  # plain lines: a batch after so long a silence says something


def reporter(progress=None):
    """The reporter meant by the argument ``progress`` of fit and lockstep.

    None: a live bar if standard output is a terminal, plain lines otherwise. False: silence.
    Anything else must be a reporter (have the methods of ``Silent``) and is returned as it is.
    """
    if progress is None or progress is True:
        return Live() if sys.stdout and sys.stdout.isatty() else Lines()
    if progress is False:
        return Silent()
    if not all(callable(getattr(progress, name, None)) for name in _METHODS):
        raise InputError(f"progress must be None, False or a reporter, found {progress!r}")
    return progress


class Silent:
    """Says nothing; notes become warnings. The methods of every reporter."""

    def begin(self, epochs, epoch, steps, step, batch_size, evaluations):
        """Training starts: ``epoch`` of ``epochs`` and ``step`` of ``steps`` are already done.

        ``evaluations`` is the number of images measured after every epoch.
        """

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
    """Not even warnings: of ranks whose words another rank says."""

    def note(self, text):
        """Nothing."""


_METHODS = [name for name in vars(Silent) if not name.startswith("_")]


class Pace:
    """How fast it goes and how long it will take.

    The first batch of a session is left out, since it waits for the compiler. The remaining time
    counts the steps and the measuring after each epoch. Until that was seen once, an image
    measured is taken for a third of one trained; then for at most one, since the first measuring
    may wait for the compiler too. Means follow the last 200 steps.
    """

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._compiling = True
        self._step_seconds, self._evaluation_seconds = deque(maxlen=200), deque(maxlen=10)

    def begin(self, epochs, epoch, steps, step, batch_size, evaluations):
        self._epochs, self._steps, self._batch_size = epochs, steps, batch_size
        self._evaluated_batches = evaluations / batch_size
        self._done, self._in_epoch = epoch, step
        self._last = self._clock()

    def step(self):
        seconds = self._tick()
        if not self._compiling:
            self._step_seconds.append(seconds)
        self._compiling = False
        self._in_epoch += 1

    def epoch(self):
        seconds = self._tick()
        if self._step_seconds:
            seconds = min(seconds, self._evaluated_batches * fmean(self._step_seconds))
        self._evaluation_seconds.append(seconds)
        self._done, self._in_epoch = self._done + 1, 0

    @property
    def rate(self):
        """Images trained per second, or None before the second batch."""
        return self._batch_size / fmean(self._step_seconds) if self._step_seconds else None

    @property
    def remaining(self):
        """Seconds left, or None before the second batch."""
        if not self._step_seconds:
            return None
        step, epochs_left = fmean(self._step_seconds), self._epochs - self._done
        evaluation = self._evaluated_batches * step / 3
        if self._evaluation_seconds:
            evaluation = fmean(self._evaluation_seconds)
        steps_left = epochs_left * self._steps - self._in_epoch
        return steps_left * step + epochs_left * evaluation

    def _tick(self):
        before, self._last = self._last, self._clock()
        return self._last - before

    def __str__(self):
        if self.rate is None:
            return ""
        return f"{self.rate:,.0f} images/s, {duration(self.remaining)} left"


def duration(seconds):
    """``8 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def epoch_lines(rows, epochs):
    """One line per row: ``epoch  3/20  bop  loss ...``; the name only if there are several."""
    width, name_width = len(str(epochs)), max(len(row["name"]) for row in rows)
    for row in rows:
        name = f"{row['name']:<{name_width}}  " if len(rows) > 1 else ""
        yield f"epoch {row['epoch']:>{width}}/{epochs}  {name}{row_text(row)}"


class Paced(Silent):
    """What both reporters have in common: the pace, and lines that a closed terminal loses."""

    def __init__(self):
        self._pace = Pace()

    def begin(self, epochs, epoch, steps, step, batch_size, evaluations):
        self._pace.begin(epochs, epoch, steps, step, batch_size, evaluations)
        self._epochs = epochs

    def note(self, text):
        self._say(f"note: {text}")


class Lines(Paced):
    """Plain lines on standard output: one per epoch and optimizer, and one a minute between."""

    def begin(self, epochs, epoch, steps, step, batch_size, evaluations):
        super().begin(epochs, epoch, steps, step, batch_size, evaluations)
        self._steps, self._at = steps, step
        self._said = time.monotonic()

    def step(self):
        self._pace.step()
        self._at += 1
        if time.monotonic() - self._said > _QUIET_SECONDS:
            self._say(f"batch {self._at} of {self._steps}: {self._pace}")

    def epoch(self, rows):
        self._pace.epoch()
        self._at = 0
        lines = list(epoch_lines(rows, self._epochs))
        if rows[-1]["epoch"] < self._epochs and self._pace.rate:
            lines[-1] += f" | {self._pace}"
        self._say("\n".join(lines))

    def _say(self, text):
        with terminal():
            print(text, flush=True)
        self._said = time.monotonic()


class Live(Paced):
    """A bar at the bottom of the terminal, epochs as lines above it."""

    def __init__(self):
        from rich.console import Console

        super().__init__()
        self._console = Console(highlight=False)
        self._bar = None

    def begin(self, epochs, epoch, steps, step, batch_size, evaluations):
        from rich.progress import BarColumn, Progress, TextColumn

        super().begin(epochs, epoch, steps, step, batch_size, evaluations)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} batches {task.fields[pace]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(
            self._title(epoch), total=steps, completed=step, pace="(compiling)"
        )
        self._bar.start()

    def step(self):
        self._pace.step()
        self._bar.update(self._task, advance=1, pace=str(self._pace))

    def evaluating(self):
        self._bar.update(self._task, pace="measuring ...")

    def epoch(self, rows):
        self._pace.epoch()
        self._say("\n".join(epoch_lines(rows, self._epochs)))
        done = rows[-1]["epoch"]
        self._bar.update(
            self._task,
            completed=0 if done < self._epochs else None,
            description=self._title(min(done, self._epochs - 1)),
            pace=str(self._pace),
        )

    def end(self):
        if self._bar is not None:
            with terminal():
                self._bar.stop()

    def _say(self, text):
        with terminal():
            self._console.print(text, markup=False, soft_wrap=True)

    def _title(self, done):
        return f"epoch {done + 1}/{self._epochs}"
