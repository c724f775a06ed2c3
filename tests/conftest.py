"""Fixtures every wing uses, and Hypothesis' profiles.

HYPOTHESIS_PROFILE chooses "dev" (25 examples), "default" (50) or "ci" (300). Unless MINIBNN_BACKEND
says numba, tests that do not choose a backend run on the reference, which compiles nothing. Unless
NUMBA_OPT says otherwise (users have 3), kernels compile in less time, and run slower. At 0 they
would compile soonest, but of the larger ones Numba keeps none for the next process.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from minibnn.errors import InputError

for profile, examples in (("dev", 25), ("default", 50), ("ci", 300)):
    settings.register_profile(profile, max_examples=examples, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# Processes that tests start find the package under test, installed or not.
ROOT = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(
    os.pathsep
)
os.environ.setdefault("MINIBNN_BACKEND", "reference")
os.environ.setdefault("NUMBA_OPT", "1")
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    os.environ.setdefault("MINIBNN_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of NumPy, which is not loaded yet


def pytest_collection_modifyitems(items):
    """What compiles comes first: of two processes one gets the first half, and compiles it once."""
    compile = {"ops", "nn", "optim", "deploy", "test_catalogue"}
    items.sort(key=lambda item: compile.isdisjoint((item.path.parent.name, item.path.stem)))


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal():
    """Tests send SIGINT and SIGHUP, which a test run in the background is born to ignore."""
    wanted = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in wanted if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, wanted[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session")
def shared_cifar():
    """Folder with CIFAR-10's binary layout, expanded once per user from ../shared/cifar10."""
    fcntl = pytest.importorskip("fcntl")
    pytest.importorskip("PIL", reason="expanding ../shared/cifar10 needs Pillow (extra: test)")
    script = Path(__file__).resolve().parents[2] / "shared" / "cifar10" / "expand.py"
    if not script.is_file():
        pytest.skip("../shared/cifar10 is not there")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = cache / "minibnn-tests" / "cifar10"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # two test runs must not write the same files
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([sys.executable, script, folder], check=True, timeout=300)
    return folder


UNCOMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"


def _needs_kernels(item):
    """With NUMBA_DISABLE_JIT=1 a test that comes to kernels, which are machine code only, skips."""
    try:
        return (yield)
    except (NotImplementedError, InputError) as error:
        words = "not usable in pure-python", "NUMBA_DISABLE_JIT is set"
        if UNCOMPILED and any(text in str(error) for text in words):
            pytest.skip("needs compiled kernels")
        raise


pytest_runtest_setup = pytest.hookimpl(wrapper=True)(_needs_kernels)
pytest_runtest_call = pytest.hookimpl(wrapper=True)(_needs_kernels)


@pytest.fixture
def use_backend():
    """``minibnn.use_backend``; the backend in use before the test is restored after it."""
    from minibnn.ops import backend

    def use(name):
        if UNCOMPILED and name == "numba":
            pytest.skip("needs compiled kernels")
        backend.use_backend(name)

    active = vars(backend.ops)
    yield use
    backend.ops.__dict__ = active


@pytest.fixture
def use_simd(monkeypatch):
    """A function that forces a vector path until the test ends."""
    from minibnn.ops.kernels import simd

    def forget():
        for known in (simd.vector_path, simd.simd, simd.table_simd):
            known.cache_clear()

    def use(path):
        monkeypatch.setenv("MINIBNN_SIMD", path)
        forget()

    yield use
    forget()


@pytest.fixture(params=["reference", "numba"])
def each_backend(request, use_backend):
    """Runs the test once per backend; its name."""
    use_backend(request.param)
    return request.param


@pytest.fixture
def use_threads():
    """A function that sets Numba's number of threads; restored after the test."""
    import numba

    before = numba.get_num_threads()

    def set_threads(count):
        if count > numba.config.NUMBA_NUM_THREADS:
            pytest.skip(f"needs {count} threads, Numba has {numba.config.NUMBA_NUM_THREADS}")
        numba.set_num_threads(count)

    yield set_threads
    numba.set_num_threads(before)
