"""Many threads at once, and forked processes: everybody gets the answers of one alone."""

import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scripts import python

from minibnn import data, deploy, nn, optim, training, zoo
from minibnn.ops import threads as ours
from minibnn.ops.threads import compute_threads, one_blas_thread


def network():
    """Every kind of layer, padding, and outputs that fill no vector."""
    body = [nn.Sign(), nn.BinaryConv2D(6, 3), nn.BatchNorm()]
    layers = [
        *(nn.Conv2D(6, 3, padding="same"), nn.BatchNorm(), nn.ReLU()),
        *(nn.Residual(body, [nn.AvgPool2D(1)]), nn.Sign("approx_sign")),
        *(nn.BinaryConv2D(33, 3, pad_value=1), nn.MaxPool2D(), nn.BatchNorm(), nn.Sign()),
        *(nn.BinaryConv2D(5, 3), nn.BatchNorm(), nn.Sign(), nn.Flatten()),
        *(nn.BinaryDense(7), nn.BatchNorm(), nn.Dense(3)),
    ]
    return nn.Sequential(layers, (8, 8, 1))


@pytest.fixture
def eager_switches():
    """Python changes threads between almost any two lines."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def inputs():
    """Batches of 1 to 33 images, as bytes and as floats of both lengths."""
    rng = np.random.default_rng(0)
    for n in range(1, 34):
        x = rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
        yield (x, x / np.float32(255), x / 255)[n % 3]


def check_threads(model, threads, seconds):
    batches = list(inputs())
    labels = [np.arange(len(x)) % 3 for x in batches]
    right = [model.predict(x) for x in batches]
    measured = [training.evaluate(model, x, own) for x, own in zip(batches, labels, strict=True)]
    end = time.monotonic() + seconds

    def work(k):
        while time.monotonic() < end or k < len(batches):
            at = k % len(batches)
            if not np.array_equal(model.forward(batches[at]), right[at]):
                return f"batch {at}: other outputs"
            if training.evaluate(model, batches[at], labels[at]) != measured[at]:
                return f"batch {at}: another evaluation"
            k += 1

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(work, range(threads))) == [None] * threads


@pytest.mark.parametrize(
    ("threads", "seconds"), [(3, 0.5), pytest.param(8, 60, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("packed", [False, True])
def test_many_threads_get_the_answers_of_one(packed, threads, seconds, eager_switches):
    net = network()
    check_threads(deploy.pack(net) if packed else net, threads, seconds)


@pytest.mark.parametrize("packed", [False, True])
def test_another_thread_between_any_two_lines_changes_nothing(packed):
    net = network()
    model = deploy.pack(net) if packed else net
    batches = list(inputs())[:3]
    for x, other in zip(batches, batches[1:] + batches[:1], strict=True):
        right = model.predict(x)
        seen = set()

        def step_in(frame, event, _, other=other, seen=seen):
            file = frame.f_code.co_filename
            if event == "line":  # what a trace function calls is not traced
                seen.add((file, frame.f_lineno))
                model.forward(other)
            return step_in if "/minibnn/nn/" in file or "/minibnn/deploy/" in file else None

        before = sys.gettrace()
        sys.settrace(step_in)
        try:
            found = model.forward(x)
        finally:
            sys.settrace(before)
        assert_array_equal(found, right)
        assert len(seen) > 30


def fitted(seed):
    digits = data.load("digits").subset(train=210, test=53)
    net = zoo.digits_net(filters=4 + seed, dense_units=16, seed=seed)
    both = optim.Split(binary=optim.Bop(1e-2, 1e-6), real=optim.Adam(lr=0.01))
    settings = {"epochs": 2, "batch_size": 20, "seed": seed, "progress": False}
    training.fit(net, both, digits, augment="paper", **settings)
    return net.digest()


def test_two_fits_in_two_threads_end_as_each_alone(each_backend, eager_switches):
    alone = [fitted(seed) for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fitted, range(2))) == alone
    assert alone[0] != alone[1]


def test_the_number_of_threads_holds_for_every_thread(use_backend, use_threads):
    numba = pytest.importorskip("numba")
    use_backend("numba")
    use_threads(2)  # skips on a machine of one core, and restores

    net = network()

    def count():
        net.forward(np.zeros((1, 8, 8, 1), np.uint8))
        return numba.get_num_threads()

    try:
        for asked in (1, 2):
            ours.use_threads(asked)
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(count).result() == count() == asked
            with compute_threads(3 - asked), ThreadPoolExecutor(1) as pool:
                assert (pool.submit(count).result(), count()) == (asked, 3 - asked)
    finally:
        ours.use_threads(None)


def blas_threads():
    from threadpoolctl import threadpool_info

    return max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")


@pytest.mark.skipif(blas_threads() < 2, reason="BLAS has one thread anyway")
def test_blas_keeps_to_one_thread_until_the_last_is_done():
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    assert blas_threads() == 1
    first.__exit__(None, None, None)
    assert blas_threads() == 1
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_the_reference_computes_the_same_whatever_blas_is_told(use_backend):
    from threadpoolctl import threadpool_limits

    use_backend("reference")
    net = nn.Sequential([nn.Conv2D(32, 7, 2, "same"), nn.Flatten(), nn.Dense(100)], (32, 32, 3))
    x = np.random.default_rng(0).uniform(-1, 1, (32, 32, 32, 3)).astype(np.float32)
    results = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            y = net.forward(x)
            results.append((y, net.backward(y, need_dx=True)))
    for one, two in zip(*results, strict=True):
        assert_array_equal(one, two)


SERVER = """
from threading import Thread
import numba, numpy as np
from minibnn import zoo
net = zoo.digits_net(filters=8, dense_units=16)
x = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
right, wrong = net.predict(x), []
def work():
    wrong.extend(n for n in range(100) if (net.predict(x) != right).any())
threads = [Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print(numba.threading_layer(), wrong)
"""


def test_threads_wait_for_each_other_where_numba_has_a_workqueue():
    environment = {"NUMBA_THREADING_LAYER": "workqueue", "MINIBNN_BACKEND": "numba"}
    done = python(SERVER, NUMBA_DISABLE_JIT="0", **environment)
    assert (done.stdout, done.returncode) == ("workqueue []\n", 0), done.stderr


FORK = """
import multiprocessing, sys, threading, time, warnings
import numpy as np
from minibnn import zoo
from minibnn.ops import backend
net = zoo.digits_net(filters=8, dense_units=16)
x = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
def answer(k):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = net.predict(x).argmax(1).tolist()
    return found, backend.ops.backend, [str(one.message) for one in told]
if __name__ == "__main__":
    right = answer(0)[0]
    stop = []
    def work():
        while not stop:
            net.predict(x)
    busy = threading.Thread(target=work)  # a fork at any moment leaves no lock locked
    busy.start()
    with warnings.catch_warnings(), multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(answer, range(2)).get(timeout=60)
    stop.append(True)
    busy.join()
    for own, name, told in found:
        assert own == right
        print(name, *told)
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_answers():
    for layer in ("omp", "workqueue"):
        environment = {"NUMBA_THREADING_LAYER": layer, "NUMBA_DISABLE_JIT": "0"}
        done = python(FORK, MINIBNN_BACKEND="", **environment)
        assert done.returncode == 0, done.stderr
        if layer == "omp" and sys.platform == "linux":
            assert 'get_context("spawn")' in done.stdout
            assert done.stdout.count("reference NumPy computes") >= 1
        else:
            assert done.stdout == "numba\nnumba\n"


def test_a_thread_that_ends_takes_its_buffers_along(use_backend):
    use_backend("numba")
    from minibnn.ops.kernels import scratch

    def work():
        zoo.digits_net(filters=4, dense_units=8).predict(np.zeros((3, 8, 8, 1), np.uint8))
        sizes.append(len(vars(scratch._buffers)))

    vars(scratch._buffers).clear()
    sizes = []
    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert sizes[0] > 0
    assert not vars(scratch._buffers)
