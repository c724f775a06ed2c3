"""Starting on the reference while a child compiles. No kernels here: both backends are NumPy."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import minibnn as bnn
from minibnn.ops import backend
from minibnn.ops.kernels import compile as kernels
from minibnn.training import compiling
from minibnn.training.progress import Lines

POPEN = subprocess.Popen


@pytest.fixture
def children(monkeypatch, tmp_path, use_backend):
    """Nobody chose a backend; children run ``children.code`` and are kept."""
    started = Children()

    def start(command, **options):
        started.append(POPEN([sys.executable, "-c", started.code], **options))
        started.folder = command[-1]
        return started[-1]

    monkeypatch.setitem(backend.BACKENDS, "numba", "minibnn.ops.reference")
    monkeypatch.delenv("MINIBNN_BACKEND", raising=False)
    monkeypatch.setattr(backend, "_no_kernels", lambda: None)
    monkeypatch.setattr(kernels, "_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(compiling, "SLOW", float("inf"))  # on a busy machine, too
    monkeypatch.setattr(compiling, "active_count", lambda: 1)
    monkeypatch.setattr(compiling.subprocess, "Popen", start)
    backend.ops.__dict__ = {}
    return started


class Children(list):
    code = "pass"


def fit(said=None, gradients="int8", epochs=3, wait=(), seed=0, gamma=1e-2):
    """A small run; each step but the first waits until the children in ``wait`` have ended."""
    net = bnn.zoo.digits_net(filters=4, dense_units=16, seed=seed, gradients=gradients)
    optimizer = bnn.optim.Split(bnn.optim.Bop(gamma=gamma), bnn.optim.Adam(lr=0.01))
    data = bnn.data.load("digits").subset(train=500, test=50)
    report = Lines()
    report.say = (said if said is not None else []).append
    report.step = lambda: [child.wait() for child in wait]
    bnn.fit(net, optimizer, data, epochs=epochs, batch_size=50, progress=report)
    return net


def lines(said):
    return [text for text in said if "kernels" in text]


@pytest.fixture(scope="module")
def digest():
    with backend.using("reference"):
        return fit().digest()


def test_training_changes_over_once_the_child_is_done(children, digest):
    said = []
    net = fit(said, wait=children)
    assert len(children) == 1 and children[0].returncode == 0
    assert Path(children.folder).parent == Path(kernels._CACHE)  # /tmp may be read-only
    assert net.digest() == digest
    assert lines(said) == ["kernels are compiled and go on from here, with the same bits"]
    assert (backend.ops.backend, backend.ops.by_default) == ("numba", True)


def test_what_the_child_is_given_trains(children, monkeypatch, tmp_path):
    """The child's own work, in this process."""
    children.code = "import time; time.sleep(60)"
    start = compiling._Job._start

    def keep(self, x):
        start(self, x)
        shutil.copytree(self._folder.name, tmp_path / "given")

    monkeypatch.setattr(compiling._Job, "_start", keep)
    fit(epochs=1)
    compiling._child(tmp_path / "given")
    assert len(list((tmp_path / "kernels").glob("trained-*"))) == 1
    backend.ops.__dict__ = {}
    fit(epochs=1, seed=1, gamma=bnn.optim.linear(1e-2, 1e-3))  # they are there now
    assert len(children) == 1
    fit(epochs=1, gradients="int6")
    assert len(children) == 2


def test_a_child_that_dies_costs_nothing(children, digest):
    children.code, said = "raise SystemExit(3)", []
    net = fit(said, wait=children)
    assert children[0].returncode == 3
    assert net.digest() == digest and not lines(said)


def test_a_full_disk_under_the_cache_costs_nothing(children, digest, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    said = []
    monkeypatch.setattr("minibnn.files.atomic.os.fsync", fail)
    assert fit(said).digest() == digest
    assert lines(said) == [compiling.COMPILING] and not children
    assert not list(Path(kernels._CACHE).glob("tmp*"))


def test_where_numpy_is_slow_training_waits(children, digest, monkeypatch):
    monkeypatch.setattr(compiling, "SLOW", 0.0)
    children.code, said = "import time; time.sleep(0.5)", []
    net = fit(said)
    assert net.digest() == digest
    assert lines(said) == [
        "compiling kernels for this machine, which is done once",
        "kernels are compiled and go on from here, with the same bits",
    ]


def test_a_run_that_is_done_first_ends_the_child(children, digest):
    children.code, said = "import time; time.sleep(600)", []
    net = fit(said)
    assert net.digest() == digest and not lines(said)
    assert children[0].returncode not in (0, None)
    assert not compiling.Path(children.folder).exists()


def test_no_child_where_it_could_change_a_bit_or_keep_nothing(children, monkeypatch):
    fit(gradients="float32", epochs=1)
    backend.use_backend("numba")
    fit(epochs=1)
    backend.ops.__dict__ = {}
    monkeypatch.setattr(compiling, "active_count", threading.active_count)
    idle = threading.Event()
    thread = threading.Thread(target=idle.wait)
    thread.start()
    fit(epochs=1)
    idle.set()
    thread.join()
    monkeypatch.setattr(compiling, "active_count", lambda: 1)
    monkeypatch.setattr(kernels, "_CACHE", None)
    fit(epochs=1)
    assert not children


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_compiling_ahead_changes_nothing(children, dtype):
    net = bnn.zoo.digits_net(filters=4, dense_units=16, seed=0)
    optimizer = bnn.optim.Split(bnn.optim.Bop(), bnn.optim.Adam())
    before = net.digest()
    compiling.compile_kernels(net, [optimizer], net.input_shape, np.dtype(dtype).name)
    assert net.digest() == before
