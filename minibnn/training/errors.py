"""How a run can end early: it cannot go on, or it was asked to stop."""

import signal

from minibnn.errors import InputError


class TrainingError(InputError):
    """Training cannot go on: a loss or gradient is not finite, or saving failed.

    The last checkpoint, if there was one, is still what it was.
    """


class Interrupted(KeyboardInterrupt):
    """A signal asked for the end; the batch was finished and, with a run folder, saved.

    Parameters
    ----------
    message : str
    signum : int
        The signal: SIGINT (Ctrl-C), SIGTERM, SIGHUP (a closed terminal) or SIGPIPE (nobody reads).
    folder : Path or None
        Where the state is, to be resumed.

    Attributes
    ----------
    exit_code : int
        What a shell expects: 128 and the signal, such as 130 after Ctrl-C.
    """

    def __init__(self, message, signum=signal.SIGINT, folder=None):
        super().__init__(message)
        self.signum = int(signum)
        self.folder = folder
        self.exit_code = 128 + self.signum

    def __str__(self):
        return f"{self.args[0]}; go on with resume=True" if self.folder else self.args[0]
