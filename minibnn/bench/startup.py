"""How long the way to the first training step is, and how much memory training takes.

Both are of fresh processes, ``python -m minibnn.bench.startup``, from the start of Python.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

from minibnn.errors import InputError

STEPS = 3  # of a process; only the first is timed


def measure_startup(setting):
    """A dict per type of gradients: "memory", "warm" (compiled code is on disk), perhaps "cold"."""
    found = {}
    for kind in setting.gradients:
        size = kind, setting.filters, setting.batch_size, setting.threads
        _process(*size)
        runs = [_process(*size) for _ in range(1 if setting.quick else 3)]
        fields = ("seconds", "import_seconds", "build_seconds", "first_step_seconds")
        warm = {field: median(run[field] for run in runs) for field in fields}
        memory = {"peak_bytes": runs[0]["peak_bytes"], "steps": STEPS}
        found[kind] = {"warm": warm, "memory": memory}
        if setting.cold:
            with tempfile.TemporaryDirectory(prefix="minibnn-bench-") as folder:
                found[kind]["cold"] = _process(*size, NUMBA_CACHE_DIR=folder)
    return found


def _process(*arguments, **variables):
    """What ``first_steps`` finds in a process of its own, and the seconds from its start on."""
    import minibnn

    here = str(Path(minibnn.__file__).parents[1])  # a child finds the package that runs here
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "MINIBNN_BACKEND": "numba"} | variables
    command = [sys.executable, "-m", "minibnn.bench.startup", *map(str, arguments)]
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | own)
    if done.returncode:
        why = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"the process that trains a first step failed: {why[-1]}")
    found = json.loads(done.stdout)
    return found | {"seconds": found["end_of_first_step"] - start}


def first_steps(gradients, filters, batch_size, threads):
    """Import, build and train STEPS steps; a dict of seconds, and the most memory held."""
    moments = [time.time()]
    from minibnn.bench.clock import compiling
    from minibnn.bench.machine import peak_memory
    from minibnn.bench.networks import Training
    from minibnn.ops.threads import compute_threads

    moments.append(time.time())
    with compute_threads(threads), compiling() as compiled:
        training = Training(filters, batch_size, gradients)
        moments.append(time.time())
        for _ in range(STEPS):
            training.step()
            moments.append(time.time())
    parts = ("import_seconds", "build_seconds", "first_step_seconds")
    seconds = {part: b - a for part, (a, b) in zip(parts, pairwise(moments), strict=False)}
    more = {"compile_seconds": compiled["seconds"], "peak_bytes": peak_memory()}
    return seconds | more | {"end_of_first_step": moments[3]}


if __name__ == "__main__":
    print(json.dumps(first_steps(sys.argv[1], *map(int, sys.argv[2:]))))
