"""How a run can end early: it cannot go on, or it was asked to stop."""

import contextlib
import os
import signal
import sys
from typing import ClassVar

from minibnn.errors import InputError

_CAUGHT = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if hasattr(signal, "SIGHUP"):  # not on Windows
    _CAUGHT[signal.SIGHUP] = "SIGHUP (its terminal was closed)"
CLOSED = 13  # SIGPIPE, wherever it has a name: what a program ends by when nobody reads it
SIGNALS = _CAUGHT | {CLOSED: "the end of the program that read its output"}


class TrainingError(InputError):
    """Training cannot go on from its last checkpoint: something is not finite, or saving failed."""


@contextlib.contextmanager
def writing(path):
    """Within it, what the system refuses is a TrainingError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise TrainingError(f"writing {path} failed: {error.strerror or error}") from error


class Interrupted(KeyboardInterrupt):
    """A signal ended the run; the batch was finished and, with a run ``folder``, saved.

    ``signum`` is the signal: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal was closed) or SIGPIPE
    (nobody reads the output). ``exit_code`` is 128 plus it, as shells have it; ``how`` to go on.
    """

    def __init__(self, message: str, signum=signal.SIGINT, folder=None, how="resume=True"):
        super().__init__(message)
        self.signum = int(signum)
        self.folder, self.how = folder, how
        self.exit_code = 128 + self.signum

    def __str__(self):
        return f"{self.args[0]}; go on with {self.how}" if self.folder else self.args[0]


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
