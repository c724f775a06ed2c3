"""Runs that take a fraction of a second: few digits, a tiny network. Also used by subprocesses."""

import os

import minibnn as bnn

BOP = "bop:gamma=1e-2,threshold=1e-6"
LATENT = "latent-sgd:lr=1,momentum=0.9"


def small_data():
    return bnn.data.load("digits").subset(train=210, test=53)


def small_net(seed=0, filters=4):
    return bnn.zoo.digits_net(filters=filters, dense_units=16, seed=seed)


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


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


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
