"""The folder a run leaves behind: whose it is, what may be written to it, and where it stands.

::

    config.json      everything needed to repeat the run
    metrics.csv      a row per epoch and optimizer
    telemetry.npz    flips and inertia per binary layer and epoch
    checkpoint.npz   weights, optimizer state and position, as they are now
    best.npz         the network after its best epoch
    *.png            plots of the metrics
    events.*         for TensorBoard, where that was asked for

A folder in use is locked by its file ``.lock``; the lock ends with the process, even a killed one.
"""

import contextlib
import itertools
import json
import os
import re
import shlex
import warnings
from pathlib import Path

from filelock import lock_descriptor

from minibnn.errors import InputError
from minibnn.files.atomic import staged, write_atomic
from minibnn.files.text import read_json

CONFIG, METRICS, CHECKPOINT = "config.json", "metrics.csv", "checkpoint.npz"
TELEMETRY, BEST = "telemetry.npz", "best.npz"
EVENTS = "events.out.tfevents.*"  # a pattern: TensorBoard's, one more for every start
PLOTS = ("curves.png", "compare.png", "plot.png", "report.html")
SWEEP = "sweep.json"  # what makes a folder a sweep's
MOST = (1 << 63) - 1  # of the integers in config.json
# Of the runs of a comparison: no name of a file that lies beside them.
RUN_NAME = re.compile(r"(?!.*\.(csv|html|json|npz|png)$)[A-Za-z0-9][A-Za-z0-9._+-]*")


@contextlib.contextmanager
def new_folder(command, dataset, parent="runs"):
    """Make ``runs/<command>-<dataset>-<n>``, n the first free; without a run it goes again."""
    Path(parent).mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = Path(parent) / f"{command}-{dataset}-{number}"
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True)
            break
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # it is not empty: a run began
            path.rmdir()
            path.parent.rmdir()


class RunFolder:
    """A locked run folder; use as a context manager.

    Entering it refuses a folder that holds a run without ``resume`` or ``force``, a missing one
    with ``resume``, and always one that holds a sweep; ``force`` removes the old run's files, and
    only those. Parents are made as needed.
    """

    def __init__(self, path, resume=False, force=False):
        self.path, self.resume, self.force, self._lock = Path(path), resume, force, None
        self.config, self.metrics = self.path / CONFIG, self.path / METRICS
        self.checkpoint, self.best = self.path / CHECKPOINT, self.path / BEST

    def __enter__(self):
        self.check()
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path)
        try:
            self.check()  # now that nobody else can change it
            self._begin()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self._lock.close()

    def check(self):
        """Raise InputError if the rules forbid to use this folder; change nothing."""
        if self.resume and self.force:
            raise InputError("resume goes on with a run, force discards it: choose one")
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"out must be a folder, and {self.path} is a file")
        if self.resume and not self.path.exists():
            raise InputError(f"there is no run to resume: the folder {self.path} does not exist")
        if self.resume and not self.holds_run() and any(self.path.glob(f"*/{CONFIG}")):
            raise InputError(f"{self.path} holds runs in folders of their own: name one of them")
        if (self.path / SWEEP).exists():  # its cells are runs, and its plots have a run's names
            raise InputError(f"{self.path} holds a sweep, not a run: name another folder")
        if self.holds_run() and not self.resume and not self.force:
            words = "go on with it (resume), replace it (force) or name another folder"
            raise InputError(f"{self.path} already holds a run; {words}")

    def holds_run(self):
        return any(p.exists() for p in (self.config, self.metrics, self.checkpoint))

    def read_config(self):
        """config.json of the run to go on with, or None."""
        return read_config(self.path, missing_ok=True) if self.resume else None

    def write_config(self, config):
        text = json.dumps(config, indent=2, allow_nan=False) + "\n"
        write_atomic(self.config, text.encode())

    def remove(self, *others):
        """Remove all files of the run and the ``others`` named, and the folder if it is empty."""
        with self:
            self._unlink(*others)
        (self.path / ".lock").unlink()
        with contextlib.suppress(OSError):  # it holds files that are not ours
            self.path.rmdir()

    def _begin(self):
        """Make the folder ready; with ``force`` remove the run here, and those it compares."""
        if self.force:
            below = []
            with contextlib.suppress(InputError):  # an unreadable config.json is removed as well
                below = compared(self.path)
            for folder in (RunFolder(path, force=True) for path in below):
                if folder.holds_run():
                    folder.remove()
            self._unlink(CONFIG, METRICS, CHECKPOINT, BEST, TELEMETRY, *PLOTS)
            for path in self.path.glob(EVENTS):
                path.unlink()
        if not self.resume:
            staged(self.checkpoint).unlink(missing_ok=True)

    def _unlink(self, *names):
        for name in names:
            (self.path / name).unlink(missing_ok=True)
            staged(self.path / name).unlink(missing_ok=True)


def read_config(folder, missing_ok=False):
    """config.json of a run folder, a dict; if it is missing None (``missing_ok``) or InputError."""
    path = Path(folder) / CONFIG
    if not path.exists():
        if missing_ok:
            return None
        raise InputError(f"{folder} is no run folder: it has no {CONFIG}")
    config = read_json(path)
    if not _describes_a_run(config):
        raise InputError(f"{path} is damaged: it does not describe a run")
    return config


def config_beside(file, network):
    """config.json beside ``file`` if it has ``network``, as JSON has it, of any width; else {}."""
    with contextlib.suppress(InputError):  # it may be another program's
        found = read_config(file.parent, missing_ok=True) or {}
        if (found.get("network") or {}) | {"gradients": 0} == network | {"gradients": 0}:
            return found
    return {}


def compared(folder):
    """Folders of the runs that were compared in ``folder``; none of what is no comparison."""
    names = (read_config(folder, missing_ok=True) or {}).get("optimizers") or {}
    return [Path(folder) / name for name in names if RUN_NAME.fullmatch(name)]  # in this folder


def runs_in(folder):
    """The run folder itself, those of the runs compared in it, or those of all folders below it."""
    if not folder.is_dir():
        what = "is a file, not a run folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}")
    if read_config(folder, missing_ok=True) is not None:
        return compared(folder) or [folder]
    below = sorted(file.parent for file in folder.glob(f"*/{CONFIG}"))
    if not below:
        what = f"it has no {CONFIG}, nor have folders below it"
        raise InputError(f"{folder} is no run folder: {what}")
    return [run for path in below for run in runs_in(path)]


_TYPES = {  # of what a config.json holds, for those who read it
    **dict.fromkeys(("data", "network", "optimizer", "optimizers"), (dict,)),
    **dict.fromkeys(("computed_by", "mpi", "options"), (dict, type(None))),
    **dict.fromkeys(("epochs", "batch_size", "seed", "steps"), (int,)),
    **dict.fromkeys(("loss", "augment"), (str,)),
    "earlier": (list,),
}


def _describes_a_run(config):
    if not isinstance(config, dict):
        return False
    if not all(type(config[name]) in types for name, types in _TYPES.items() if name in config):
        return False
    if not all(0 <= value <= MOST for value in config.values() if isinstance(value, int)):
        return False
    options = config.get("options") or {}
    texts = all(isinstance(options.get(x), str | None) for x in ("command", "dataset", "data_dir"))
    texts = texts and isinstance(options.get("test_share"), int | float | None)
    return texts and all(isinstance(one, dict) for one in config.get("optimizers", {}).values())


def _command(number):
    with contextlib.suppress(OSError):  # only Linux has it; another user's may be hidden
        command = Path(f"/proc/{number}/cmdline").read_bytes().decode("utf-8", "replace")
        text = shlex.join(command.rstrip("\0").split("\0"))  # it tells most at its ends
        return f": {text}" if len(text) <= 300 else f": {text[:150]}...{text[-150:]}"
    return ""


def _locked(folder):
    """The open lock file of ``folder``, holding the process's number while locked."""
    no_link = getattr(os, "O_NOFOLLOW", 0)  # it may lead to any file
    file = open(folder / ".lock", "a+b", 0, opener=lambda p, how: os.open(p, how | no_link, 0o666))
    if not try_lock(file):
        number = b""
        with file, contextlib.suppress(OSError):  # Windows shows nobody else what is locked
            file.seek(0)
            number = file.read(20).strip()
        known = f"{number.decode()}{_command(number.decode())}" if number.isdigit() else "unknown"
        who = f"another process (number {known})"
        if number == b"%d" % os.getpid():
            who = "this process already"
        raise InputError(f"{folder} is in use by {who}")
    with contextlib.suppress(OSError):  # a full disk is told by what is written next
        file.truncate(0)
        file.write(b"%d\n" % os.getpid())
    return file


def try_lock(file):
    """Whether an open file is locked now, which nobody else had locked; told where none can be."""
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError as error:
        words = f"({error.strerror or error}): see to it that no other run writes there"
        warnings.warn(f"{file.name} cannot be locked {words}", RuntimeWarning, stacklevel=2)
        return True
