"""How a reader is fuzzed: what it may do, and for how long it is tried.

All fuzzers that run take about MINIBNN_FUZZ_SECONDS (default 10) together, and in the slow form,
which ``.ci/run --full`` runs, MINIBNN_FUZZ_SECONDS_LONG (default 600). The short form draws the
same cases every time, as far as it gets; the long one draws others every time and prints its seed.
"""

import os
import random
import signal
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

import minibnn as bnn
from minibnn import nn
from minibnn.errors import InputError

SECONDS = float(os.environ.get("MINIBNN_FUZZ_SECONDS", 10))
LONG = float(os.environ.get("MINIBNN_FUZZ_SECONDS_LONG", 600))
AT_ONCE = 50  # cases of a round
LEAST = max(3, round(SECONDS / 3))  # cases in any case
SLOW = 20  # seconds of processor time: a hang
FREE = 4 << 20  # bytes of memory, beside twice the file


@pytest.fixture(scope="session")
def small_data():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 4, 4, 1), np.uint8), np.arange(12) % 3
    return bnn.data.from_arrays(images, labels, images, labels)


@pytest.fixture(scope="session")
def run(tmp_path_factory, small_data):
    """A run folder of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "run"
    layers = [
        nn.BinaryConv2D(2, 3, kernel_quantizer="magnitude_aware_sign"),
        nn.BatchNorm(scale=True),
        nn.Residual([nn.Sign("swish_sign"), nn.BinaryConv2D(2, 3), nn.BatchNorm()], [nn.ReLU()]),
        nn.AvgPool2D(2),
        nn.Flatten(),
        nn.Sign(),
        nn.BinaryDense(4),
        nn.Dense(3, l2=0.1),
    ]
    optimizer = bnn.optim.Split(
        binary=bnn.optim.LatentAdam(lr=0.01), real=bnn.optim.SGD(lr=0.1, momentum=0.5)
    )
    net = nn.Sequential(layers, (4, 4, 1))
    bnn.fit(net, optimizer, small_data, epochs=2, batch_size=6, out=out, progress=False)
    return out


@pytest.fixture(
    params=[
        pytest.param("short", marks=pytest.mark.ci),
        pytest.param("long", marks=pytest.mark.slow),
    ]
)
def fuzz(request, tmp_path, monkeypatch):
    """A function that tries ``attempt(case)`` on cases of a strategy for a share of the time."""
    monkeypatch.chdir(tmp_path)
    warnings.simplefilter("ignore", HypothesisWarning)  # of cases that are long to print
    long = request.param == "long"
    chosen = [getattr(item, "callspec", None) for item in request.session.items]
    fuzzers = sum(spec is not None and spec.params.get("fuzz") == request.param for spec in chosen)

    def fuzz(strategy, attempt):
        end = time.monotonic() + (LONG if long else SECONDS) / fuzzers
        first = random.SystemRandom().randrange(1 << 32) if long else 0
        cases = 0

        def counted(case):
            nonlocal cases
            if cases >= LEAST and time.monotonic() > end:
                return  # the rest of a round
            cases += 1
            attempt(case)

        for round in range(10**9):
            print(f"seed {first + round}")  # shown if it fails
            how = settings(
                max_examples=AT_ONCE,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            )
            # a function of its own for each round: Hypothesis keeps what it knows of one on it
            seed(first + round)(how(given(strategy)(lambda case: counted(case))))()
            if time.monotonic() > end:
                break
        print(f"{cases} cases")
        if path := os.environ.get("MINIBNN_FUZZ_LOG"):
            with open(path, "a") as file:
                file.write(f"{request.node.nodeid} {cases}\n")

    return fuzz


@pytest.fixture
def reads():
    """A function that calls ``read`` and gives its result, or None after an InputError.

    Anything else it raises fails the test, and so does an error of several lines, a hang, or a
    memory peak of more than twice ``size`` bytes and 4 MB.
    """

    def hang(*_):
        raise AssertionError(f"took over {SLOW} seconds of processor time")

    before = signal.signal(signal.SIGPROF, hang)

    def reads(read, size):
        signal.setitimer(signal.ITIMER_PROF, SLOW)
        tracemalloc.start()
        try:
            result = read()
        except InputError as error:
            result = None
            assert str(error).isprintable() and str(error)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            signal.setitimer(signal.ITIMER_PROF, 0)
        assert peak <= 2 * size + FREE, f"a peak of {peak:,} bytes for {size:,}"
        return result

    yield reads
    signal.signal(signal.SIGPROF, before)
