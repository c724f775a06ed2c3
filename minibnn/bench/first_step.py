"""``python -m minibnn.bench.first_step``: import, build, train once; what it took as JSON.

Runs in a process of its own, which ``startup`` starts and times from outside.
"""

import json
import sys
import time


def main(gradients, filters, dense_units, batch_size, threads, steps):
    """Train ``steps`` steps; returns a dict of seconds, and the most memory held."""
    begin = time.perf_counter()
    from minibnn.bench.clock import compiling
    from minibnn.bench.machine import peak_memory
    from minibnn.bench.networks import Training, binarynet
    from minibnn.ops.threads import compute_threads

    imported = time.perf_counter()
    with compute_threads(threads), compiling() as compiled:
        training = Training(binarynet(filters, dense_units, gradients=gradients), batch_size)
        built = time.perf_counter()
        training.step()
        stepped = time.perf_counter()
        for _ in range(steps - 1):
            training.step()
    return {
        "import_seconds": imported - begin,
        "build_seconds": built - imported,
        "first_step_seconds": stepped - built,
        "compile_seconds": compiled.seconds,
        "peak_bytes": peak_memory(),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(int, sys.argv[2:]))))
