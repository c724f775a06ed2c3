"""What an executor's worker does: run one cell in a child process and see it through.

The child is told to stop by closing its standard input, which also happens when the worker dies,
however it dies. It then saves and ends. So no cell outlives its worker, and none is lost with it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from minibnn.ops.threads import cores
from minibnn.training.run_folder import try_lock

LOG = "log.txt"
_LOOK = 0.2  # seconds between two looks at the child and the stop file
_LOCK_SECONDS = 60  # a child of a worker that died may still be saving
# What an MPI launcher or batch system sets for its ranks; a child is none.
_MPI = ("OMPI_", "PMI", "MPI", "PRTE_", "HYD", "PALS_")
_SAVE, _NOW = "save", "now"


class Job(NamedTuple):
    """A cell as a worker needs it, on whichever machine; plain values only."""

    options: dict  # of minibnn train, by name
    folder: str  # the cell's, absolute
    cwd: str
    environment: dict  # MINIBNN_* variables of the sweep's start
    threads: int  # processor cores
    stop_file: str

    def text(self):
        """The options as the child takes them, its folder last: there a long text is not cut."""
        return json.dumps({**self.options, "resume": True, "out": self.folder})


class Outcome(NamedTuple):
    """How a cell's child process ended."""

    code: int  # 0: trained to the end; 2: the run itself refused; negative: a signal killed it
    error: str = ""  # in a line
    stopped: bool = False  # because the sweep was asked to stop


def run_cell(job):
    """Train a cell to its end in a child process; returns an Outcome, raises nothing."""
    try:
        if _asked_to_stop(job):
            return Outcome(143, "not started", stopped=True)
        if not 1 <= job.threads <= len(cores()):
            raise ValueError(f"threads must be from 1 to {len(cores())}, found {job.threads}")
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        _wait_for_lock(folder)
        with open(folder / LOG, "ab") as log:
            before = log.tell()
            child = subprocess.Popen(
                [sys.executable, "-m", "minibnn.cli.cell", job.text()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=job.cwd,
                env=child_environment(os.environ | job.environment, job.threads),
                # Ctrl-C in a terminal goes to the sweep alone, which passes it on.
                start_new_session=True,
            )
            code, stopped = _see_through(child, job)
    except (OSError, ValueError) as error:
        return Outcome(2, f"could not be started: {error}")
    if code == 0:
        return Outcome(0)
    return Outcome(code, _words(code, folder / LOG, before), stopped)


def _see_through(child, job):
    """Wait for the child, pass a wish to stop on; returns its exit code and whether we wished."""
    stopped = False
    with child.stdin:
        while True:
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return child.wait(_LOOK), stopped
                wish = _asked_to_stop(job)
            except KeyboardInterrupt:  # a process pool's workers share the terminal
                wish = _SAVE
            if wish == _NOW:  # before its input ends, at which it would begin to stop by itself
                child.kill()
            if wish:
                stopped = True
                child.stdin.close()


def _asked_to_stop(job):
    try:
        return Path(job.stop_file).read_text("ascii") or _SAVE
    except FileNotFoundError:
        return None


def ask_to_stop(stop_file, now=False):
    """Tell all workers to have their children save and end, or to end them at once."""
    Path(stop_file).write_text(_NOW if now else _SAVE, "ascii")


def child_environment(environment, threads):
    """The environment of a child that is no MPI rank and uses so many cores."""
    own = {k: v for k, v in environment.items() if not k.startswith(_MPI)}
    return own | {"NUMBA_NUM_THREADS": str(threads), "MINIBNN_NUM_THREADS": str(threads)}


def _wait_for_lock(folder):
    """Until nobody has the run folder in use; if that takes long, the child will say it."""
    last = time.monotonic() + _LOCK_SECONDS
    with open(folder / ".lock", "a") as file:
        while time.monotonic() < last and not try_lock(file):
            time.sleep(_LOOK)


def _words(code, log, start):
    """Why a child ended, with the last line it wrote."""
    text = ""
    with contextlib.suppress(OSError), open(log, "rb") as file:  # it may be gone with its folder
        file.seek(max(start, log.stat().st_size - 4000))
        text = file.read().decode("utf-8", "replace").strip()
    last = text.rpartition("\n")[2].removeprefix("minibnn: ")
    last = " ".join(last.split()) or "it wrote nothing"
    if code == 2:
        return last
    how = f"ended with exit code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            how = f"killed by {signal.Signals(-code).name}"
    return f"{how}; its last line: {last}"
