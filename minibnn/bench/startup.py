"""How long the way to the first training step is, and how much memory training takes.

Both are measured in fresh processes: this one has compiled and allocated already.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from minibnn.errors import InputError


def warm_start(
    threads, filters=128, dense_units=None, batch_size=50, gradients="float32", runs=3
):  # fmt: skip
    """A dict: seconds from starting Python to the end of the first step, compiled code on disk.

    The medians of ``runs`` processes. A first one that had to compile is not among them;
    ``compile_seconds`` says what that took.
    """
    size = gradients, filters, dense_units or 8 * filters, batch_size, threads
    first = _first_steps(*size)
    results = [] if first["compile_seconds"] else [first]
    results += [_first_steps(*size) for _ in range(runs - len(results))]
    fields = ("seconds", "import_seconds", "build_seconds", "first_step_seconds")
    return {field: median(r[field] for r in results) for field in fields} | {
        "compile_seconds": first["compile_seconds"],
        "runs": runs,
        "filters": filters,
        "batch": batch_size,
    }


def cold_start(threads, filters=128, dense_units=None, batch_size=50, gradients="float32"):
    """The same for one process that finds nothing compiled."""
    with tempfile.TemporaryDirectory(prefix="minibnn-bench-") as folder:
        size = gradients, filters, dense_units or 8 * filters, batch_size, threads
        return _first_steps(*size, NUMBA_CACHE_DIR=folder)


def memory(threads, filters=128, dense_units=None, batch_size=50, gradients="float32", steps=3):
    """A dict with the most bytes a process held that made ``steps`` training steps."""
    size = gradients, filters, dense_units or 8 * filters, batch_size, threads
    found = _first_steps(*size, steps=steps)
    return {
        "peak_bytes": found["peak_bytes"],
        "compile_seconds": found["compile_seconds"],
        "filters": filters,
        "batch": batch_size,
        "steps": steps,
    }


def _first_steps(*size, steps=1, **variables):
    arguments = map(str, (*size, steps))
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "minibnn.bench.first_step", *arguments],
        capture_output=True,
        text=True,
        env=_environment() | variables,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        why = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"the process that trains a first step failed: {why[-1]}")
    return json.loads(done.stdout) | {"seconds": seconds}


def _environment():
    """This one's, and a child finds the package that runs here."""
    import minibnn

    here = str(Path(minibnn.__file__).parents[1])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "MINIBNN_BACKEND": "numba"}
