"""How a run can end early: it cannot go on, or it was asked to stop."""

import signal
from contextlib import contextmanager

from minibnn.errors import InputError


class TrainingError(InputError):
    """Training cannot go on from its last checkpoint: something is not finite, or saving failed."""


@contextmanager
def writing(path):
    """Within it, what the system refuses is a TrainingError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise TrainingError(f"writing {path} failed: {error.strerror or error}") from error


class Interrupted(KeyboardInterrupt):
    """A signal ended the run; the batch was finished and, with a run ``folder``, saved.

    ``signum`` is the signal: SIGINT (Ctrl-C), SIGTERM, SIGHUP (the terminal was closed) or
    SIGPIPE (nobody reads the output). ``exit_code`` is what a shell expects: 128 plus the signal.
    """

    def __init__(self, message: str, signum=signal.SIGINT, folder=None):
        super().__init__(message)
        self.signum = int(signum)
        self.folder = folder
        self.exit_code = 128 + self.signum

    def __str__(self):
        return f"{self.args[0]}; go on with resume=True" if self.folder else self.args[0]
