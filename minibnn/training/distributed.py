"""Data-parallel training: the ranks of an MPI job, each with its piece of every batch.

Every rank holds the whole state and makes the same step on it; only the images it sees differ, and
their gradients are averaged before the step. So any rank could save, and rank 0 does.

Sums are added in the order of the ranks, not by MPI's Allreduce, which may choose another order
for another size, network or version: bits depend on the number of ranks alone. Integers have no
order: with synchronised statistics their bits are those of one process. Gradients travel as in a
ring allreduce, 2 (N - 1) / N times their bytes per rank. They do not overlap with the backward
pass: MPI moves large messages only inside its calls, and kernels already use every core.
"""

import contextlib
import os
import sys
import traceback

import numpy as np

from minibnn.errors import InputError
from minibnn.nn import BatchNorm
from minibnn.ops.fixed import Fixed
from minibnn.ops.threads import cores
from minibnn.training.config import differences
from minibnn.training.errors import Interrupted, TrainingError

START = "mpiexec -n N minibnn train ..."
# Open MPI and what builds on it; MPICH, Intel MPI and Slurm's PMI. A batch script of Slurm has
# SLURM_NTASKS without being a rank: it counts only where a launcher made us one of PMIx' processes.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_PMIX_SIZES = ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")


class Ranks:
    """The processes that train one network together; by default one, alone, without MPI.

    All ranks of ``comm``, a communicator of mpi4py, must call the same methods in the same order.
    """

    def __init__(self, comm=None):
        self.comm = comm
        self.rank, self.size = (0, 1) if comm is None else (comm.Get_rank(), comm.Get_size())

    @classmethod
    def world(cls, required=False):
        """All processes that ``mpiexec`` started, which may be ``required``; without it one."""
        started = launched()
        if started is None and required:
            raise InputError(f"training on several MPI ranks has to be started as: {START}")
        if started is None or (started == 1 and not required):
            return cls()
        try:
            from mpi4py import MPI  # starts MPI, so only now
        except ImportError:
            words = 'to train on them takes mpi4py: pip install "minibnn[mpi]"'
            raise _by_first(f"mpiexec started {started} processes, and {words}") from None
        except RuntimeError as error:  # there is no MPI library, or it does not start
            raise _by_first(f"mpi4py does not find its MPI: {error}") from None
        if (seen := MPI.COMM_WORLD.Get_size()) != started:
            words = f"mpi4py sees {seen}: they belong to different MPIs"
            raise _by_first(f"mpiexec started {started} processes, {words}")
        return cls(MPI.COMM_WORLD)

    @property
    def first(self):
        """Whether this is rank 0, which alone prints and writes."""
        return self.rank == 0

    def gather(self, value) -> list:
        """The ``value`` of each rank, in their order, on every rank."""
        return [value] if self.size == 1 else self.comm.allgather(value)

    def from_first(self, value):
        """Rank 0's ``value``, on every rank."""
        return value if self.size == 1 else self.comm.bcast(value)

    def most(self, *numbers) -> tuple:
        """Of each of a few integers ``numbers``, the largest on any rank."""
        return tuple(map(max, zip(*self.gather(numbers), strict=True)))

    def largest(self, number: float) -> float:
        """The largest of all ranks' numbers; NaN if one is."""
        return float(np.max(self.gather(number)))

    def sum(self, array):
        """The sum of every rank's ``array``, a small one, in the order of the ranks."""
        if self.size == 1:
            return array
        array = np.ascontiguousarray(array)
        everyone = np.empty((self.size, *array.shape), array.dtype)
        self.comm.Allgather(array, everyone)
        return sum(everyone[1:], everyone[0])

    def join(self, flat, factor=1):
        """The sum over the ranks of ``flat`` (N,), N a multiple of ``size``: each adds one part.

        Floats are added in the order of the ranks, and the sum is multiplied by ``factor``;
        integers travel in the narrowest type that holds their sums.
        """
        parts = np.empty((self.size, len(flat) // self.size), flat.dtype)
        self.comm.Alltoall(flat, parts)
        if flat.dtype.kind == "f":
            own = sum(parts[1:], parts[0]) * flat.dtype.type(factor)
        else:
            own = parts.sum(0, dtype=np.int64)
            own = own.astype(self.narrowest([own]))
        everyone = np.empty(len(flat), own.dtype)
        self.comm.Allgather(own, everyone)
        return everyone

    def narrowest(self, arrays: list):
        """The narrowest integer type that holds these arrays of integers on every rank."""
        (largest,) = self.most(max(int(np.abs(a).max(initial=0)) for a in arrays))
        return np.min_scalar_type(-largest - 1)

    @contextlib.contextmanager
    def together(self):
        """What fails inside on one rank fails on all, so that none waits; none may need another.

        The error says which rank it was, unless it was the same on all.
        """
        error = None
        try:
            yield
        except Exception as caught:
            if self.size == 1:
                raise
            error = caught
        texts = self.gather(None if error is None else str(error) or type(error).__name__)
        failed = [rank for rank, text in enumerate(texts) if text is not None]
        if not failed:
            return
        same = len(failed) == self.size and len(set(texts)) == 1
        if not same and failed[0] > 0:
            texts[failed[0]] = f"rank {failed[0]} of {self.size}: {texts[failed[0]]}"
        if error is None or isinstance(error, InputError):
            error = type(error or InputError())(texts[failed[0]])
        raise _on_all_ranks(error, told_elsewhere=self.rank != failed[0])

    @contextlib.contextmanager
    def guard(self):
        """End the whole job, which would wait for ever, if this rank alone fails inside.

        What all ranks find together (a loss that is not finite, an agreed stop) leaves in order.
        """
        try:
            yield
        except BaseException as error:
            if self.size == 1:
                raise
            if not isinstance(error, TrainingError | Interrupted):
                if not getattr(error, "on_all_ranks", False):
                    self._abort(error)
            elif not hasattr(error, "told_elsewhere"):
                error.told_elsewhere = not self.first
            raise

    def check_same(self, values: dict, what: str):
        """InputError on all ranks, beginning with ``what``, unless each has the same values."""
        first, *others = self.gather(values)
        for rank, theirs in enumerate(others, 1):
            for key, expected, found in differences(first, theirs):
                words = f"{key} is {expected} on rank 0, {found} on rank {rank}"
                error = InputError(f"{what} must be the same on all ranks: {words}")
                raise _on_all_ranks(error, told_elsewhere=not self.first)

    def threads(self):
        """This rank's share of the cores it may use, at least 1."""
        own = cores()
        if self.size == 1:
            return len(own)
        from mpi4py import MPI

        here = self.comm.Split_type(MPI.COMM_TYPE_SHARED)
        sharing = here.allgather(own).count(own)  # 1 where mpiexec bound each to its own
        here.Free()
        return max(1, len(own) // sharing)

    def _abort(self, error):
        known = isinstance(error, InputError | OSError | KeyboardInterrupt)
        if known:
            text = " ".join(str(error).split()) or "stopped by Ctrl-C"
            sys.stderr.write(f"minibnn: rank {self.rank} of {self.size}: {text}\n")  # in one write
        else:
            traceback.print_exception(error)
        sys.stderr.flush()
        self.comm.Abort(130 if isinstance(error, KeyboardInterrupt) else 2 if known else 1)


ALONE = Ranks()


class Exchange:
    """What ranks exchange in a step: gradients and, unless they are synced, moving statistics.

    Averaged at every step, these never depend on when somebody saves or measures. Within it, a
    context manager, layers know of the ranks. ``exact`` says whether gradients are integers, whose
    sums over ranks are those of one process.
    """

    def __init__(self, net, ranks, sync_batch_norm=False):
        self.ranks, self.sync_batch_norm = ranks, bool(sync_batch_norm)
        self.exact = net.gradients != "float32"
        self.parameters = net.parameters()
        self.synced, self.layers, self.moving = set(), [], []
        for layer in net.chain.walk():
            if sync_batch_norm or (self.exact and not isinstance(layer, BatchNorm)):
                self.layers.append(layer)
            if isinstance(layer, BatchNorm) and not sync_batch_norm:
                self.moving += [layer.moving_mean, layer.moving_variance]
            elif isinstance(layer, BatchNorm) and self.exact:
                # Their gradients come from the whole batch's sums, on every rank.
                self.synced |= {id(p) for p in layer.parameters()}

    def __enter__(self):
        if self.ranks.size > 1:
            for layer in self.layers:
                layer.across = self.ranks
        return self

    def __exit__(self, *_):
        for layer in self.layers:
            layer.across = None

    def of_whole_batch(self, dlogits):
        """dL/dlogits (B, C) of the whole batch's mean, from those of this rank's piece.

        Halving is exact, so on 2, 4, 8, ... ranks this is one process' gradient bit for bit; on
        others but for the last bit of a double, which rounding to integers almost always removes.
        """
        return dlogits / self.ranks.size if self.exact else dlogits  # else gradients are averaged

    def join(self):
        """Every ``grad`` becomes that of the whole batch, every moving statistic its mean."""
        mean = 1 / self.ranks.size
        mine = [p for p in self.parameters if id(p) not in self.synced]
        whole = [p for p in mine if isinstance(p.grad, Fixed)]
        real = [p for p in mine if not isinstance(p.grad, Fixed)]
        # Apart: the large sums over bytes, so that all others travel in fewer.
        for divisor in sorted({p.grad.divisor for p in whole}):
            some = [p for p in whole if getattr(p.grad, "divisor", None) == divisor]
            for p, integers in zip(some, self._sums([p.grad.integers for p in some]), strict=True):
                p.grad = p.grad.like(integers).floats()
        gradients = self._sums([p.grad for p in real], 1 if self.exact else mean)
        for p, gradient in zip(real, gradients, strict=True):
            p.grad = gradient
        for array, new in zip(self.moving, self._sums(self.moving, mean), strict=True):
            array[...] = new

    def _sums(self, arrays, factor=1):
        """The sum over the ranks of each array, times ``factor``: one message for all of them."""
        if not arrays:
            return []
        dtype = np.float32 if arrays[0].dtype.kind == "f" else self.ranks.narrowest(arrays)
        ends = np.cumsum([array.size for array in arrays])
        flat = np.zeros(-(-ends[-1] // self.ranks.size) * self.ranks.size, dtype)
        np.concatenate(arrays, axis=None, out=flat[: ends[-1]], casting="unsafe")
        sums = np.split(self.ranks.join(flat, factor)[: ends[-1]], ends[:-1])
        return [one.reshape(array.shape) for one, array in zip(sums, arrays, strict=True)]


def launched(environment=os.environ):
    """How many processes an MPI launcher says it has started; None without a launcher."""
    names = _SIZES + (_PMIX_SIZES if "PMIX_RANK" in environment else ())
    return next((int(environment[n]) for n in names if environment.get(n, "").isdigit()), None)


def refuse_ranks(command):
    """InputError if an MPI launcher started several of us, and the command knows nothing of it."""
    if (launched() or 1) > 1:
        words = "only minibnn train divides its batches over MPI ranks"
        raise _by_first(f"{command} runs in one process, start it without mpiexec: {words}")


def _by_first(text):
    """An InputError to be told by the first process, if the launcher says which that is."""
    error = InputError(text)
    error.told_elsewhere = next((os.environ[n] for n in _RANKS if n in os.environ), "0") != "0"
    return error


def _on_all_ranks(error, told_elsewhere):
    error.told_elsewhere, error.on_all_ranks = told_elsewhere, True
    return error
