"""How cores are divided, and what is said where an executor cannot be had."""

import sys

import pytest

from minibnn import InputError
from minibnn.training.sweep import executors
from minibnn.training.sweep.worker import child_environment


@pytest.fixture
def machine(monkeypatch):
    """Pretend to have so many cores."""
    monkeypatch.delenv("MINIBNN_NUM_THREADS", raising=False)
    return lambda cores: monkeypatch.setattr(executors, "cores", lambda: range(cores))


@pytest.mark.parametrize(
    ("cores", "cells", "jobs", "total", "expected"),
    [
        (8, 100, None, None, (8, 1)), (8, 3, None, None, (3, 2)), (8, 100, 3, None, (3, 2)),
        (8, 100, None, 4, (4, 1)), (8, 100, 2, 5, (2, 2)), (1, 6, None, None, (1, 1)),
        (8, 0, None, None, (1, 8)),
    ],
)  # fmt: skip
def test_cores_are_divided(machine, cores, cells, jobs, total, expected):
    machine(cores)
    found = executors.divide_cores(cells, jobs, total)
    assert found == expected
    assert found[0] * found[1] <= (total or cores)


def test_the_environment_gives_the_total(machine, monkeypatch):
    machine(8)
    monkeypatch.setenv("MINIBNN_NUM_THREADS", "6")
    assert executors.divide_cores(100, 2) == (2, 3)
    monkeypatch.setenv("MINIBNN_NUM_THREADS", "many")
    with pytest.raises(InputError, match=r"MINIBNN_NUM_THREADS must be .* 1 to 8, .*'many'"):
        executors.divide_cores(100)


@pytest.mark.parametrize(
    ("jobs", "total", "message"),
    [
        (3, None, "jobs must be an integer from 1 to 2, found 3"),
        (2, 1, "jobs must be an integer from 1 to 1"),
        (None, 3, "threads must be an integer from 1 to 2, found 3"),
    ],
)
def test_no_more_processes_than_cores(machine, jobs, total, message):
    machine(2)
    with pytest.raises(InputError, match=message):
        executors.divide_cores(6, jobs, total)


def test_a_child_is_no_mpi_rank():
    mpi = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "PMI_FD", "MPI_LOCALRANKID"]
    mpi += ["PRTE_LAUNCHED", "HYDI_CONTROL_FD"]
    kept = {"PATH": "/bin", "MPLCONFIGDIR": "x", "MINIBNN_DATA": "y"}
    found = child_environment(kept | dict.fromkeys(mpi, "0") | {"MINIBNN_NUM_THREADS": "9"}, 3)
    assert found == kept | {"NUMBA_NUM_THREADS": "3", "MINIBNN_NUM_THREADS": "3"}


@pytest.mark.parametrize(
    ("package", "start", "message"),
    [
        ("mpi4py", executors.mpi, r'and mpi4py: pip install "minibnn\[mpi\]"'),
        ("distributed.client", lambda: executors.dask("x"), r'pip install "minibnn\[dask\]"'),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, package, start, message):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=message), start():
        pass


def test_mpi_has_to_be_started_by_mpiexec(monkeypatch):
    pytest.importorskip("mpi4py")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "minibnn", "sweep"])
    message = "has to be started as: mpiexec -n N python -m mpi4py.futures -m minibnn sweep"
    with pytest.raises(InputError, match=message), executors.mpi():
        pass
    assert "mpi4py.MPI" not in sys.modules  # which would start MPI


def test_dask_needs_an_address():
    pytest.importorskip("distributed", reason="needs distributed (extra: dask)")
    with pytest.raises(InputError, match="--scheduler ADDRESS"), executors.dask(None):
        pass
