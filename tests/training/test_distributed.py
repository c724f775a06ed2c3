"""Several MPI ranks train one network: with real processes, two of them."""

import json
import signal
import sys
import time

import numpy as np
import pytest
from mpi_start import HERE, run
from small_runs import assert_same_run, fit

import minibnn as bnn
from minibnn.cli.start import started
from minibnn.cli.train import train
from minibnn.errors import InputError
from minibnn.files import checkpoint
from minibnn.training.distributed import ALONE, Ranks, launched, refuse_ranks
from minibnn.training.metrics import read_rows
from minibnn.training.settings import Settings

PROGRAMS = HERE / "mpi_programs.py"


def program(*words, **options):
    return run(PROGRAMS, *words, **options)


def test_two_ranks_twice_and_resumed_after_a_kill(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    code, out, err = program("run_folder", a, "epochs=2")
    assert (code, out.split()) == (0, ["done"]), err
    code, out, err = program("run_folder", b, "epochs=2", "kill=15")
    assert code not in (0, 2)
    assert time.time() - (b / "killed").stat().st_mtime < 30, "the other rank went on"
    assert "Killed" in err or "signal" in err.lower()
    assert len(read_rows(b / "metrics.csv")) == 1
    code, out, err = program("run_folder", b, "epochs=2", "resume=1")
    assert code == 0, err
    assert_same_run(a, b)
    config = json.loads((a / "config.json").read_text())
    assert config["mpi"] == {"ranks": 2, "sync_batch_norm": False}
    # One rank goes on where two stood, and says that it is not the same job.
    with pytest.warns(UserWarning, match="was started on 2 ranks with .* per rank, now on 1 rank"):
        history = fit(b, epochs=3, resume=True, augment="paper")
    assert len(history) == 3


def test_one_step_of_two_ranks_is_one_of_the_whole_batch():
    """With synchronised statistics, at every step from the same state."""
    found = steps(8)
    assert len(found) == 8
    check_steps(found)


def steps(count, *words, timeout=300):
    code, out, err = program("equal_steps", str(count), *words, timeout=timeout)
    assert code == 0, err
    return json.loads(out.strip().splitlines()[-1])


def check_steps(found):
    for number, (differ, near, worst, exact) in enumerate(found):
        assert exact, f"step {number}: statistics of integers differ"
        assert worst <= 1e-6, f"step {number}: a gradient differs by {worst:.2g} of its scale"
        assert differ == near, f"step {number}: {differ} signs differ, {near} near the threshold"


def test_a_signal_to_one_rank_stops_both_at_the_same_step(tmp_path):
    code, out, err = program("run_folder", tmp_path / "a", "term=12")
    assert code == 128 + signal.SIGTERM
    assert out.startswith("stopped by SIGTERM after 1 epochs and 2 steps; saved in"), err
    meta, _ = checkpoint.read(tmp_path / "a" / "checkpoint.npz")
    assert (meta["epoch"], meta["step"]) == (1, 2)


def test_an_error_on_one_rank_ends_the_others(tmp_path, monkeypatch):
    # Nothing is buffered: of a line written in two pieces, mpiexec would put its own words between.
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    code, _, err = program("run_folder", tmp_path / "a", "fail=3")
    assert code == 2
    assert err.count("minibnn: rank 1 of 2: this image is torn\n") == 1
    assert "Traceback" not in err


def test_ranks_with_different_options(tmp_path):
    both = ["-m", "minibnn", "train", "--filters", "4", "--out", tmp_path / "a", "--set"]
    second = [":", "-n", "1", sys.executable, *both, "gamma=2e-3"]
    code, _, err = run(*both, "gamma=1e-3", *second, ranks=1)
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("minibnn: ")]
    assert lines == [
        "minibnn: settings and data must be the same on all ranks: optimizer.binary.gamma is "
        "0.001 on rank 0, 0.002 on rank 1"
    ]
    assert not (tmp_path / "a" / "config.json").exists()


# -- without MPI ------------------------------------------------------------------------------

LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "SLURM_NTASKS")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


def test_without_mpiexec_there_is_one_rank():
    ranks = Ranks.world()
    assert (ranks.rank, ranks.size, ranks.comm, ranks.first) == (0, 1, None, True)
    assert ranks.threads() >= 1
    x = np.arange(3)
    assert ranks.sum(x) is x
    assert ranks.most(3, False) == (3, False)
    assert ranks.gather("x") == ["x"]
    with pytest.raises(InputError, match="has to be started as: mpiexec -n N minibnn train"):
        Ranks.world(required=True)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, 4),
        ({"PMI_SIZE": "3"}, 3),
        ({"SLURM_NTASKS": "8"}, None),  # a batch script, or srun without MPI
        ({"SLURM_NTASKS": "8", "PMIX_RANK": "0"}, 8),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, 1),
        ({"OMPI_COMM_WORLD_SIZE": "many"}, None),
    ],
)
def test_launchers_are_known_by_their_variables(environment, expected):
    assert launched(environment) == expected


@pytest.mark.parametrize("rank", [0, 1])
def test_without_mpi4py_the_extra_is_named_once(monkeypatch, rank):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(InputError, match=r'2 processes, .*pip install "minibnn\[mpi\]"') as caught:
        Ranks.world()
    assert caught.value.told_elsewhere == (rank == 1)


def test_a_comparison_is_refused(monkeypatch):
    refuse_ranks("compare")
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(InputError, match=r"^compare runs in one process, start it without mpiexec"):
        refuse_ranks("compare")


class Comm:
    """What one of three ranks sees; the others' values are given."""

    def __init__(self, *everyone):
        self.everyone = list(everyone)

    def Get_rank(self):
        return 1

    def Get_size(self):
        return 3

    def allgather(self, value):
        return [value if given is ... else given for given in self.everyone]

    def Allgather(self, own, out):
        for row, given in zip(out, self.everyone, strict=True):
            row[...] = own if given is ... else given


def test_ranks_beside_the_first_need_no_folder(tmp_path, monkeypatch):
    """It makes a new one; what is written there is its work."""
    monkeypatch.chdir(tmp_path)
    options = train.make_context("train", ["--force", "--filters", "4"]).params
    with started("train", options, Ranks(Comm())) as start:
        assert Settings(**start.arguments).force
    assert not list(tmp_path.iterdir())


def test_sums_are_added_in_the_order_of_the_ranks():
    big, one = np.float32(2**24), np.float32(1)
    ranks = Ranks(Comm([big], ..., [one]))
    assert ranks.sum(np.array([one])) == [2**24]  # (big + 1) + 1: each rounds down
    assert Ranks(Comm([one], ..., [big])).sum(np.array([one])) == [2**24 + 2]


def test_what_fails_on_one_rank_fails_here():
    with pytest.raises(InputError, match=r"^rank 2 of 3: no such file$") as caught:
        with Ranks(Comm(None, ..., "no such file")).together():
            pass
    assert caught.value.told_elsewhere
    with pytest.raises(InputError, match=r"^no$") as caught:
        with Ranks(Comm("no", ..., "no")).together():
            raise InputError("no")
    assert caught.value.told_elsewhere  # rank 0 says it
    with pytest.raises(bnn.training.TrainingError, match=r"^rank 1 of 3: disk full") as caught:
        with Ranks(Comm(None, ..., None)).together():
            raise bnn.training.TrainingError("disk full")
    assert not caught.value.told_elsewhere


def test_ranks_that_differ_are_named():
    other = {"a": "1", "b": {"c": [2, None]}}
    with pytest.raises(InputError, match=r"^data must be .*: b.c.1 is absent on rank 0, 3 on ra"):
        Ranks(Comm(other, ..., {"a": "1", "b": {"c": [2, 3]}})).check_same(other, "data")


def test_a_batch_that_does_not_divide(tmp_path):
    message = "batch_size must divide by the number of ranks, 3, found 20"
    with pytest.raises(InputError, match=message):
        fit(tmp_path / "a", ranks=Ranks(Comm(..., ..., ...)), batch_size=20)
    assert not (tmp_path / "a").exists()


def test_evaluation_is_that_of_one_rank():
    """Each rank computes a share; put together in order they are all there is."""
    net, data = bnn.zoo.digits_net(filters=4, dense_units=16, seed=0), bnn.data.load("digits")
    shares = []
    for rank in range(3):
        ranks = Shares(rank, shares)
        if rank < 2:
            with pytest.raises(LookupError):
                bnn.evaluate(net, data, batch_size=100, ranks=ranks)
    assert bnn.evaluate(net, data, batch_size=100, ranks=ranks) == bnn.evaluate(net, data)
    sizes = [sum(len(labels) for _, labels, _ in own) for own in shares]
    assert sizes == [100, 100, 160]


class Shares(Ranks):
    """One of three ranks, one after the other; the last one gets all shares."""

    def __init__(self, rank, shares):
        super().__init__()
        self.rank, self.size, self.shares = rank, 3, shares

    def gather(self, value):
        self.shares.append(value)
        if self.rank < 2:
            raise LookupError
        return self.shares


# -- long -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fifty_steps_on_cifar10(shared_cifar):
    found = steps(50, shared_cifar, timeout=1800)
    assert len(found) == 50
    check_steps(found)
    print("signs that differ:", sum(differ for differ, *_ in found))


@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(0, np.int8), (127, np.int8), (128, np.int16), (2**15 - 1, np.int16), (2**15, np.int32)],
)
def test_integers_travel_in_the_narrowest_type(largest, dtype):
    for sign in (1, -1):
        arrays = [np.array([0, 1]), np.array([[sign * largest]], np.int64)]
        assert ALONE.narrowest(arrays) == dtype
