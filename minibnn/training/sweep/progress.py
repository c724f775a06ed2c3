"""What a person sees while a sweep is on, and how long it will take."""

import heapq
import statistics
import sys
import time

from minibnn.training.interrupt import terminal
from minibnn.training.progress import duration

_QUIET_SECONDS = 60  # plain lines: a look after so long a silence says something


class Forecast:
    """The remaining time of a sweep, from the seconds its epochs took so far.

    A cell's epochs are taken to go on as they went; a cell that has none yet is taken for the mean
    of those of its size, else of all. Cells that wait are put on workers as these come free, as the
    sweep does it: the last cell running alone counts in full.

    Parameters
    ----------
    cells : list of Cell
        Those this session has to train.
    """

    def __init__(self, cells):
        self._sizes = {cell.name: _size(cell) for cell in cells}
        self._epochs = {}  # of each cell: done, in all
        self._pace = {}  # seconds per epoch
        self._left_over = dict.fromkeys(self._sizes)
        self._parallel = 1

    def update(self, running, progress):
        """Take in which cells run now, and a Progress of each by its name."""
        self._running = {name for name in running if name in self._left_over}
        self._parallel = max(self._parallel, len(self._running))
        for name, now in progress.items():
            self._take_in(name, now)

    def over(self, name, now=None):
        """A cell is done or given up, with its last Progress if there is one."""
        self._left_over.pop(name, None)
        if now is not None:
            self._take_in(name, now)

    def _take_in(self, name, now):
        rows = now.history.rows
        self._epochs[name] = len(rows), now.epochs
        seconds = [row["seconds"] for row in rows if row["seconds"]]
        if seconds:  # the first epoch may have waited for the compiler
            self._pace[name] = statistics.fmean(seconds[1:] or seconds)

    @property
    def remaining(self):
        """Seconds left, or None before the first epoch of any cell."""
        if not self._pace:
            return None
        paces = {}
        for name, pace in self._pace.items():
            paces.setdefault(self._sizes.get(name), []).append(pace)
        means = {size: statistics.fmean(found) for size, found in paces.items()}
        usual = statistics.fmean(self._pace.values())
        longest = max((epochs for _, epochs in self._epochs.values() if epochs), default=0)

        def seconds(name):
            done, epochs = self._epochs.get(name, (0, None))
            pace = self._pace.get(name) or means.get(self._sizes[name], usual)
            return max(0, (longest if epochs is None else epochs) - done) * pace

        free = [seconds(name) for name in self._running if name in self._left_over]
        free += [0.0] * (self._parallel - len(free))
        heapq.heapify(free)
        for name in self._left_over:
            if name not in self._running:
                heapq.heapreplace(free, free[0] + seconds(name))
        return max(free)


def _size(cell):
    """What the time of an epoch depends on, as a key."""
    return repr({k: v for k, v in cell.options.items() if k not in ("optimizer", "epochs")})


def sweep_reporter(progress=None):
    """A live display if standard output is a terminal, plain lines otherwise; False: silence."""
    if progress is False:
        return Silent()
    if progress in (None, True):
        return Live() if sys.stdout and sys.stdout.isatty() else Lines()
    return progress


class Silent:
    """Says nothing; the methods of every reporter of a sweep."""

    def begin(self, count, done):
        """A sweep of ``count`` cells starts, ``done`` of them are done already."""

    def cell(self, name, text):
        """A cell is done or given up: what there is to say."""

    def note(self, text):
        """Something one should know."""

    def look(self, running, remaining):
        """Now and then: the running cells as {name: Progress}, the seconds left or None."""

    def end(self):
        """No more will come."""


class Lines(Silent):
    """Plain lines on standard output: one per cell, and one a minute between."""

    def begin(self, count, done):
        self._count, self._done = count, done
        self._said = time.monotonic()

    def cell(self, name, text):
        self._done += 1
        self._say(f"cell {self._done:>{len(str(self._count))}}/{self._count}  {name}  {text}")

    def note(self, text):
        self._say(f"note: {text}")

    def look(self, running, remaining):
        if time.monotonic() - self._said > _QUIET_SECONDS:
            self._say(state(self._done, self._count, running, remaining))

    def _say(self, text):
        with terminal():
            print(text, flush=True)
        self._said = time.monotonic()


class Live(Silent):
    """A bar for the sweep and one for each running cell; finished cells as lines above."""

    def __init__(self, console=None):
        from rich.console import Console

        self._console = console or Console(highlight=False)

    def begin(self, count, done):
        from rich.progress import BarColumn, Progress, TextColumn

        self._count, self._done = count, done
        self._bars = {}
        self._shown = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=self._console,
            transient=True,
        )
        words = state(done, count, {}, None)
        self._all = self._shown.add_task("sweep", total=count, completed=done, words=words)
        self._shown.start()

    def cell(self, name, text):
        self._done += 1
        width = len(str(self._count))
        self._print(f"cell {self._done:>{width}}/{self._count}  {name}  {text}")

    def note(self, text):
        self._print(f"note: {text}")

    def look(self, running, remaining):
        for name in self._bars.keys() - running.keys():
            self._shown.remove_task(self._bars.pop(name))
        share = 0.0
        for name, now in running.items():
            done, epochs = len(now.history), now.epochs
            if name not in self._bars:
                self._bars[name] = self._shown.add_task(name, words="")
            words = f"epoch {done + 1} of {epochs}" if epochs and done < epochs else ""
            self._shown.update(self._bars[name], completed=done, total=epochs, words=words)
            share += done / epochs if epochs else 0
        words = state(self._done, self._count, running, remaining)
        self._shown.update(self._all, completed=self._done + share, words=words)

    def end(self):
        with terminal():
            self._shown.stop()

    def _print(self, text):
        with terminal():
            self._console.print(text, markup=False, soft_wrap=True)


def state(done, count, running, remaining):
    """``3 of 6 cells done, 2 running, 4 min 10 s left``."""
    text = f"{done} of {count} cells done, {len(running)} running"
    return text + (f", {duration(remaining)} left" if remaining is not None else "")
