"""``python -m minibnn.cli.cell``: ``minibnn train`` as a cell of a sweep, tied to its worker.

It stops as by SIGTERM, after saving, when its standard input is closed. The worker that started it
closes it to stop the cell, and the operating system does if the worker dies.
"""

import os
import signal
import sys
import threading

from minibnn.cli import main


def _stop_when_closed():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    # Held back until training is ready to catch it, a signal ends the process at once: nothing
    # is lost by that.
    threading.Thread(target=_stop_when_closed, daemon=True).start()
    sys.exit(main(["train", *sys.argv[1:]]))
