"""``python -m minibnn.cli.cell JSON``: ``minibnn train`` as a cell of a sweep, tied to its worker.

JSON holds the options of ``minibnn train`` by name. It stops as by SIGTERM, after saving, when its
standard input is closed: by the worker that started it, or because that has died.
"""

import json
import os
import signal
import sys
import threading

from minibnn.cli import main
from minibnn.cli.train import train


def train_cell(options):
    """``minibnn train`` with these options; returns its exit code."""
    options = {name.replace("-", "_"): value for name, value in options.items()}
    unknown = options.keys() - {parameter.name for parameter in train.params}
    words = [f"--{name.replace('_', '-')}" for name in unknown]  # which click refuses
    return main(["train", *words], default_map={"train": options})


def _stop_when_closed():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    # Held back until training is ready to catch it, a signal ends the process at once: nothing
    # is lost by that.
    threading.Thread(target=_stop_when_closed, daemon=True).start()
    sys.exit(train_cell(json.loads(sys.argv[1])))
