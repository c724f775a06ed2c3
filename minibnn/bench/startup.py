"""How long the way to the first training step is, and how much memory training takes.

Both are measured in fresh processes, ``python -m minibnn.bench.startup``: this one has compiled and
allocated already.
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

STEPS = 3  # of the process whose memory is looked at


def measure_startup(setting):
    """A dict per type of gradients: "warm" and "memory", and "cold" if the setting asks for it.

    Warm is from starting Python to the end of the first step with compiled code on disk, the
    medians of one or three processes; a first one that had to compile is not among them. Memory is
    the most bytes a process held that made STEPS steps. Cold finds nothing compiled.
    """
    found = {}
    for kind in setting.gradients:
        size = kind, setting.filters, setting.batch_size, setting.threads
        first = _process(*size, 1)
        runs = [] if first["compile_seconds"] else [first]
        runs += [_process(*size, 1) for _ in range((1 if setting.quick else 3) - len(runs))]
        fields = ("seconds", "import_seconds", "build_seconds", "first_step_seconds")
        warm = {field: median(run[field] for run in runs) for field in fields}
        memory = _process(*size, STEPS)["peak_bytes"]
        found[kind] = {"warm": warm, "memory": {"peak_bytes": memory, "steps": STEPS}}
        if setting.cold:
            with tempfile.TemporaryDirectory(prefix="minibnn-bench-") as folder:
                found[kind]["cold"] = _process(*size, 1, NUMBA_CACHE_DIR=folder)
    return found


def _process(*arguments, **variables):
    """What ``first_steps`` finds in a process of its own, and how long that took in all."""
    import minibnn

    here = str(Path(minibnn.__file__).parents[1])  # a child finds the package that runs here
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "MINIBNN_BACKEND": "numba"} | variables
    command = [sys.executable, "-m", "minibnn.bench.startup", *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | own)
    seconds = time.perf_counter() - start
    if done.returncode:
        why = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"the process that trains a first step failed: {why[-1]}")
    return json.loads(done.stdout) | {"seconds": seconds}


def first_steps(gradients, filters, batch_size, threads, steps):
    """Import, build and train ``steps`` steps; a dict of seconds, and the most memory held."""
    begin = time.perf_counter()
    from minibnn.bench.clock import compiling
    from minibnn.bench.machine import peak_memory
    from minibnn.bench.networks import Training, binarynet
    from minibnn.ops.threads import compute_threads

    imported = time.perf_counter()
    with compute_threads(threads), compiling() as compiled:
        training = Training(binarynet(filters, gradients), batch_size)
        built = time.perf_counter()
        training.step()
        stepped = time.perf_counter()
        for _ in range(steps - 1):
            training.step()
    return {
        "import_seconds": imported - begin,
        "build_seconds": built - imported,
        "first_step_seconds": stepped - built,
        "compile_seconds": compiled["seconds"],
        "peak_bytes": peak_memory(),
    }


if __name__ == "__main__":
    print(json.dumps(first_steps(sys.argv[1], *map(int, sys.argv[2:]))))
