"""Runs that take a fraction of a second: few digits, a tiny network. Also used by subprocesses."""

import os
import signal

import minibnn as bnn
from minibnn.training import keeper
from minibnn.training.metrics import read_rows

BOP = "bop:gamma=1e-2,threshold=1e-6"
LATENT = "latent-sgd:lr=1,momentum=0.9"
# A program for another process.
KILLED = "from small_runs import fit_killed\nfit_killed({out!r}, {epoch}, **{how!r})"


def small_data():
    return bnn.data.load("digits").subset(train=210, test=53)


def small_net(seed=0, filters=4, **more):
    return bnn.zoo.digits_net(filters=filters, dense_units=16, seed=seed, **more)


def optimizer(spec=BOP):
    return bnn.optim.Split(binary=bnn.optim.parse_optimizer(spec), real=bnn.optim.Adam(lr=0.01))


def fit(out=None, net=None, spec=BOP, **changes):
    """A small fit; 10 steps per epoch."""
    settings = {"epochs": 3, "batch_size": 20, "seed": 1, "progress": False} | changes
    net = small_net() if net is None else net
    return bnn.fit(net, optimizer(spec), small_data(), out=out, **settings)


def compare(out=None, specs=None, **changes):
    """A small lockstep run of bop and latent-sgd."""
    settings = {"epochs": 3, "batch_size": 20, "seed": 1, "progress": False} | changes
    specs = {"bop": BOP, "latent-sgd": LATENT} if specs is None else specs
    optimizers = {name: optimizer(spec) for name, spec in specs.items()}
    return bnn.lockstep(small_net(), optimizers, small_data(), out=out, **settings)


def fit_killed(out, epoch, **changes):
    """A small fit whose process dies when that epoch is done, before it is on record."""

    def kill(run, row):
        if row["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGKILL)

    fit(out, callbacks=[kill], **changes)


def kill_at(name, call):
    """Have this process die at that call of the keeper's function ``name`` for a checkpoint."""
    function, calls = getattr(keeper, name), []

    def kill(path, *data):
        if path.name == "checkpoint.npz":
            calls.append(path)
            if len(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(path, *data)

    setattr(keeper, name, kill)


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def assert_same_run(a, b):
    """Two run folders hold the same bytes, and the same rows but for the seconds."""
    for name in ("checkpoint.npz", "best.npz", "telemetry.npz"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    one, two = (without_seconds(read_rows(folder / "metrics.csv")) for folder in (a, b))
    assert one == two
    assert [row["epoch"] for row in one] == list(range(1, len(one) + 1))


def assert_same_comparison(a, b):
    """So do the runs of two comparisons, and the rows of both are the same."""
    for name in ("bop", "latent-sgd"):
        assert_same_run(a / name, b / name)
    one, two = (without_seconds(read_rows(folder / "metrics.csv")) for folder in (a, b))
    assert one == two


class StopAt:
    """A reporter that sends this process a signal after so many batches."""

    def __init__(self, batches, signum):
        self.left, self.signum = batches, signum

    def step(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.signum)

    def __getattr__(self, name):
        return lambda *_: None
