"""What a sweep can vary: hyperparameters and options, each value in one form."""

import pytest

from minibnn import InputError
from minibnn.cli.train import train
from minibnn.training.sweep.keys import OPTIONS, apply, base_value, canonical, text_of


def test_keys_are_options_of_train():
    """A key that train does not take would fail in every cell."""
    options = {p.name.replace("_", "-"): p for p in train.params}
    assert OPTIONS.keys() <= options.keys()
    for name in OPTIONS:
        assert f"--{name}" in options[name].opts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-3, "0.001"), ("1e-3", "0.001"), ("0.0010", "0.001"), (0.0, "0"), ("-0", "-0"),
        (50, "50"), ("50", "50"), (1 / 3, repr(1 / 3)), (True, "yes"), (None, "none"),
        (" bop ", "bop"), ("cosine:1e-2:0", "cosine:1e-2:0"), ("inf", "inf"),
    ],
)  # fmt: skip
def test_a_value_has_one_text(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize("number", [1e-300, 0.1 + 0.2, 123456789.0, 2.5e-17])
def test_the_text_of_a_number_is_exact(number):
    assert float(text_of(number)) == number


def test_settings_reach_the_options(small):
    options = apply(
        {"gamma": "0.5", "real.lr": "0.1", "batch-size": "7", "augment": "yes", "width": "0.5"},
        small,
    )
    assert options["optimizer"] == "bop:gamma=0.5,threshold=1e-6"
    assert options["real-optimizer"] == "adam:lr=0.1"
    assert (options["batch-size"], options["augment"], options["width"]) == (7, True, 0.5)
    assert small["batch-size"] == 300


def test_a_setting_goes_to_the_optimizer_of_its_own_cell(small):
    options = apply({"lr": "3", "optimizer": "latent-sgd:momentum=0.9"}, small)
    assert options["optimizer"] == "latent-sgd:momentum=0.9,lr=3"


def test_base_values(small):
    assert base_value("gamma", small) == "0.01"
    assert base_value("rule", small) == "strict"
    assert base_value("real.beta_1", small) == "0.9"
    assert base_value("epochs", small) == "2"
    assert base_value("width", small) is None
    assert base_value("gamma", {}) is None


def test_a_key_of_another_optimizer_has_no_base_value(small):
    with pytest.raises(InputError, match="gamma is no key of a sweep; of latent-sgd: lr, "):
        base_value("gamma", small | {"optimizer": "latent-sgd"})


def test_a_schedule_is_a_value(small):
    assert canonical("gamma", "step:1e-3:0.1:50%", small) == "step:0.001:0.1:50%"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gama", "1", "gama is no key of a sweep; of bop: gamma, threshold, .*real.lr.*batch-size"),
        ("real.gamma", "1", "real.gamma is no key of a sweep; .*real.lr"),
        ("gamma", "2", r"gamma must be a number in \(0, 1\].*found '2'"),
        ("real.lr", "-1", r"lr must be .*found '-1'"),
        ("batch-size", "0", "batch-size must be a whole number from 1 on, found '0'"),
        ("epochs", "1.5", "epochs must be a whole number from 1 on, found '1.5'"),
        ("width", "0", r"width must be a number in \(0, 16\], found '0'"),
        ("width", "wide", r"width must be a number .*found 'wide'"),
        ("augment", "maybe", "augment must be yes or no, found 'maybe'"),
        ("optimizer", "rop", "optimizer must be one of bop.*found 'rop'"),
    ],
)
def test_bad_keys_and_values_are_named(small, key, value, message):
    with pytest.raises(InputError, match=message):
        canonical(key, value, small)


def test_a_hyperparameter_needs_its_optimizer():
    with pytest.raises(InputError, match=r"gamma belongs to an optimizer: .*option optimizer"):
        apply({"gamma": "1"}, {})
