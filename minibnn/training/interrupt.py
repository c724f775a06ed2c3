"""Ctrl-C, SIGTERM, a closed terminal or pipe: remembered until a run has done its batch."""

import contextlib
import os
import signal
import sys
from typing import ClassVar

_CAUGHT = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if hasattr(signal, "SIGHUP"):  # not on Windows
    _CAUGHT[signal.SIGHUP] = "SIGHUP (its terminal was closed)"
CLOSED = 13  # SIGPIPE, wherever it has a name: what a program ends by when nobody reads it
SIGNALS = _CAUGHT | {CLOSED: "the end of the program that read its output"}


@contextlib.contextmanager
def terminal():
    """Around words to standard output: they may be lost; if nobody reads on, runs stop."""
    try:
        yield
    except BrokenPipeError:
        for request in StopRequest.listening:
            request.signum = request.signum or CLOSED
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:  # a closed terminal, a log on a full disk
        pass


class StopRequest:
    """Within it, the first SIGINT, SIGTERM or SIGHUP is remembered as ``signum``.

    A second signal acts at once, except for a SIGHUP after a SIGHUP: a terminal that is closed
    sends two. Signals can only be caught in the main thread; in others ``terminal`` asks to stop.
    """

    listening: ClassVar = []

    def __init__(self):
        self.signum = None
        self._before = {}

    def __enter__(self):
        self.listening.append(self)
        with contextlib.suppress(ValueError):  # not in the main thread
            for signum in _CAUGHT:
                if signal.getsignal(signum) != signal.SIG_IGN:  # as under nohup
                    self._before[signum] = signal.signal(signum, self._remember)
        return self

    def __exit__(self, *_):
        self.listening.remove(self)
        self._restore()

    def _restore(self):
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}

    def _remember(self, signum, _frame):
        self.signum = signum
        self._restore()
        if signum == getattr(signal, "SIGHUP", None):
            self._before = {signum: signal.signal(signum, signal.SIG_IGN)}
