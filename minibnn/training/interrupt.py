"""Ctrl-C, SIGTERM and a closed terminal while a run is on: remembered until the batch is done."""

import contextlib
import errno
import signal

SIGNALS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "SIGHUP (its terminal was closed)",
}


@contextlib.contextmanager
def terminal():
    """Around words to a terminal: if it was closed they are lost, and nothing else."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise


class StopRequest:
    """Remembers the first SIGINT, SIGTERM or SIGHUP; a second one acts at once, as without us.

    But for a SIGHUP after a SIGHUP: of one closed terminal, both the shell and the system send it.

    Use as a context manager. Signals can only be caught in the main thread; in others this does
    nothing.

    Attributes
    ----------
    signum : int or None
        The signal that came.
    """

    def __init__(self):
        self.signum = None
        self._before = {}

    @property
    def name(self):
        """What came, in words."""
        return SIGNALS[self.signum]

    def __enter__(self):
        with contextlib.suppress(ValueError):  # not in the main thread
            for signum in SIGNALS:
                if signal.getsignal(signum) != signal.SIG_IGN:  # as under nohup
                    self._before[signum] = signal.signal(signum, self._remember)
        return self

    def __exit__(self, *_):
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before = {}

    def _remember(self, signum, _frame):
        self.signum = signum
        self.__exit__()
        if signum == signal.SIGHUP:
            self._before = {signum: signal.signal(signum, signal.SIG_IGN)}
