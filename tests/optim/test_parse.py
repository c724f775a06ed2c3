"""Optimizers from text: what is valid, and errors that name it."""

import pytest

from minibnn import optim
from minibnn.errors import InputError


def test_the_contract_example():
    bop = optim.parse_optimizer("bop:gamma=step:1e-4:0.1:100ep,threshold=1e-8")
    assert isinstance(bop, optim.Bop)
    assert bop.gamma == optim.ExponentialDecay(1e-4, 0.1, "100ep", staircase=True)
    assert bop.threshold == 1e-8


def test_names_alone_and_stray_blanks():
    assert optim.parse_optimizer("adam").config() == optim.Adam().config()
    latent = optim.parse_optimizer(" latent-sgd: lr = 0.5 , clip = none, seed=7,")
    assert (latent.lr, latent.clip, latent.seed) == (0.5, None, 7)


@pytest.mark.parametrize("kind", optim.OPTIMIZERS)
def test_every_optimizer_by_its_name_and_its_own_description(kind):
    """What describe() prints can be given back as it stands."""
    line = optim.describe([kind])
    optimizer = optim.parse_optimizer(line)
    assert type(optimizer) is optim.OPTIMIZERS[kind]
    assert optimizer.config() == type(optimizer)().config()
    assert set(optimizer.config()) == {"kind", *optimizer.arguments}


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "optimizer must be one of bop, latent-sgd, latent-adam, .*sgd, adam, found ''"),
        ("bop:gama=1e-3", "bop takes gamma, threshold, rule, average, initial; found 'gama'"),
        ("bop:gamma", "expected NAME=VALUE, found 'gamma'"),
        ("bop:gamma=", "expected NAME=VALUE, found 'gamma='"),
        ("bop:gamma=1e-3,gamma=1e-4", "gamma is given twice"),
        ("bop:gamma=2", r"gamma must be a number in \(0, 1\] or a schedule; found '2'"),
        ("bop:gamma=step:2:0.1:5ep", r"gamma must be .*\(0, 1\].*found 'step:2:0.1:5ep'"),
        ("bop:gamma=stairs:2", "gamma: expected a number, step:VALUE:FACTOR:SPAN"),
        ("bop:initial=glorot_uniform", "initial must be a number or a dict"),
        ("latent-sgd:seed=-3", "seed must be an integer from 0 on, found '-3'"),
    ],
)
def test_errors_are_one_line_and_name_what_is_valid(text, message):
    with pytest.raises(InputError, match=message) as caught:
        optim.parse_optimizer(text)
    assert "\n" not in str(caught.value)
