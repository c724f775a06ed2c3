"""Vector paths, threads, memory and the disk cache of the compiled kernels."""

import os
import warnings

import numba
import numpy as np
import plain_tiles
import pytest
from numba.core.codegen import JITCodeLibrary
from numpy.testing import assert_array_equal
from scripts import python

from minibnn import nn, optim, zoo
from minibnn.errors import InputError
from minibnn.ops.kernels import compile as compiling
from minibnn.ops.kernels import scratch
from minibnn.ops.kernels import simd as simd_room
from minibnn.ops.kernels.simd import LANES, simd, vector_path, vector_paths

SMALL = dict(input_shape=(16, 16, 3), classes=3, filters=9, dense_units=33)


def test_the_environment_forces_a_vector_path(use_simd):
    for path in vector_paths():
        use_simd(path)
        assert vector_path() == path
    assert len(simd()) == LANES[path]


def test_a_matrix_unit_that_linux_does_not_lend_is_left_alone(monkeypatch):
    monkeypatch.setattr(simd_room, "_lent_a_matrix_unit", lambda: False)
    assert simd_room.vector_paths.__wrapped__() == tuple(p for p in vector_paths() if p != "amx")


def test_a_path_the_cpu_lacks_is_one_clear_line(use_simd):
    use_simd("sse9")
    with pytest.raises(InputError, match=r"^MINIBNN_SIMD must be one of .*generic; found 'sse9'$"):
        vector_path()


PATH_USED = """
import numpy as np
from minibnn.ops import kernels, reference
from minibnn.ops.kernels import normalisation
x, ones = np.random.default_rng(0).standard_normal((40, 40), np.float32), np.ones(40, np.float32)
results = [ops.batch_norm_sign(x, 0 * ones, ones, ones, 1e-3) for ops in (kernels, reference)]
assert all((found.words == expected.words).all() for found, expected in zip(*results))
tiled = normalisation._signs  # of the kernels that know their path, the one that compiles soonest
print(*{s[0].count for s in tiled.signatures}, tiled.stats.cache_hits)
"""


def test_a_warm_cache_gives_a_forced_path_its_own_code(tmp_path):
    for hits in ("{}", "{("):  # first compiled, then from the cache
        for path in dict.fromkeys((vector_paths()[0], "generic")):
            done = python(PATH_USED, MINIBNN_SIMD=path, NUMBA_CACHE_DIR=str(tmp_path))
            assert done.returncode == 0, done.stderr
            used, found = done.stdout.split(maxsplit=1)
            assert used == str(LANES[path])
            assert (found.strip() == "Counter()") == (hits == "{}")
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("kernels-")


def test_the_cache_folder_changes_with_what_kernels_are_made_of(tmp_path, monkeypatch):
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    for file in (tmp_path / "bits.py", kernels / "a.py", kernels / "tiles.py"):
        file.write_text("1")
    monkeypatch.setattr(compiling, "_HERE", kernels)
    names = [compiling._folder()]
    for change in (
        lambda: (kernels / "tiles.py").write_text("2"),
        lambda: (kernels / "tiles.py").rename(kernels / "c.py"),
        lambda: (tmp_path / "bits.py").write_text("2"),
        lambda: monkeypatch.setattr(numba.config, "OPT", "another level"),
    ):
        change()
        names.append(compiling._folder())
    assert len(set(names)) == 5


def test_without_a_home_or_a_source_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiling._folder().startswith(f"{tmp_path}{os.sep}minibnn{os.sep}kernels-")
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-here/.cache")  # what expanduser leaves as it is
    assert compiling._folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiling, "_HERE", tmp_path / "packed" / "kernels")
    assert compiling._folder() is None


@pytest.fixture
def cached(monkeypatch):
    """A function of a folder: how much of a kernel for two types is there, and what is told."""

    def full(self):  # root may write anywhere, so a mode would refuse nothing
        raise OSError(28, "No space left on device")

    def use(folder, is_full=False):
        with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            patch.setattr(numba.config, "CACHE_DIR", str(folder))
            patch.setattr(compiling, "_CACHE", compiling._folder())
            if is_full:
                patch.setattr(compiling._Folder, "ensure_cache_path", full)
            compiling._tell_once.cache_clear()
            popcount = compiling.kernel(plain_tiles.popcount.py_func)  # as a new process makes it
            assert popcount(np.uint32(7)) == popcount(np.uint8(7)) == 3
        return sum(popcount.stats.cache_hits.values()), " ".join(str(one.message) for one in told)

    return use


def test_what_cannot_be_kept_is_compiled_and_what_can_be_read_is_used(tmp_path, cached):
    for folder in (tmp_path / "full", "/proc/nowhere"):
        hits, told = cached(folder, is_full=True)
        assert hits == 0
        assert told.startswith(f"kernels cannot be kept in {folder}")
        assert "No space left on device" in told
        assert told.endswith("set NUMBA_CACHE_DIR to a folder that can be written")
        assert told.count("cannot be kept") == 1
    assert cached(tmp_path / "warm") == (0, "")
    assert cached(tmp_path / "warm") == (2, "")
    assert cached(tmp_path / "warm", is_full=True) == (2, "")


def test_a_damaged_cache_is_made_anew(tmp_path, cached):
    cached(tmp_path)
    for kind, content in (("*.nbi", b"\x80\x05rubbish"), ("*.nbc", b"")):
        damaged = list(tmp_path.rglob(kind))
        assert damaged
        for file in damaged:
            file.write_bytes(content)
        assert cached(tmp_path) == (0, "")
        assert cached(tmp_path) == (2, "")


def test_a_kernel_is_optimised_once_with_all_that_it_calls(monkeypatch):
    made, optimize = [], JITCodeLibrary._optimize_final_module

    def told(self):
        made.append(self.name.rpartition(".")[2])
        optimize(self)

    numba.njit(lambda x: x)(0)  # what Numba compiles for itself, once a process
    monkeypatch.setattr(JITCodeLibrary, "_optimize_final_module", told)
    monkeypatch.setattr(compiling, "_CACHE", None)
    doubled = compiling.kernel(lambda x: 2 * x, inner=True)

    @compiling.kernel(parallel=True)
    def doubles(x, out):
        for k in numba.prange(len(x)):
            out[k] = doubled(x[k])

    out = np.empty(65, np.int32)
    doubles(np.arange(65, dtype=np.int32), out)
    assert_array_equal(out, 2 * np.arange(65))
    assert made == ["doubles"]
    assert numba.njit(lambda x: x + 1)(2) == 3  # what is not ours is compiled as ever
    assert made == ["doubles", "<lambda>"]


def step(net, optimizer, x, labels):
    logits = net.forward(x, training=True)
    loss, dlogits = nn.softmax_cross_entropy(logits, labels)
    net.backward(dlogits)
    optimizer.step(net.parameters())
    return logits, loss


def start(batch=8):
    rng = np.random.default_rng(3)
    net = zoo.binarynet(**SMALL, seed=1)
    optimizer = optim.Split(optim.Bop(gamma=1e-2, threshold=1e-7), optim.Adam(0.01))
    x = rng.integers(0, 256, (batch, *SMALL["input_shape"]), dtype=np.uint8)
    return net, optimizer, x, rng.integers(0, 3, batch)


@pytest.mark.parametrize(
    "path",
    [vector_paths()[0], *(pytest.param(p, marks=pytest.mark.slow) for p in vector_paths()[1:])],
)
def test_twenty_steps_are_the_same_with_one_and_two_threads(
    path, use_simd, use_backend, use_threads
):
    use_backend("numba")
    use_simd(path)
    states = []
    for threads in (1, 2):
        use_threads(threads)
        net, *rest = start()
        for _ in range(20):
            step(net, *rest)
        states.append(net.state_dict())
    for name, array in states[0].items():
        assert_array_equal(array, states[1][name], err_msg=name)
    first = start()[0].state_dict()
    assert any((states[0][n] != a).any() for n, a in first.items() if a.dtype == np.int8)


def test_what_is_returned_is_never_written_again(use_backend):
    use_backend("numba")
    net, optimizer, x, labels = start(batch=40)
    step(net, optimizer, x, labels)
    kept = [net.forward(x, training=True), *(p.grad for p in net.parameters())]
    shown = [array.copy() for array in kept]
    for _ in range(3):
        step(net, optimizer, x[::-1].copy(), labels)
    for array, before in zip(kept, shown, strict=True):
        assert_array_equal(array, before)


def test_a_step_allocates_nothing_large_once_it_runs(use_backend):
    use_backend("numba")
    arguments = start(batch=64)
    held = []
    for steps in (3, 4):
        for _ in range(steps):
            step(*arguments)
        buffers = {name: id(block) for name, block in vars(scratch._buffers).items()}
        held.append(({id(block) for block in scratch._pool}, buffers))
    assert held[0] == held[1]
    assert held[0][0]


def test_memory_comes_back_only_when_nobody_holds_it():
    scratch._pool.clear()
    first = scratch.empty((100, 1000), np.float32)
    view, address = first[3:].reshape(-1), first.ctypes.data
    del first
    second = scratch.empty((100, 1000), np.float32)
    assert second.ctypes.data != address  # the view still stands on it
    view[:] = 1
    del view
    assert scratch.empty((100, 1000), np.float32).ctypes.data == address
    assert second.ctypes.data % 64 == 0


WORKQUEUE = """
import numpy as np
import minibnn as bnn
data = bnn.data.load("digits").subset(train=100, test=50, seed=0)
net = bnn.zoo.digits_net(filters=8, dense_units=16)
optimizer = bnn.optim.Split(bnn.optim.Bop(1e-2, 1e-7), bnn.optim.Adam(0.01))
bnn.fit(net, optimizer, data, epochs=1, batch_size=50, augment="paper", progress=False)
import numba
print(numba.threading_layer())
"""


def test_training_runs_on_numbas_workqueue_layer():
    done = python(WORKQUEUE, NUMBA_THREADING_LAYER="workqueue", MINIBNN_BACKEND="numba")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "workqueue"
