"""Where the cells of a sweep run: child processes of this one, of MPI ranks, of Dask's workers.

``mpi`` and ``dask`` are context managers that give an executor (PEP 3148) for ``sweep``.
"""

import contextlib
import os
import sys

from minibnn.errors import InputError, import_extra, integer
from minibnn.ops.threads import VARIABLE, cores

MPI_START = "mpiexec -n N python -m mpi4py.futures -m minibnn sweep ... --executor mpi"


def divide_cores(cells, jobs=None, total=None):
    """How many cells run at a time, and on how many cores each; together at most ``total``.

    That is by default MINIBNN_NUM_THREADS, or all this process may use. InputError for a number
    out of range: more processes than cores would only be slower.
    """
    most, asked = len(cores()), os.environ.get(VARIABLE)
    if total is None and asked:
        total = integer(int(asked) if asked.isdecimal() else asked, VARIABLE, 1, most)
    total = most if total is None else integer(total, "threads", 1, most)
    jobs = max(1, min(cells, total)) if jobs is None else integer(jobs, "jobs", 1, total)
    return jobs, total // jobs


@contextlib.contextmanager
def mpi():
    """The MPI ranks that ``python -m mpi4py.futures`` started us with; InputError without it."""
    words = "the executor mpi needs an MPI such as Open MPI, and mpi4py"
    import_extra("mpi4py", "mpi", words)  # does not start MPI yet
    start = InputError(f"the executor mpi has to be started as: {MPI_START} (N - 1 of N work)")
    if "mpi4py.futures" not in sys.orig_argv:
        raise start
    from mpi4py import MPI
    from mpi4py.futures import MPIPoolExecutor

    if MPI.COMM_WORLD.Get_size() < 2:
        raise start
    with MPIPoolExecutor() as executor:
        yield executor


@contextlib.contextmanager
def dask(scheduler):
    """The workers of a Dask cluster; ``scheduler`` is its address, or the file it wrote."""
    package = import_extra("distributed.client", "dask", "the executor dask needs distributed")
    if not scheduler:
        raise InputError("the executor dask needs --scheduler ADDRESS, such as tcp://host:8786")
    where = {"scheduler_file": scheduler} if os.path.isfile(scheduler) else {"address": scheduler}
    try:
        client = package.Client(**where, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # a timeout is an OSError
        raise InputError(f"there is no Dask scheduler at {scheduler}: {error}") from None
    with client:
        # Cells are no pure functions; those of a worker that was lost come back to the sweep.
        yield client.get_executor(pure=False, retries=0)
