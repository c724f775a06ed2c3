"""``sweep``: every cell of a grid, each a resumable run, by any executor."""

import contextlib
import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from minibnn.errors import InputError, integer
from minibnn.tables import Rows
from minibnn.training.errors import SIGNALS, Interrupted, StopRequest
from minibnn.training.progress import Lines
from minibnn.training.run_folder import CONFIG, MOST
from minibnn.training.sweep import executors, grid, plots, table
from minibnn.training.sweep.folder import PARTS, SUMMARY, SweepFolder
from minibnn.training.sweep.worker import Job, Outcome, ask_to_stop, run_cell

TRIES = 2  # of a cell that crashes or is killed
_LOOK = 0.5  # seconds between two looks at signals


class SweepResult(Rows):
    """What came out of a sweep: iterate over its rows, print it, or let Jupyter show it.

    ``rows`` is a list with a dict for each cell, the columns of summary.csv: ``cell``, the keys
    varied, ``seed``, ``status`` (done, failed, stopped or waiting), ``epochs``, ``best_accuracy``
    (from 0 to 1), ``flips``, ``seconds``, ``error`` and a few more. ``folder`` is the sweep's.
    """

    def __init__(self, rows, folder):
        self.rows, self.folder = rows, folder

    @property
    def failed(self):
        """The rows of the cells that failed."""
        return [row for row in self.rows if row["status"] == "failed"]

    def best(self):
        """The row with the highest best accuracy, a dict; empty if no cell has one."""
        rows = [row for row in self.rows if row["best_accuracy"] is not None]
        return max(rows, key=lambda row: row["best_accuracy"], default={})

    def tables(self):
        """The cells as a Table and, with several seeds, a Table of their means."""
        return table.tables(self.rows)

    def __repr__(self):
        done = sum(row["status"] == "done" for row in self.rows)
        return f"<SweepResult: {done} of {len(self.rows)} cells done, {self.folder}>"


class Plan:
    """A sweep that has been checked: its cells, and what sweep.json says of it."""

    def __init__(self, grid_values, scan, random, seed, seeds, options):
        own = {k: str(x) if isinstance(x, Path) else x for k, x in options.items()}
        own = {k: x if isinstance(x, str | None) else grid.value_of(x) for k, x in own.items()}
        options = {name.replace("_", "-"): value for name, value in own.items()}
        if "seed" in options:
            raise InputError("options cannot hold seed: seeds are given by seeds")
        seeds, (seed,) = _seeds(seeds), _seeds([seed])
        points, grid_values, scan = grid.points(grid_values, scan, options, random, seed)
        grid.check_size(len(points) * len(seeds))
        self.cells = grid.make_cells(points, seeds, options)
        seed, cells = seed if random is not None else None, [cell.name for cell in self.cells]
        parts = grid_values, scan, random, seed, seeds, options, cells
        self.description = dict(zip(PARTS, parts, strict=True))


def sweep(
    grid=None, out=None, *, scan=None, random=None, seed=0, seeds=(0,), options=None, executor=None,
    jobs=None, threads=None, force=False, progress=None,
):  # fmt: skip
    """Train every cell of a grid, each as ``minibnn train`` would in a folder of its own.

    ``grid`` is a dict of keys and their values: every combination is a cell. A key is an argument
    of the binary optimizer (``gamma``), one of the real optimizer (``real.lr``) or an option of
    ``minibnn train`` (``batch-size``); a value is a number, or a text such as a schedule. In
    ``scan``, a dict as well, one key at a time takes its values while the others keep those of
    ``options``, as in section 5.1 of the paper. ``random`` cells of the grid are drawn by ``seed``
    if given; a key may then have a range, ``"log:1e-5:1e-2"`` or ``"uniform:0:1"``. Every cell is
    trained with each of ``seeds``. ``options`` are those of ``minibnn train`` that all cells
    share, by name: ``{"dataset": "digits", "optimizer": "bop:threshold=1e-6", "epochs": 5}``.

    ``out`` is the sweep's folder. A second call with the same arguments does only what is missing;
    ``force`` replaces the sweep there. ``executor`` is any of PEP 3148 (processes, MPI, Dask, ...)
    whose workers see ``out`` at the same path; each cell has ``threads`` cores there, by default 1.
    Without one, ``jobs`` child processes of this one share ``threads`` cores, by default as many
    as there are cores (or MINIBNN_NUM_THREADS). ``progress`` takes a line for each cell that ends:
    None prints it, False is silent, and it may be a function.

    A cell is a child process of its worker: if it crashes or is killed it is started once more,
    from its checkpoint, and after that given up; nothing else is touched. Returns a SweepResult.
    Raises InputError for what cannot be done, and Interrupted after Ctrl-C or SIGTERM, when the
    running cells have been saved.
    """
    if out is None:
        raise InputError("a sweep needs a folder: out")
    if executor is not None and jobs is not None:
        raise InputError("jobs belongs to the executor: give one of the two")
    plan = Plan(grid or {}, scan or {}, random, seed, seeds, options or {})
    return run_plan(plan, out, executor, jobs, threads, force, progress)


def run_plan(plan, out, executor=None, jobs=None, threads=None, force=False, progress=None):
    """``sweep`` for a Plan."""
    say = Lines().say if progress is None else progress or (lambda text: None)
    if not callable(say):
        raise InputError(f"progress must be None, False or a function, found {progress!r}")
    if executor is None:
        executors.divide_cores(len(plan.cells), jobs, threads)  # complain before there is a folder
    with SweepFolder(out, plan.description, force) as folder:
        session = _Session(folder.path, plan.cells, say)
        try:
            if missing := session.missing():
                with contextlib.ExitStack() as stack:
                    if executor is None:
                        jobs, threads = executors.divide_cores(len(missing), jobs, threads)
                        # A thread, which nothing kills, for each child.
                        executor = stack.enter_context(ThreadPoolExecutor(jobs))
                    job = {"threads": threads or 1, "stop_file": str(folder.stop_file)}
                    session.run(executor, missing, job)
        except Interrupted:
            with contextlib.suppress(Exception):  # no figure may hide how to go on
                plots.draw_sweep(folder.path, plan.description, session.rows)
            raise
        plots.draw_sweep(folder.path, plan.description, session.rows)
        return SweepResult(session.rows, folder.path)


class _Session:
    """One start of a sweep: what is submitted, what came back, when to stop."""

    def __init__(self, folder, cells, tell):
        self.folder, self.cells, self._say = folder, cells, tell
        self._rows = {}  # of summary.csv, by the cells' names
        for cell in cells:
            self._note(cell, "done" if cell.finished(folder) else "waiting")
        table.write_summary(folder / SUMMARY, self.rows)

    @property
    def rows(self):
        return list(self._rows.values())

    def missing(self):
        return [cell for cell in self.cells if self._rows[cell.name]["status"] != "done"]

    def run(self, executor, missing, job):
        """Bring the missing cells to their end, or raise Interrupted; ``job`` is what all share."""
        environment = {k: v for k, v in os.environ.items() if k.startswith("MINIBNN_")}
        self._executor, self._job = executor, job | {"cwd": os.getcwd(), "environment": environment}
        self._tries = dict.fromkeys((cell.name for cell in missing), 0)
        self._over = len(self.cells) - len(missing)
        self._pending = {}  # future -> cell
        with StopRequest() as stop:
            try:
                for cell in missing:
                    self._submit(cell)
                self._wait(stop)
            finally:
                if self._pending:  # something unforeseen: no child may be left alone
                    ask_to_stop(job["stop_file"])
                else:
                    Path(job["stop_file"]).unlink(missing_ok=True)
        done = len(self.cells) - len(self.missing())
        if stop.signum and done < len(self.cells):
            so_far = f"{done} of {len(self.cells)} cells are done, the others saved as they are"
            text = f"stopped by {SIGNALS[stop.signum]}: {so_far}"
            raise Interrupted(text, stop.signum, self.folder, "the same call")

    def _wait(self, stop):
        asked = False
        while self._pending:
            try:
                wait(self._pending, _LOOK, FIRST_COMPLETED)
                if stop.signum and not asked:
                    asked = True
                    ask_to_stop(self._job["stop_file"])
                    self._say(f"note: {SIGNALS[stop.signum]}: the running cells save and stop")
                for future in [future for future in self._pending if future.done()]:
                    self._end(self._pending.pop(future), _outcome(future), stop)
            except KeyboardInterrupt:  # a second Ctrl-C
                ask_to_stop(self._job["stop_file"], now=True)

    def _submit(self, cell):
        job = Job(cell.options, str((self.folder / cell.name).absolute()), **self._job)
        self._tries[cell.name] += 1
        try:
            future = self._executor.submit(run_cell, job)
        except Exception as error:  # a broken executor takes nothing any more
            future = Future()
            future.set_exception(error)
        self._pending[future] = cell

    def _end(self, cell, outcome, stop):
        """Take in how a cell ended."""
        folder = (self.folder / cell.name).absolute()
        if outcome.code == 0 and not cell.finished(self.folder):
            text = "it ended without an error, but before its last epoch"
            if not (folder / CONFIG).exists():
                text = f"its worker does not share the folder {folder} with this process"
            outcome = Outcome(2, text)
        text = None
        if outcome.code == 0:
            row = self._note(cell, "done")
            best = f"{100 * row['best_accuracy']:.2f} % in epoch {row['best_epoch']}"
            text = f"best {row['measured_on']} {best}, {row['seconds']:.1f} s"
        elif outcome.stopped or stop.signum:
            self._note(cell, "stopped" if (folder / ".lock").exists() else "waiting")
        elif self._tries[cell.name] < TRIES and outcome.code != 2:
            self._say(f"note: {cell.name}: {outcome.error}; it is started once more")
            return self._submit(cell)
        else:
            self._note(cell, "failed", outcome.error)
            text = f"FAILED: {outcome.error}"
        table.write_summary(self.folder / SUMMARY, self.rows)
        if text:
            self._over += 1
            width = len(str(len(self.cells)))
            self._say(f"cell {self._over:>{width}}/{len(self.cells)}  {cell.name}  {text}")

    def _note(self, cell, status, error=None):
        """The row of a cell as it is now."""
        row = table.row_of(cell, cell.history(self.folder), status, error)
        self._rows[cell.name] = row
        return row


def _outcome(future):
    """What a future says, or why there is nothing."""
    if future.cancelled():
        return Outcome(1, "the executor cancelled it")
    error = future.exception()
    if error is None:
        return future.result()
    text = " ".join(str(error).split())
    return Outcome(1, f"its worker was lost: {type(error).__name__}{text and ': '}{text}")


def _seeds(seeds):
    """Seeds as a list of int; InputError for anything but different integers from 0 on."""
    seeds = seeds if hasattr(seeds, "__iter__") else [seeds]
    seeds = [integer(x, "a seed", 0, MOST) for x in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds must be different integers, found {seeds}")
    return seeds
