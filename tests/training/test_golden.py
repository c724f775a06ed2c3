"""Integer gradients: one set of bits, whatever computes them."""

import os
import subprocess
import sys
from pathlib import Path

import golden_runs
import mpi_start
import pytest

from minibnn.ops import backend
from minibnn.ops.kernels.simd import vector_paths
from minibnn.training import Ranks

HERE = Path(golden_runs.__file__)
AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"


@pytest.mark.parametrize("name", golden_runs.RUNS)
def test_a_golden_run_on_the_backend_of_this_session(name):
    assert golden_runs.line(name, Ranks()) == golden_runs.golden()[name]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="needs compiled kernels")
def test_a_golden_run_on_kernels():
    with backend.using("numba"):
        assert golden_runs.line("bop", Ranks()) == golden_runs.golden()["bop"]


def run_all(**environment):
    own = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS", "MINIBNN"))}
    done = subprocess.run(
        [sys.executable, HERE], env=own | environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


ROUND = [
    {"MINIBNN_BACKEND": "reference", "OPENBLAS_CORETYPE": core}
    for core in ("SkylakeX", "Zen", "Haswell", "Prescott")
]
ROUND += [{"MINIBNN_BACKEND": "reference"}]
ROUND += [{"MINIBNN_BACKEND": "reference", "NPY_DISABLE_CPU_FEATURES": AVX512}]
ROUND += [
    {"MINIBNN_BACKEND": "numba", "MINIBNN_SIMD": path, "MINIBNN_NUM_THREADS": threads}
    for path in ("amx", "avx512vbmi", "avx512", "avx2", "generic")
    for threads in ("1", "2")
]
ROUND += [
    {"MINIBNN_BACKEND": "numba", "OPENBLAS_CORETYPE": core, "NPY_DISABLE_CPU_FEATURES": AVX512}
    for core in ("Zen", "Haswell", "Prescott")
]


@pytest.mark.slow
@pytest.mark.parametrize("environment", ROUND, ids=lambda e: " ".join(e.values()))
def test_the_round_of_machines(environment):
    needs = {"SkylakeX": "avx512", "Zen": "avx2", "Haswell": "avx2"}  # told so, BLAS checks nothing
    path = environment.get("MINIBNN_SIMD", needs.get(environment.get("OPENBLAS_CORETYPE")))
    if path not in (None, *vector_paths()):
        pytest.skip(f"this CPU has no {path}")
    assert run_all(**environment) == golden_runs.golden()


@pytest.mark.parametrize("name", ["bop", "binarynet", "centred"])
def test_two_ranks_equal_one_process(name):
    code, out, errors = mpi_start.run(HERE, name, ranks=2)
    assert code == 0, errors
    assert out == f"{name} {golden_runs.golden()[name]}\n"
