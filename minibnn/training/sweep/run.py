"""``sweep``: every cell of a grid, each a resumable run, by any executor."""

import contextlib
import os
import queue
import time

from minibnn.errors import InputError
from minibnn.tables import Shown, columns_of
from minibnn.training.errors import Interrupted
from minibnn.training.interrupt import StopRequest
from minibnn.training.run_folder import CONFIG, MOST
from minibnn.training.sweep import executors, grid, plots, table
from minibnn.training.sweep.cells import make_cells
from minibnn.training.sweep.folder import SweepFolder, describe
from minibnn.training.sweep.keys import apply, key_name
from minibnn.training.sweep.progress import Forecast, sweep_reporter
from minibnn.training.sweep.worker import Outcome, Task, ask_to_stop, run_cell

TRIES = 2  # of a cell that crashes or is killed
_LOOK = 0.5  # seconds between two looks at signals
_REPORT = 2.0  # seconds between two looks at how far the cells are


class SweepResult(Shown):
    """What came out of a sweep: iterate over its rows, print it, or let Jupyter show it.

    Attributes
    ----------
    rows : list of dict
        One per cell, the columns of summary.csv: ``cell``, the keys varied, ``seed``, ``status``
        (done, failed, stopped or waiting), ``epochs``, ``best_accuracy``, ``last_accuracy``,
        ``flips``, ``seconds``, ``error`` and a few more. Accuracies are shares from 0 to 1.
    folder : Path
    """

    def __init__(self, rows, folder):
        self.rows, self.folder = rows, folder

    @property
    def failed(self):
        """The rows of the cells that failed."""
        return [row for row in self.rows if row["status"] == "failed"]

    def best(self):
        """The row with the highest best accuracy.

        Returns
        -------
        dict
            Empty if no cell has one.
        """
        rows = [row for row in self.rows if row["best_accuracy"] is not None]
        return max(rows, key=lambda row: row["best_accuracy"], default={})

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        """The rows, one per cell."""
        return iter(self.rows)

    def to_dict(self):
        """The columns of summary.csv as lists, None where a cell has no such value.

        Returns
        -------
        dict of str to list
        """
        return columns_of(self.rows)

    def tables(self):
        """The cells and, with several seeds, their means.

        Returns
        -------
        list of Table
        """
        return table.tables(self.rows)

    def __repr__(self):
        done = sum(row["status"] == "done" for row in self.rows)
        return f"<SweepResult: {done} of {len(self.rows)} cells done, {self.folder}>"


class Plan:
    """A sweep that has been checked, with all its cells; see ``sweep`` for the arguments."""

    def __init__(self, grid_values, scan, random, seed, seeds, options):
        options = {key_name(name): value for name, value in options.items()}
        seeds = _seeds(seeds)
        points, grid_texts, scan_texts = grid.points(
            grid_values, scan, options, random, _seeds([seed])[0]
        )
        self.cells = make_cells(points, seeds, lambda settings: apply(settings, options))
        grid.check_size(len(self.cells))
        self.description = describe(
            grid_texts, scan_texts, random, seed, seeds, options, self.cells
        )


def sweep(
    grid=None,
    out=None,
    *,
    scan=None,
    random=None,
    seed=0,
    seeds=(0,),
    options=None,
    executor=None,
    jobs=None,
    threads=None,
    force=False,
    progress=None,
):
    """Train every cell of a grid, each as ``minibnn train`` would in a folder of its own.

    A second call with the same arguments does only what is missing. A cell is a child process of
    the executor's worker: if it crashes or is killed it is started once more, from its checkpoint,
    and after that given up; nothing else is touched.

    Parameters
    ----------
    grid : dict of str to sequence
        Every combination of these values is a cell. A key is a hyperparameter of the binary
        optimizer (``gamma``), one of the real optimizer (``real.lr``) or an option of ``minibnn
        train`` (``batch-size``); a value is a number, or a text such as a schedule.
    out : path
        The sweep's folder.
    scan : dict of str to sequence, optional
        One key at a time takes these values while the others keep those of ``options``, as in
        section 5.1 of the paper.
    random : int, optional
        Only that many cells of the grid, drawn at random; a key may then have a range,
        ``"log:1e-5:1e-2"`` or ``"uniform:0:1"``, instead of values.
    seed : int
        Of those draws.
    seeds : sequence of int
        Every cell is trained with each of them.
    options : dict
        Options of ``minibnn train`` that all cells share, by name: ``{"dataset": "digits",
        "optimizer": "bop:threshold=1e-6", "epochs": 5}``.
    executor : concurrent.futures.Executor, optional
        Any executor of PEP 3148 (processes, MPI, Dask, ...) whose workers see ``out`` at the same
        path. By default ``jobs`` child processes of this one.
    jobs : int, optional
        Cells at a time, without an ``executor``; by default as many as there are cores.
    threads : int, optional
        Without an ``executor``: cores to use in all, divided among the jobs; by default
        MINIBNN_NUM_THREADS, else all. With one: cores for each cell, by default 1.
    force : bool
        Replace the sweep in ``out``.
    progress : None, False or a reporter
        A live display or plain lines by default; False is silent.

    Returns
    -------
    SweepResult

    Raises
    ------
    InputError
        What is asked for cannot be done.
    Interrupted
        Ctrl-C or SIGTERM; the running cells have been saved.
    """
    if out is None:
        raise InputError("a sweep needs a folder: out")
    if executor is not None and jobs is not None:
        raise InputError("jobs belongs to the executor: give one of the two")
    plan = Plan(grid or {}, scan or {}, random, seed, seeds, options or {})
    threads = 1 if threads is None and executor is not None else threads
    return run_plan(plan, out, executor, jobs, threads, force, progress)


def run_plan(plan, out, executor=None, jobs=None, threads=None, force=False, progress=None):
    """``sweep`` for a Plan; ``threads`` None with an executor is each MPI rank's share."""
    cells = plan.cells
    if executor is None:
        executors.divide_cores(len(cells), jobs, threads)  # complain before a folder is made
    with SweepFolder(out, plan.description, force) as folder:
        status = {c.name: "done" if c.finished(folder.path) else "waiting" for c in cells}
        missing = [cell for cell in cells if status[cell.name] != "done"]
        report = sweep_reporter(progress)
        session = _Session(folder, cells, status, report)
        session.write()
        try:
            if missing:
                with contextlib.ExitStack() as stack:
                    if executor is None:
                        jobs, threads = executors.divide_cores(len(missing), jobs, threads)
                        executor = stack.enter_context(executors.local(jobs))
                    session.run(executor, missing, threads)
        except Interrupted:
            with contextlib.suppress(Exception):  # no picture may hide how to go on
                session.draw()
            raise
        finally:
            session.write()
        session.draw()
        return SweepResult(session.rows(), folder.path)


class _Session:
    """One start of a sweep: what is submitted, what came back, when to stop."""

    def __init__(self, folder, cells, status, report):
        self.folder, self.cells, self.status, self.report = folder, cells, status, report
        self.errors = {}
        self._rows = {}  # of the cells that no longer change

    def run(self, executor, missing, threads):
        """Bring the missing cells to their end, or raise Interrupted."""
        self._executor, self._threads = executor, threads
        self._ended = queue.SimpleQueue()
        self._tries = dict.fromkeys((cell.name for cell in missing), 0)
        self._locks = {cell.name: self._lock_time(cell) for cell in missing}
        self._pending = {}  # cells by name
        self._started = set()  # names of those whose folder a run has taken
        self._forecast = Forecast(missing)
        self._looked = time.monotonic()
        self.report.begin(len(self.cells), len(self.cells) - len(missing))
        with StopRequest() as stop:
            try:
                for cell in missing:
                    self._submit(cell)
                self._wait(stop)
            finally:
                if self._pending:  # something unforeseen: no child may be left alone
                    ask_to_stop(self.folder.stop_file)
                else:
                    self.folder.stop_file.unlink(missing_ok=True)
                self.report.end()
        done = sum(status == "done" for status in self.status.values())
        if stop.signum and done < len(self.cells):
            raise Interrupted(
                f"stopped by {stop.name}: {done} of {len(self.cells)} cells are done, the others "
                "saved as far as they are",
                stop.signum,
                self.folder.path,
            )

    def _wait(self, stop):
        asked = False
        while self._pending:
            try:
                with contextlib.suppress(queue.Empty):
                    self._end(*self._ended.get(timeout=_LOOK), stop)
                if stop.signum and not asked:
                    asked = True
                    ask_to_stop(self.folder.stop_file)
                    self.report.note(f"{stop.name}: the running cells save and stop")
                if time.monotonic() - self._looked > _REPORT:
                    self._look()
            except KeyboardInterrupt:  # a second Ctrl-C
                ask_to_stop(self.folder.stop_file, now=True)

    def _submit(self, cell):
        path = self.folder.path.absolute() / cell.name
        task = Task(
            arguments=tuple(cell.arguments(path)),
            folder=str(path),
            cwd=os.getcwd(),
            environment={k: v for k, v in os.environ.items() if k.startswith("MINIBNN_")},
            threads=self._threads,
            stop_file=str(self.folder.stop_file),
        )
        self._tries[cell.name] += 1
        self._pending[cell.name] = cell
        try:
            future = self._executor.submit(run_cell, task)
        except Exception as error:  # a broken executor takes nothing any more
            self._ended.put((cell, None, error))
        else:
            future.add_done_callback(lambda future: self._ended.put((cell, future, None)))

    def _end(self, cell, future, error, stop):
        """Take in how a cell ended."""
        self._pending.pop(cell.name, None)
        outcome = _outcome(future, error)
        if outcome.code == 0 and not cell.finished(self.folder.path):
            where = (self.folder.path / cell.name).absolute()
            text = "it ended without an error, but before its last epoch"
            if not (where / CONFIG).exists():
                text = f"its worker does not share the folder {where} with this process"
            outcome = Outcome(2, text)
        if outcome.code == 0:
            self.status[cell.name] = "done"
            self._say(cell)
        elif outcome.stopped or stop.signum:
            self.status[cell.name] = "stopped" if self._lock_time(cell) else "waiting"
        elif self._tries[cell.name] < TRIES and not outcome.hopeless:
            self.report.note(f"{cell.name}: {outcome.error}; it is started once more")
            self._submit(cell)
            return
        else:
            self.status[cell.name] = "failed"
            self.errors[cell.name] = outcome.error
            self.report.cell(cell.name, f"FAILED: {outcome.error}")
        self._forecast.over(cell.name, cell.progress(self.folder.path))
        self._rows.pop(cell.name, None)
        self.write()

    def _say(self, cell):
        row = self._row(cell)
        self.report.cell(
            cell.name,
            f"best {row['measured_on']} {100 * row['best_accuracy']:.2f} % in epoch "
            f"{row['best_epoch']}, last {100 * row['last_accuracy']:.2f} %, {row['seconds']:.1f} s",
        )

    def _look(self):
        """Tell the reporter how far the running cells are."""
        self._looked = time.monotonic()
        now = {}
        for name, cell in self._pending.items():
            if name in self._started or self._lock_time(cell) != self._locks[name]:
                self._started.add(name)
                now[name] = cell.progress(self.folder.path)
        self._forecast.update(now, now)
        self.report.look(now, self._forecast.remaining)

    def _lock_time(self, cell):
        """When a run last took the cell's folder, or None: tells that one has started."""
        with contextlib.suppress(OSError):
            return (self.folder.path / cell.name / ".lock").stat().st_mtime_ns

    def rows(self):
        """A row per cell, as summary.csv has them."""
        return [self._row(cell) for cell in self.cells]

    def _row(self, cell):
        if cell.name in self._rows:
            return self._rows[cell.name]
        status = self.status[cell.name]
        progress = cell.progress(self.folder.path)
        row = table.row_of(cell, progress, status, self.errors.get(cell.name, ""))
        if status in ("done", "failed"):
            self._rows[cell.name] = row
        return row

    def write(self):
        table.write_summary(self.folder.summary, self.rows())

    def draw(self):
        plots.draw_sweep(self.folder.path, self.folder.description, self.rows())


def _outcome(future, error):
    """What a future says, or why there is none."""
    if future is not None:
        if future.cancelled():
            return Outcome(1, "the executor cancelled it")
        error = future.exception()
        if error is None:
            return future.result()
    text = " ".join(str(error).split())
    return Outcome(1, f"its worker was lost: {type(error).__name__}{text and ': '}{text}")


def _seeds(seeds):
    """Seeds as a list of int; InputError for anything but different whole numbers from 0 on."""
    seeds = [seeds] if isinstance(seeds, int) else list(seeds)
    for seed in seeds:
        if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
            raise InputError(f"seeds must be whole numbers from 0 on, found {seed!r}")
        if seed > MOST:
            raise InputError(f"seeds must be at most {MOST}, found {seed}")
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds must be different whole numbers, found {seeds}")
    return [int(seed) for seed in seeds]
