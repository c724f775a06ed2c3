"""Compiling kernels: ahead, or by a child process while the reference trains.

A first run finds no kernels for its network on disk. With integer gradients NumPy gives the same
bits, so training starts there, a child trains a batch of the same network on kernels, which puts
them on disk, and training changes over between two batches.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import active_count

import numpy as np

from minibnn.errors import InputError
from minibnn.ops import backend
from minibnn.optim import from_config

SLOW = 1.0  # seconds: where NumPy takes longer for a batch, waiting for kernels is quicker
BATCH = 4  # images the child trains with: kernels are the same for any number
COMPILING = "compiling kernels for this machine, which is done once"


@contextmanager
def kernels_meanwhile(runs, loss, images, say):
    """What is to be called with (batch, a function that tells whether to stop) before each batch.

    It returns whether training has just changed over. ``say`` takes a line for the user.
    """
    job = _Job(runs, loss, say) if _same_bits(runs, images) else None
    if job is None or job.done_before():
        with _telling(say):
            yield lambda x, stopped: False
        return
    with backend.using("reference"):
        try:
            yield job.before_batch
        finally:
            job.end()


def _same_bits(runs, images):
    """Whether both backends give the same bits, and nobody chose one or would be disturbed."""
    net = runs[0].net
    return (
        (backend.ops.backend, backend.ops.by_default) == ("numba", True)
        and runs[0].ranks.size == 1
        and active_count() == 1  # another thread's network may not have integer gradients
        and net.gradients != "float32"
        and not net.machine_dependent(images.dtype)
    )


class _Job:
    """The child process, from the first batch to the change."""

    def __init__(self, runs, loss, say):
        self._net, self._say = runs[0].net, say
        self._job = {
            "optimizers": [run.optimizer.config() for run in runs],
            "loss": loss if isinstance(loss, str) else "softmax_cross_entropy",
        }
        self._child = self._folder = self._last = None
        self._changed = False
        self._quickest = None  # seconds of the quickest batch so far, guessed before the first

    def done_before(self):
        """Whether its kernels are on disk already, or cannot be put there."""
        import numba

        from minibnn.ops.kernels.compile import cache_folder

        if (folder := cache_folder()) is None:
            return True
        net = self._net.config() | {"seed": None, "classes": None}
        job = re.sub(r': ("\w+:[^"]*"|[-\d][^,}\]]*)', ":", json.dumps(self._job))  # no numbers
        about = [net, job, backend.describe(), numba.__version__]
        name = sha256(json.dumps(about, default=str).encode()).hexdigest()[:16]
        self._job["done"] = str(folder / f"trained-{name}")
        return Path(self._job["done"]).exists()

    def before_batch(self, x, stopped):
        """Start the child, or look whether it is done, or wait for it."""
        if self._changed:
            return False
        if self._child is None:
            try:
                self._start(x)
            except (OSError, InputError):  # such as a full disk: as where nothing can be kept
                self._say(COMPILING)
                backend.use_backend("numba")
                self._changed = True
                return True
            for _ in range(2):  # the first one makes what is needed once
                now = time.monotonic()
                self._net.forward(x[:1])
            # A training step takes about three times as long for each image.
            self._quickest = 3 * len(x) * (time.monotonic() - now)
        else:
            self._quickest = min(self._quickest, time.monotonic() - self._last)
        slow = self._quickest > SLOW
        if slow and self._child.poll() is None:
            self._say(COMPILING)
        while slow and self._child.poll() is None and not stopped():
            time.sleep(0.05)
        if self._child.poll() is not None:
            backend.use_backend("numba")
            if self._child.returncode == 0:
                self._say("kernels are compiled and go on from here, with the same bits")
            self._changed = True
        self._last = time.monotonic()
        return self._changed

    def _start(self, x):
        kept = Path(self._job["done"]).parent  # it can be written; /tmp may not
        self._folder = tempfile.TemporaryDirectory(dir=kept, ignore_cleanup_errors=True)
        place = Path(self._folder.name)
        self._net.save(place / "network.npz")
        self._job |= {"shape": x.shape[1:], "dtype": x.dtype.name}
        (place / "job.json").write_text(json.dumps(self._job), encoding="utf-8")
        command = [sys.executable, "-m", "minibnn.training.compiling", str(place)]
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        self._child = subprocess.Popen(command, start_new_session=True, **quiet)

    def end(self):
        if self._child is not None:
            self._child.kill()  # kindly asked it would finish its batch; what is on disk is whole
            self._child.wait()
        if self._folder is not None:
            self._folder.cleanup()


@contextmanager
def _telling(say):
    """Within it, the first kernel that is compiled in this process is told of."""
    if backend.ops.backend != "numba":
        yield
        return
    from numba.core import event

    class Listener(event.Listener):
        told = False

        def on_start(self, event):
            if not self.told and event.data["dispatcher"].py_func.__module__.startswith("minibnn."):
                self.told = True
                say(COMPILING)

        def on_end(self, event):
            pass

    with event.install_listener("numba:compile", Listener()):
        yield


def compile_kernels(net, optimizers, shape, dtype="uint8", loss="softmax_cross_entropy"):
    """Put on disk what ``net`` and ``optimizers`` need for images (``shape``, ``dtype``)."""
    from minibnn.data import from_arrays
    from minibnn.training.fit import lockstep

    rng, classes = np.random.default_rng(0), net.output_shape[-1]
    images, labels = rng.integers(0, 2, (BATCH, *shape)).astype(dtype), np.arange(BATCH) % classes
    data = from_arrays(images, labels, images, labels, classes=[str(k) for k in range(classes)])
    pairs = {str(k): optimizer for k, optimizer in enumerate(optimizers)}
    settings = {"epochs": 1, "batch_size": BATCH, "loss": loss, "progress": False}
    with backend.using("numba"):
        lockstep(net, pairs, data, **settings)


def _child(folder):
    from minibnn.nn.network import load_network

    backend.use_backend("numba")
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    optimizers = [from_config(config) for config in job["optimizers"]]
    net = load_network(folder / "network.npz")
    compile_kernels(net, optimizers, job["shape"], job["dtype"], job["loss"])
    Path(job["done"]).touch()


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
